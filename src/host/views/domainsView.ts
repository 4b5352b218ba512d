import * as vscode from 'vscode';
import type { EntryRef, InspectionId, TreeNode } from '../../inspection/protocol';
import { LatestOnly } from '../cancel';
import type { Inspection, Inspections } from '../inspections';
import { DomainsDragAndDrop } from './domainsDrag';
import { DomainsProvider, shownProblems } from './domainsProvider';
import { entryOf, type Element } from './elements';

/** What the view asks of the rest of the host. */
export interface DomainsListener {
  /** Something was selected. */
  touch(): void;
  /** An entry was selected; undefined: something that is no entry. */
  select(inspection: Inspection, entry: EntryRef | undefined): void;
  /** Files were dropped. */
  drop(uris: readonly vscode.Uri[]): void;
  /** An image could not be read. */
  fail(inspection: Inspection, error: unknown): void;
}

export interface RevealOptions {
  /** The last node on the path that it accepts is shown; without it the end of the path. */
  readonly choose?: (node: TreeNode) => boolean;
  /** Whether the tree takes the focus; it does without this. */
  readonly focus?: boolean;
}

/** Waits this long for more changes before the tree is read again. */
const REFRESH_AFTER_MS = 100;

/** The Domains view: IOMMUs, devices, domains, tables and IOPTEs of the open images. */
export class DomainsView implements vscode.Disposable {
  readonly provider: DomainsProvider;
  private readonly view: vscode.TreeView<Element>;
  private readonly disposables: { dispose(): unknown }[] = [];
  private readonly reveals = new LatestOnly();
  /** Number of problems found on opening. */
  private readonly problems = new Map<InspectionId, number>();
  /** Whose failure was reported: it is said once until the image is read, however often the tree is. */
  private readonly failed = new Set<InspectionId>();
  private timer: unknown;

  constructor(
    private readonly inspections: Inspections,
    listener: DomainsListener,
  ) {
    this.provider = new DomainsProvider(inspections, {
      read: ({ id }, summary) => {
        const unread = summary.iommus.filter(({ failure }) => failure).length;
        this.failed.delete(id);
        this.problems.set(id, shownProblems(summary).length + unread);
        this.badge();
      },
      fail: (inspection, error) => {
        this.problems.set(inspection.id, 1);
        this.badge();
        if (this.failed.has(inspection.id)) return;
        this.failed.add(inspection.id);
        listener.fail(inspection, error);
      },
    });
    this.view = vscode.window.createTreeView('iopte.domains', {
      treeDataProvider: this.provider,
      showCollapseAll: true,
      dragAndDropController: new DomainsDragAndDrop((uris) => {
        listener.drop(uris);
      }),
    });
    this.disposables.push(
      this.provider,
      this.view,
      this.reveals,
      this.view.onDidChangeSelection(({ selection: [selected] }) => {
        if (!selected) return;
        listener.touch();
        inspections.makeCurrent(selected.inspection);
        const entry = entryOf(selected);
        // Range and domain nodes have no entry of their own; what was shown stays.
        if (entry) listener.select(selected.inspection, entry);
      }),
      inspections.onDidChange(({ inspection, change }) => {
        if (change === 'refreshed' || change === 'closed') this.failed.delete(inspection.id);
        if (change === 'walk') return;
        if (change === 'filter' || change === 'refreshed' || change === 'operated') this.provider.cancel();
        this.describe();
        this.badge();
        if (change !== 'current') this.refreshSoon();
      }),
    );
    this.describe();
  }

  get visible(): boolean {
    return this.view.visible;
  }

  /** The element that has the selection: what commands mean when they are given nothing. */
  get selected(): Element | undefined {
    const [selected] = this.view.selection;
    return selected && this.inspections.find(selected.inspection.id) ? selected : undefined;
  }

  /** Selects the node at the end of a path that the engine gave, or one above it. */
  async reveal(
    inspection: Inspection,
    path: readonly TreeNode[],
    { choose = () => true, focus = true }: RevealOptions = {},
  ): Promise<Element | undefined> {
    this.refreshNow();
    const signal = this.reveals.next();
    const elements = this.provider.elementsOf(inspection, path);
    const found = elements.filter((each) => each.kind !== 'node' || choose(each.node)).at(-1);
    if (!found || signal.aborted) return undefined;
    // A tree that nobody sees reads its roots only when it is shown, and does not move to one that is new.
    if (!this.view.visible)
      await vscode.commands.executeCommand('iopte.domains.open', { preserveFocus: true });
    await this.view.reveal(found, { select: true, focus, expand: false });
    return found;
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of this.disposables) each.dispose();
  }

  /** How many problems the open images have, on the container's icon. */
  private badge(): void {
    const value = this.inspections.all.reduce((sum, { id }) => sum + (this.problems.get(id) ?? 0), 0);
    const tooltip =
      value === 1
        ? vscode.l10n.t('1 problem in memory images')
        : vscode.l10n.t('{0} problems in memory images', value);
    // VS Code takes undefined for no badge, though the property is not declared so under exact optional types.
    Object.assign(this.view, { badge: value > 0 ? { value, tooltip } : undefined });
  }

  /** Several changes in a row read the tree once. */
  private refreshSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.provider.refresh();
    }, REFRESH_AFTER_MS);
  }

  /** A reveal must not meet a tree that is about to be thrown away. */
  private refreshNow(): void {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.provider.refresh();
  }

  private describe(): void {
    const { all, current } = this.inspections;
    const filtered = all.filter(({ where }) => where !== '');
    const message = filtered.map(({ title, where }) =>
      all.length === 1
        ? vscode.l10n.t('Filter: {0}', where)
        : vscode.l10n.t('Filter of {0}: {1}', title, where),
    );
    // An empty string would still take a line.
    Object.assign(this.view, { message: message.length > 0 ? message.join('\n') : undefined });
    void vscode.commands.executeCommand('setContext', 'iopte:hasInspection', all.length > 0);
    const hasMachine = all.some(({ machine }) => machine);
    void vscode.commands.executeCommand('setContext', 'iopte:hasMachine', hasMachine);
    const hasReplay = all.some(({ replay }) => replay);
    void vscode.commands.executeCommand('setContext', 'iopte:hasReplay', hasReplay);
    void vscode.commands.executeCommand('setContext', 'iopte:hasFilter', Boolean(current?.where));
  }
}
