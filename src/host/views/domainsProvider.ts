import * as vscode from 'vscode';
import {
  CANCELLED,
  domainKeyOf,
  type CancelSignal,
  type Failure,
  type InspectionSummary,
  type SourceProblem,
  type TreeNode,
} from '../../inspection/protocol';
import { LatestOnly, signalOf } from '../cancel';
import { failureOf, isCancelled } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import { countOperations, type JournalMachine } from '../journal';
import { baseName } from '../source';
import { failureElement, imageElement, nodeElement, wordsOf, type Element } from './elements';
import { tooltipOf, treeItem } from './items';
import { wordFailure, wordNode, wordStatistics, type Wording } from './wording';

/** More siblings than this make a tree slow; the engine folds what is more into range nodes. */
const CHILDREN_LIMIT = 1000;
/** So many problems of a source are shown; the log has them all. */
const PROBLEMS_LIMIT = 20;

/** What the provider tells the view. */
export interface DomainsEvents {
  /** An image was read. */
  read(inspection: Inspection, summary: InspectionSummary): void;
  /** An image could not be read. */
  fail(inspection: Inspection, error: unknown): void;
}

/** The problems worth a line of the tree. */
export const shownProblems = ({ problems }: InspectionSummary): readonly SourceProblem[] =>
  problems.filter(({ severity }) => severity !== 'info').slice(0, PROBLEMS_LIMIT);

/** Feeds the Domains tree from the engine, page by page. */
export class DomainsProvider implements vscode.TreeDataProvider<Element>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<Element | undefined>();
  /** The element last made for an id, so that a refresh or a reveal meets the very object the view holds. */
  private readonly elements = new Map<string, Element>();
  readonly onDidChangeTreeData = this.changes.event;
  private readonly questions = new LatestOnly();
  /** Of the questions that the tree asks now. */
  private signal = this.questions.next();

  constructor(
    private readonly inspections: Inspections,
    private readonly events: DomainsEvents,
  ) {}

  async getChildren(element?: Element): Promise<Element[]> {
    if (!element) return this.inspections.all.map((each) => this.known(imageElement(each)));
    if (element.kind === 'failure') return [];
    const { signal } = this;
    try {
      return element.kind === 'image'
        ? await this.rootsOf(element, signal)
        : await this.childrenOf(element, signal);
    } catch (error) {
      // Given up on because of a change: the tree is read again.
      if (signal.aborted) return [];
      if (isCancelled(error) && element.kind === 'image') return [failureElement(notRead(error), element, 0)];
      if (element.kind === 'image') this.events.fail(element.inspection, error);
      return [failureElement(failureOf(error), element, 0)];
    }
  }

  getTreeItem(element: Element): vscode.TreeItem {
    return treeItem(element.id, word(element), contextValue(element), startsOpen(element));
  }

  getParent(element: Element): Element | undefined {
    return element.kind === 'image' ? undefined : element.parent;
  }

  async resolveTreeItem(
    item: vscode.TreeItem,
    element: Element,
    token: vscode.CancellationToken,
  ): Promise<vscode.TreeItem> {
    item.tooltip = tooltipOf([...word(element).tooltip, ...(await this.statisticsOf(element, token))]);
    return item;
  }

  /** The elements of a path that the engine gave, from the image down. */
  elementsOf(inspection: Inspection, path: readonly TreeNode[]): readonly Element[] {
    const elements: Element[] = [this.known(imageElement(inspection))];
    let parent = elements[0];
    for (const node of path) {
      if (!parent) break;
      parent = this.known(nodeElement(node, parent));
      elements.push(parent);
    }
    return elements;
  }

  /** What the tree holds and waits for is out of date; the questions end at once. */
  cancel(): void {
    this.elements.clear();
    this.signal = this.questions.next();
  }

  /** Everything may have changed; what was open stays open, since the ids stay. */
  refresh(): void {
    this.elements.clear();
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.questions.dispose();
    this.changes.dispose();
  }

  /** An image's problems, and then its IOMMUs. */
  private async rootsOf(
    element: Extract<Element, { kind: 'image' }>,
    signal: CancelSignal,
  ): Promise<Element[]> {
    const summary = await this.inspections.summary(element.inspection);
    this.events.read(element.inspection, summary);
    const problems = shownProblems(summary).map((each, index) => failureElement(each, element, index));
    return [...problems, ...(await this.childrenOf(element, signal))];
  }

  /** What a domain maps is counted only when somebody rests on it. */
  private async statisticsOf(element: Element, token: vscode.CancellationToken): Promise<Wording['tooltip']> {
    if (element.kind !== 'node' || element.node.kind !== 'domain') return [];
    const domain = domainKeyOf(element.node.domain);
    try {
      const signal = signalOf(token);
      return wordStatistics(
        await this.inspections.ask(element.inspection, 'statistics', { domain }, { signal }),
      );
    } catch (error) {
      return isCancelled(error) ? [] : [[vscode.l10n.t('Problem'), failureOf(error).message]];
    }
  }

  private async childrenOf(
    element: Exclude<Element, { kind: 'failure' }>,
    signal: CancelSignal,
  ): Promise<Element[]> {
    const of = element.kind === 'node' ? element.node : element.kind === 'rest' ? element.of : undefined;
    const inspection = this.inspections.find(element.inspection.id);
    if (!inspection) return [];
    const params = {
      ...(of && { node: of.id }),
      ...(inspection.where !== '' && { where: inspection.where }),
      page: { limit: CHILDREN_LIMIT, ...(element.kind === 'rest' && { cursor: element.cursor }) },
    };
    const page = await this.inspections.ask(inspection, 'children', params, { signal });
    const children: Element[] = page.rows.map((node) => this.known(nodeElement(node, element)));
    if (page.next !== undefined) {
      const id = `${element.id}+${page.next}`;
      children.push({ kind: 'rest', id, inspection, parent: element, of, cursor: page.next });
    }
    return children;
  }

  private known(fresh: Element): Element {
    const known = this.elements.get(fresh.id);
    if (known && known.kind !== 'image') return known;
    this.elements.set(fresh.id, fresh);
    return fresh;
  }
}

