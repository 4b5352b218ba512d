import * as vscode from 'vscode';
import { hex, type EntryRef, type VendorWords, type WalkResult } from '../../inspection/protocol';
import { failureOf } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import { tooltipOf, treeItem } from './items';
import {
  idOf,
  rowsOf,
  stageBelow,
  stepsOfStage,
  type LineElement,
  type StepElement,
  type WalkElement,
} from './walkElements';
import { wordField, wordWalk } from './walkWording';
import { pasidText, requesterName, wordFailure } from './wording';

/** Feeds the Walk view with the last walk of the current inspection. */
class WalkProvider implements vscode.TreeDataProvider<WalkElement> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;

  constructor(
    private readonly inspections: Inspections,
    /** Called when the rows of a walk are known. */
    private readonly listener: (result: WalkResult, words: VendorWords) => void,
  ) {}

  async getChildren(element?: WalkElement): Promise<WalkElement[]> {
    if (element?.kind === 'step') return this.linesOf(element);
    if (element) return element.kind === 'stage' ? stepsOfStage(element) : [];
    const inspection = this.inspections.current;
    if (!inspection) return [];
    try {
      const result = await this.inspections.lastWalk(inspection);
      if (!result) return [];
      const words = await this.wordsOf(inspection, result);
      this.listener(result, words);
      return rowsOf(inspection, result, words);
    } catch (error) {
      return [{ kind: 'line', id: 'failure', wording: wordFailure(failureOf(error)) }];
    }
  }

  getTreeItem(element: WalkElement): vscode.TreeItem {
    // Of two stages what leads to the answer is in sight, the walks that found the entries are not.
    const open = element.kind === 'stage' ? !element.parent : hasProblems(element);
    return treeItem(idOf(element), wordWalk(element), element.kind, open);
  }

  getParent(element: WalkElement): WalkElement | undefined {
    return element.kind === 'result' ? undefined : element.parent;
  }

  resolveTreeItem(item: vscode.TreeItem, element: WalkElement): vscode.TreeItem {
    item.tooltip = tooltipOf(wordWalk(element).tooltip);
    return item;
  }

  refresh(): void {
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.changes.dispose();
  }

  /** The vendor's words of the IOMMU that was walked. */
  private async wordsOf(inspection: Inspection, { iommu }: WalkResult): Promise<VendorWords> {
    const { iommus } = await this.inspections.summary(inspection);
    const found = iommus.find(({ name }) => name === iommu);
    if (!found) throw new Error(`walked through ${iommu}, which is not there`);
    return found.words;
  }

  /** Problems first, then the stage-2 walk that found the entry, then every field that says something. */
  private async linesOf(parent: StepElement): Promise<WalkElement[]> {
    const id = idOf(parent);
    const below = stageBelow(parent);
    const problems = parent.step.problems.map((problem, index): LineElement => ({
      kind: 'line',
      id: `${id}!${index}`,
      wording: wordFailure(problem),
      parent,
    }));
    try {
      const details = await this.inspections.ask(parent.inspection, 'entry', { entry: parent.step.entry });
      const fields = details.fields.flat().filter(({ kind, value }) => value !== 0n || kind === 'permission');
      const lines = fields.map((field, index): LineElement => ({
        kind: 'line',
        id: `${id}/${index}`,
        wording: wordField(field),
        parent,
      }));
      return [...problems, ...(below ? [below] : []), ...lines];
    } catch (error) {
      return [
        ...problems,
        ...(below ? [below] : []),
        { kind: 'line', id: `${id}?`, wording: wordFailure(failureOf(error)), parent },
      ];
    }
  }
}

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

const hasProblems = (element: WalkElement): boolean =>
  element.kind === 'step' && element.step.problems.length > 0;

/** What the view asks of the rest of the host. */
export interface WalkListener {
  /** Something was selected. */
  touch(): void;
  /** A step was selected. */
  select(inspection: Inspection, entry: EntryRef): void;
}

/** The Walk view: each level of the last walk. Selecting a step shows its entry. */
export class WalkView implements vscode.Disposable {
  readonly provider: WalkProvider;
  private readonly view: vscode.TreeView<WalkElement>;
  private readonly disposables: { dispose(): unknown }[];

  constructor(
    private readonly inspections: Inspections,
    listener: WalkListener,
  ) {
    this.provider = new WalkProvider(inspections, ({ request }, words) => {
      this.view.description = joined(
        requesterName(request.requester),
        pasidText(request.pasid, words),
        `${request.access} ${hex(request.iova)}`,
      );
    });
    this.view = vscode.window.createTreeView('iopte.walk', { treeDataProvider: this.provider });
    this.disposables = [
      this.provider,
      this.view,
      this.view.onDidChangeSelection(({ selection: [selected] }) => {
        if (selected) listener.touch();
        if (selected?.kind === 'step') listener.select(selected.inspection, selected.step.entry);
      }),
      inspections.onDidChange(({ change }) => {
        if (change === 'filter') return;
        this.describe();
        this.provider.refresh();
      }),
    ];
    this.describe();
  }

  /** The step or result that has the selection. */
  get selected(): WalkElement | undefined {
    return this.view.selection[0];
  }

  /** Brings the view forward with its first row in sight. */
  async show(): Promise<void> {
    const [first] = await this.provider.getChildren();
    if (first) await this.view.reveal(first, { select: false, focus: false });
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }

  private describe(): void {
    const walk = this.inspections.current?.walk;
    if (!walk) this.view.description = '';
    void vscode.commands.executeCommand('setContext', 'iopte:hasWalk', walk !== undefined);
  }
}
