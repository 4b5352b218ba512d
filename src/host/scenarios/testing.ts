import * as vscode from 'vscode';
import { SCENARIO_SUFFIX, type ScenarioOutcome, type ScenarioOutline } from '../../inspection/protocol';
import { signalOf } from '../cancel';
import { failureOf, isCancelled, sentence } from '../errors';
import type { ScenarioChecks } from './checks';
import { failureRange, failureText } from './failures';
import { findScenarios, isScenario, MOST_SCENARIOS, positionsOf, readScenario, stemOf } from './files';
import { ScenarioError, variantsOf, type Runnable, type ScenarioRunner } from './runner';

/** A test that is run: a scenario without variants, or a variant. */
interface Leaf {
  readonly item: vscode.TestItem;
  readonly variant: string | null;
}

/** Every scenario of the workspace in the Test Explorer, its variants below it. */
export class ScenarioTests implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController(
    'iopte.scenarios',
    vscode.l10n.t('IOPTE Scenarios'),
  );
  private readonly disposables: { dispose(): unknown }[];
  private watched = false;

  constructor(
    private readonly checks: ScenarioChecks,
    private readonly runner: ScenarioRunner,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const { controller } = this;
    controller.resolveHandler = (item) => (item ? this.readVariants(item) : this.discover());
    controller.refreshHandler = () => this.discover();
    const { Run } = vscode.TestRunProfileKind;
    this.disposables = [
      controller,
      controller.createRunProfile(
        vscode.l10n.t('Run'),
        Run,
        (request, token) => this.run(request, token),
        true,
      ),
      // The gutter of a file that is open, before anybody opens the Test Explorer.
      checks.onDidCheck(({ document, checked: { outline } }) => {
        if (document.uri.scheme === 'untitled' || !isScenario(document.uri)) return;
        if (!vscode.workspace.getWorkspaceFolder(document.uri)) return;
        const item = this.itemOf(document.uri);
        if (outline) this.setVariants(item, outline, document.getText());
      }),
    ];
  }

  /** What the Test Explorer shows. */
  get items(): vscode.TestItemCollection {
    return this.controller.items;
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }

  /** Finds the scenarios of the workspace. */
  async discover(): Promise<void> {
    this.watch();
    const found = await findScenarios();
    const names = new Set(found.map(String));
    this.controller.items.forEach(({ id }) => {
      if (!names.has(id)) this.controller.items.delete(id);
    });
    for (const uri of found) this.itemOf(uri);
  }

  /** Runs what a request of the Test Explorer names; one after the other, since the engine is one. */
  async run(request: vscode.TestRunRequest, token: vscode.CancellationToken): Promise<void> {
    const run = this.controller.createTestRun(request);
    try {
      for (const item of this.wanted(request)) {
        if (token.isCancellationRequested) break;
        await this.runFile(run, request, item, token);
      }
    } finally {
      run.end();
    }
  }

  private watch(): void {
    if (this.watched) return;
    this.watched = true;
    const watcher = vscode.workspace.createFileSystemWatcher(`**/*${SCENARIO_SUFFIX}`);
    this.disposables.push(
      watcher,
      watcher.onDidCreate((uri) => {
        this.itemOf(uri);
      }),
      watcher.onDidChange((uri) => {
        const item = this.controller.items.get(uri.toString());
        // One that nobody looked into is read when it is needed.
        if (!item || item.children.size === 0) return;
        this.readVariants(item).catch((error: unknown) => {
          this.log.error(`${uri.toString()}: ${String(error)}`);
        });
      }),
      watcher.onDidDelete((uri) => {
        this.controller.items.delete(uri.toString());
      }),
    );
  }

  private itemOf(uri: vscode.Uri): vscode.TestItem {
    const { items } = this.controller;
    const before = items.get(uri.toString());
    if (before) return before;
    const item = this.controller.createTestItem(uri.toString(), stemOf(uri), uri);
    item.canResolveChildren = true;
    if (items.size < MOST_SCENARIOS) items.add(item);
    return item;
  }

  private async readVariants(item: vscode.TestItem): Promise<void> {
    const { uri } = item;
    if (!uri) return;
    try {
      const text = await readScenario(uri);
      const { outline } = await this.checks.ofText(text);
      if (outline) this.setVariants(item, outline, text);
    } catch (error) {
      item.error = sentence(failureOf(error));
    }
  }

  private setVariants(item: vscode.TestItem, outline: ScenarioOutline, text: string): void {
    const { uri } = item;
    if (!uri) return;
    const at = positionsOf(text);
    const range = ({ start, end }: { readonly start: number; readonly end: number }): vscode.Range =>
      new vscode.Range(at(start), at(end));
    // VS Code takes undefined for none, though the properties are not declared so under exact optional types.
    Object.assign(item, { description: outline.title, range: range(outline), error: undefined });
    const names = new Set(outline.variants.map(({ name }) => name));
    item.children.forEach(({ label, id }) => {
      if (!names.has(label)) item.children.delete(id);
    });
    outline.variants.forEach((variant, index) => {
      const id = `${item.id}#${variant.name}`;
      const child = item.children.get(id) ?? this.controller.createTestItem(id, variant.name, uri);
      Object.assign(child, { description: variant.about, range: range(variant) });
      child.sortText = String(index).padStart(4, '0');
      item.children.add(child);
    });
    item.canResolveChildren = outline.variants.length > 0;
  }

  /** The files that a request is about. */
  private wanted({ include }: vscode.TestRunRequest): readonly vscode.TestItem[] {
    const files = new Map<string, vscode.TestItem>();
    const add = (item: vscode.TestItem): void => {
      const file = item.parent ?? item;
      files.set(file.id, file);
    };
    if (include) include.forEach(add);
    else this.controller.items.forEach(add);
    return [...files.values()];
  }

  private async runFile(
    run: vscode.TestRun,
    request: vscode.TestRunRequest,
    file: vscode.TestItem,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const { uri } = file;
    if (!uri || request.exclude?.includes(file)) return;
    let ready: Runnable;
    try {
      ready = await this.runner.prepare(uri);
      this.setVariants(file, ready.outline, ready.text);
    } catch (error) {
      run.errored(file, errorMessage(error, uri));
      return;
    }
    const leaves = this.leavesOf(file, ready.outline).filter(({ item }) => isWanted(item, request));
    for (const { item } of leaves) run.enqueued(item);
    for (const leaf of leaves) {
      if (token.isCancellationRequested) run.skipped(leaf.item);
      else await this.runLeaf(run, ready, leaf, token);
    }
  }

  private leavesOf(file: vscode.TestItem, outline: ScenarioOutline): readonly Leaf[] {
    return variantsOf(outline).flatMap((variant) => {
      const item = variant === null ? file : file.children.get(`${file.id}#${variant}`);
      return item ? [{ item, variant }] : [];
    });
  }

  private async runLeaf(
    run: vscode.TestRun,
    ready: Runnable,
    { item, variant }: Leaf,
    token: vscode.CancellationToken,
  ): Promise<void> {
    run.started(item);
    const began = Date.now();
    try {
      const { outcome } = await this.runner.run(ready, variant, { signal: signalOf(token) });
      const took = Date.now() - began;
      if (outcome.cancelled) run.skipped(item);
      else if (outcome.passed) run.passed(item, took);
      else run.failed(item, messagesOf(ready, outcome), took);
    } catch (error) {
      if (isCancelled(error)) run.skipped(item);
      else run.errored(item, errorMessage(error, ready.uri), Date.now() - began);
    }
  }
}

/** Whether a request asks for this test: it or its file is included, or nothing is named; and neither is excluded. */
function isWanted(item: vscode.TestItem, { include, exclude }: vscode.TestRunRequest): boolean {
  const self = [item, ...(item.parent ? [item.parent] : [])];
  return (
    (!include || self.some((each) => include.includes(each))) && !self.some((each) => exclude?.includes(each))
  );
}

function messagesOf({ uri, text }: Runnable, { failures }: ScenarioOutcome): vscode.TestMessage[] {
  return failures.map((failure) => {
    const message = vscode.TestMessage.diff(failureText(failure), failure.expected, failure.actual);
    message.location = new vscode.Location(uri, failureRange(text, failure));
    return message;
  });
}

function errorMessage(error: unknown, uri: vscode.Uri): vscode.TestMessage {
  const message = new vscode.TestMessage(sentence(failureOf(error)));
  if (error instanceof ScenarioError) message.location = new vscode.Location(uri, error.range);
  return message;
}