/** An image whose opening was cancelled, by its button or for its size, stays closed until it is asked for. */
const notRead = (error: unknown): Failure => ({
  code: CANCELLED,
  message: vscode.l10n.t('Not read: {0}', failureOf(error).message),
  hint: vscode.l10n.t('"IOPTE: Read Image Again" reads it.'),
});

function word(element: Element): Wording {
  switch (element.kind) {
    case 'image': {
      const { title, where, imageUri, machine, replay } = element.inspection;
      const image = machine
        ? operationsText(countOperations(machine))
        : replay
          ? vscode.l10n.t('replayed')
          : baseName(imageUri);
      const description = where === '' ? image : vscode.l10n.t('{0}, filtered', image);
      return {
        label: title,
        description,
        icon: machine ? 'vm' : replay ? 'debug-rerun' : 'file-binary',
        spoken: machine
          ? vscode.l10n.t('Emulated machine {0}, {1}', title, description)
          : replay
            ? vscode.l10n.t('Tables of the trace {0}', title)
            : vscode.l10n.t('Memory image {0} {1}', title, description),
        tooltip: [
          ...(machine
            ? machineLines(machine)
            : [
                replay
                  ? ([vscode.l10n.t('Trace'), vscode.Uri.parse(replay.trace).toString(true)] as const)
                  : ([vscode.l10n.t('Image'), imageUri.toString(true)] as const),
              ]),
          ...(where === '' ? [] : [[vscode.l10n.t('Filter'), where] as const]),
        ],
        opens: true,
      };
    }
    case 'node':
      return wordNode(element.node, wordsOf(element));
    case 'rest': {
      const label = vscode.l10n.t('More…');
      return { label, description: '', icon: 'ellipsis', spoken: label, tooltip: [], opens: true };
    }
    case 'failure':
      return wordFailure(element.failure);
  }
}

/** What was done to a machine since it was built. */
const operationsText = (count: number): string =>
  count === 1 ? vscode.l10n.t('emulated, 1 operation') : vscode.l10n.t('emulated, {0} operations', count);

/** What a machine was made from. */
const machineLines = ({ spec }: JournalMachine): Wording['tooltip'] => [
  [vscode.l10n.t('Emulated machine'), `${spec.vendor} ${spec.tables}`],
  [vscode.l10n.t('Guest memory'), spec.memory],
  [vscode.l10n.t('Devices'), spec.devices.map(({ requester }) => requester).join(', ')],
  [vscode.l10n.t('Seed'), String(spec.seed)],
];

/** An image shows its IOMMUs at once. */
const startsOpen = ({ kind }: Element): boolean => kind === 'image';

/** What the menus of package.json ask for: `domain`, `domain.machine` in an emulated machine, and `domain.replay` in tables of a trace. */
function contextValue(element: Element): string {
  const { machine, replay } = element.inspection;
  const made = machine ? 'machine' : replay ? 'replay' : undefined;
  if (element.kind === 'image') return made ?? element.kind;
  if (element.kind !== 'node') return element.kind;
  return made ? `${element.node.kind}.${made}` : element.node.kind;
}
