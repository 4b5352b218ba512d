import * as vscode from 'vscode';
import { failureOf, isCancelled } from '../errors';
import type { Inspections } from '../inspections';
import type { AnswerElement, Answers } from './answerElements';
import { tooltipOf, treeItem } from './items';
import { wordFailure } from './wording';

class AnswersProvider implements vscode.TreeDataProvider<AnswerElement> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  answers: Answers | undefined;

  async getChildren(element?: AnswerElement): Promise<AnswerElement[]> {
    if (!element) return [...(this.answers?.rows ?? [])];
    try {
      return [...((await element.children?.()) ?? [])];
    } catch (error) {
      // It can be opened again below itself: the tree does not ask twice for what it has.
      if (isCancelled(error)) return [{ ...element, id: `${element.id}~`, parent: element }];
      const { inspection } = element;
      const wording = wordFailure(failureOf(error));
      return [{ kind: 'answer', id: `${element.id}!`, inspection, wording, parent: element }];
    }
  }

  getTreeItem(element: AnswerElement): vscode.TreeItem {
    const { id, wording, place, startsOpen } = element;
    const item = treeItem(id, wording, place ? 'answerAtPlace' : 'answer', startsOpen);
    if (place) {
      const title =
        place.kind === 'row' ? vscode.l10n.t('Show in Trace') : vscode.l10n.t('Reveal in Domains');
      item.command = { command: 'iopte.revealResult', title, arguments: [element] };
    }
    return item;
  }

  getParent(element: AnswerElement): AnswerElement | undefined {
    return element.parent;
  }

  resolveTreeItem(item: vscode.TreeItem, element: AnswerElement): vscode.TreeItem {
    item.tooltip = tooltipOf(element.wording.tooltip);
    return item;
  }

  show(answers: Answers | undefined): void {
    this.answers = answers;
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.changes.dispose();
  }
}

/** The Results view: what Find Physical Address, Show Aliases, Compare With or a question about a trace gave last. */
export class AnswersView implements vscode.Disposable {
  readonly provider = new AnswersProvider();
  private readonly view: vscode.TreeView<AnswerElement>;
  private readonly disposables: { dispose(): unknown }[];

  constructor(inspections: Inspections) {
    this.view = vscode.window.createTreeView('iopte.results', {
      treeDataProvider: this.provider,
      showCollapseAll: true,
    });
    this.disposables = [
      this.provider,
      this.view,
      inspections.onDidChange(({ inspection, change }) => {
        if (change !== 'closed' && change !== 'refreshed') return;
        const about = this.provider.answers?.inspections ?? [];
        // What it says need not be so any more.
        if (about.some(({ id }) => id === inspection.id)) this.set(undefined);
      }),
    ];
  }

  /** What is shown. */
  get shown(): Answers | undefined {
    return this.provider.answers;
  }

  get selected(): AnswerElement | undefined {
    return this.view.selection[0];
  }

  /** Shows answers, and brings the view forward. */
  async show(answers: Answers): Promise<void> {
    await vscode.commands.executeCommand('setContext', 'iopte:hasResults', true);
    this.set(answers);
    const [first] = answers.rows;
    if (first) await this.view.reveal(first, { select: false, focus: false });
    else await vscode.commands.executeCommand('iopte.results.focus');
  }

  /** Says more of the answer with these rows, when it is still the one that is shown. */
  say(rows: readonly AnswerElement[], message: string): void {
    const answers = this.provider.answers;
    if (answers?.rows !== rows) return;
    this.provider.answers = { ...answers, message };
    this.describe(message);
  }

  clear(): void {
    this.set(undefined);
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }

  private set(answers: Answers | undefined): void {
    this.view.description = answers?.title ?? '';
    this.describe(answers?.message ?? '');
    this.provider.show(answers);
    void vscode.commands.executeCommand('setContext', 'iopte:hasResults', answers !== undefined);
  }

  private describe(message: string): void {
    // An empty string would still take a line.
    Object.assign(this.view, { message: message === '' ? undefined : message });
  }
}
