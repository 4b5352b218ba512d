import * as vscode from 'vscode';
import {
  hex,
  type EntryRef,
  type Translation,
  type WalkResult,
  type WalkStep,
} from '../../inspection/protocol';
import { failureOf, sentence } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import { tooltipOf, treeItem } from './items';
import { requesterName, wordFailure, type Wording } from './wording';

/** What the Walk tree consists of: the answer, the steps that led to it, and what each step read. */
export type WalkElement =
  | { readonly kind: 'result'; readonly inspection: Inspection; readonly result: WalkResult }
  | {
      readonly kind: 'step';
      readonly inspection: Inspection;
      readonly result: WalkResult;
      readonly step: WalkStep;
      readonly number: number;
    }
  | { readonly kind: 'line'; readonly id: string; readonly wording: Wording; readonly parent?: WalkElement };

/** A value that came with a command: an item of Walk, or not. */
export const isWalkElement = (value: unknown): value is WalkElement =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  ['result', 'step', 'line'].includes(String(value.kind));

/** Feeds the Walk view with the last walk of the current inspection. */
class WalkProvider implements vscode.TreeDataProvider<WalkElement> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly inspections: Inspections) {}

  async getChildren(element?: WalkElement): Promise<WalkElement[]> {
    if (element) return element.kind === 'step' ? this.linesOf(element) : [];
    const inspection = this.inspections.current;
    if (!inspection) return [];
    try {
      const result = await this.inspections.lastWalk(inspection);
      return result ? rowsOf(inspection, result) : [];
    } catch (error) {
      return [{ kind: 'line', id: 'failure', wording: wordFailure(failureOf(error)) }];
    }
  }

  getTreeItem(element: WalkElement): vscode.TreeItem {
    const open = element.kind === 'step' && element.step.problems.length > 0;
    return treeItem(idOf(element), word(element), element.kind, open);
  }

  getParent(element: WalkElement): WalkElement | undefined {
    return element.kind === 'line' ? element.parent : undefined;
  }

  resolveTreeItem(item: vscode.TreeItem, element: WalkElement): vscode.TreeItem {
    item.tooltip = tooltipOf(word(element).tooltip);
    return item;
  }

  refresh(): void {
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.changes.dispose();
  }

  /** Problems first, then every field that says something. */
  private async linesOf(parent: Extract<WalkElement, { kind: 'step' }>): Promise<WalkElement[]> {
    const id = idOf(parent);
    const problems = parent.step.problems.map((problem, index): WalkElement => ({
      kind: 'line',
      id: `${id}!${index}`,
      wording: wordFailure(problem),
      parent,
    }));
    try {
      const details = await this.inspections.ask(parent.inspection, 'entry', { entry: parent.step.entry });
      const fields = details.fields.flat().filter(({ kind, value }) => value !== 0n || kind === 'permission');
      return problems.concat(
        fields.map((field, index) => ({
          kind: 'line',
          id: `${id}/${index}`,
          wording: wordField(field),
          parent,
        })),
      );
    } catch (error) {
      return [...problems, { kind: 'line', id: `${id}?`, wording: wordFailure(failureOf(error)), parent }];
    }
  }
}

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
    this.provider = new WalkProvider(inspections);
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
    const device = walk && requesterName(walk.requester);
    this.view.description = walk ? `${device ?? ''} ${walk.access} ${walk.iova}` : '';
    void vscode.commands.executeCommand('setContext', 'iopte:hasWalk', walk !== undefined);
  }
}

function rowsOf(inspection: Inspection, result: WalkResult): WalkElement[] {
  const steps = result.steps.map((step, index): WalkElement => ({
    kind: 'step',
    inspection,
    result,
    step,
    number: index + 1,
  }));
  return [{ kind: 'result', inspection, result }, ...steps];
}

function idOf(element: WalkElement): string {
  if (element.kind === 'line') return element.id;
  const { inspection, result } = element;
  const { requester, pasid, iova, access } = result.request;
  const walk = `${inspection.id}/${result.iommu}/${requester}/${pasid ?? ''}/${access}/${hex(iova)}`;
  return element.kind === 'result' ? walk : `${walk}#${element.number}`;
}

function word(element: WalkElement): Wording {
  switch (element.kind) {
    case 'line':
      return element.wording;
    case 'result': {
      const { translation, summary, hint } = element.result;
      return {
        // Short and with the point first: a side bar cuts off what comes late.
        label: resultLabel(translation),
        description: joined(summary, hint),
        icon: translation.ok ? 'pass' : 'error',
        colour: translation.ok ? 'testing.iconPassed' : 'testing.iconFailed',
        spoken: hint === undefined ? summary : `${summary} ${hint}`,
        tooltip: [
          [vscode.l10n.t('Result'), summary],
          ...(hint === undefined ? [] : [[vscode.l10n.t('Next'), hint] as const]),
          ...(translation.ok ? [] : [[vscode.l10n.t('Fault'), translation.fault] as const]),
        ],
        opens: false,
      };
    }
    case 'step':
      return wordStep(element.step, element.number);
  }
}

function resultLabel(translation: Translation): string {
  if (translation.ok) return `→ ${hex(translation.paddr)}`;
  const { fault, level } = translation;
  return level === null
    ? vscode.l10n.t('Refused: {0}', fault)
    : vscode.l10n.t('Refused: {0}, level {1}', fault, level);
}

const joined = (...parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join(' ');

function wordStep(step: WalkStep, number: number): Wording {
  const words = step.words.map(hex).join(' ');
  const [problem] = step.problems;
  return {
    label: step.title,
    description: `[${step.index}] ${step.says}`,
    icon: problem ? 'warning' : 'symbol-numeric',
    ...(problem && {
      colour: problem.severity === 'error' ? 'list.errorForeground' : 'list.warningForeground',
    }),
    spoken: vscode.l10n.t('Step {0}: {1}, index {2}, {3}', number, step.title, step.index, step.says),
    tooltip: [
      [vscode.l10n.t('Entry'), `${words} @ ${hex(step.entry.address)}`],
      [vscode.l10n.t('Index'), String(step.index)],
      [vscode.l10n.t('Says'), step.says],
      [vscode.l10n.t('Permission so far'), step.perm],
      ...step.problems.map((each) => [vscode.l10n.t('Problem'), sentence(each)] as const),
    ],
    opens: true,
  };
}

function wordField(field: {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly value: bigint;
  readonly meaning: string;
  readonly section: string;
}): Wording {
  const bits = field.high === field.low ? String(field.low) : `${field.high}:${field.low}`;
  return {
    label: field.name,
    description: `${hex(field.value)} ${field.meaning}`,
    icon: 'symbol-constant',
    spoken: vscode.l10n.t('{0}, bits {1}: {2}, {3}', field.name, bits, hex(field.value), field.meaning),
    tooltip: [
      [field.name, `[${bits}] = ${hex(field.value)}`],
      [vscode.l10n.t('Meaning'), field.meaning],
      [vscode.l10n.t('Specification'), field.section],
    ],
    opens: false,
  };
}
