import * as vscode from 'vscode';
import type { EntryRef, Page, PageRequest } from '../../inspection/protocol';
import { failureOf, isCancelled } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import { tooltipOf, treeItem } from './items';
import { wordFailure, type Wording } from './wording';

const PAGE_LIMIT = 500;

/** A row of a list that the engine gives in pages, or what opens below it. */
export interface PagedElement {
  readonly kind: 'paged';
  readonly id: string;
  readonly view: string;
  readonly inspection: Inspection;
  readonly wording: Wording;
  /** For menus. */
  readonly contextValue: string;
  /** What the Entry view shows for it. */
  readonly entry?: EntryRef;
  /** Where Domains shows it. */
  readonly reveal?: { readonly entry: EntryRef };
  readonly parent?: PagedElement;
  readonly children?: readonly PagedElement[];
  /** The rest of the list, read when it is opened. */
  readonly cursor?: string;
}

/** A value that came with a command: a row of such a view, or not. */
export const isPagedElement = (value: unknown): value is PagedElement =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'paged';

/** One list of the current inspection. */
export interface PagedList {
  /** `iopte.iotlb` */
  readonly id: string;
  /** Whether an inspection has such a list; others show the view's welcome. */
  applies(inspection: Inspection): boolean;
  /** Rows of a page; `message`: what the rows do not tell, for the whole list. */
  read(
    inspection: Inspection,
    page: PageRequest,
  ): Promise<Page<Omit<PagedElement, 'kind' | 'view' | 'inspection'>> & { readonly message?: string }>;
  /** Beside the view's name. */
  describe(total: number | undefined): string;
}

class PagedProvider implements vscode.TreeDataProvider<PagedElement> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;

  constructor(
    private readonly list: PagedList,
    private readonly inspections: Inspections,
    private readonly told: (description: string, message: string) => void,
  ) {}

  async getChildren(element?: PagedElement): Promise<PagedElement[]> {
    if (element?.children) return [...element.children];
    if (element && element.cursor === undefined) return [];
    const inspection = element?.inspection ?? this.inspections.current;
    if (!inspection || !this.list.applies(inspection)) {
      this.told(
        '',
        inspection ? vscode.l10n.t('Only emulated machines have this. Select one in Domains.') : '',
      );
      return [];
    }
    try {
      return await this.read(inspection, element);
    } catch (error) {
      if (isCancelled(error)) return [];
      const wording = wordFailure(failureOf(error));
      const id = `${element?.id ?? ''}!`;
      return [{ kind: 'paged', id, view: this.list.id, inspection, wording, contextValue: 'failure' }];
    }
  }

  getTreeItem(element: PagedElement): vscode.TreeItem {
    const item = treeItem(element.id, element.wording, element.contextValue);
    if (element.reveal) {
      const title = vscode.l10n.t('Reveal in Domains');
      item.command = { command: 'iopte.revealRow', title, arguments: [element] };
    }
    return item;
  }

  getParent(element: PagedElement): PagedElement | undefined {
    return element.parent;
  }

  resolveTreeItem(item: vscode.TreeItem, element: PagedElement): vscode.TreeItem {
    item.tooltip = tooltipOf(element.wording.tooltip);
    return item;
  }

  refresh(): void {
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.changes.dispose();
  }

  private async read(inspection: Inspection, parent: PagedElement | undefined): Promise<PagedElement[]> {
    const { cursor } = parent ?? {};
    const page = await this.list.read(inspection, {
      limit: PAGE_LIMIT,
      ...(cursor !== undefined && { cursor }),
    });
    const about = { kind: 'paged', view: this.list.id, inspection, ...(parent && { parent }) } as const;
    const rows = page.rows.map((row): PagedElement => ({ ...about, ...row }));
    if (!parent) this.told(this.list.describe(page.total), page.message ?? '');
    if (page.next === undefined) return rows;
    const wording: Wording = {
      label: vscode.l10n.t('More…'),
      description: '',
      icon: 'ellipsis',
      spoken: vscode.l10n.t('More…'),
      tooltip: [],
      opens: true,
    };
    return [...rows, { ...about, id: `+${page.next}`, wording, contextValue: 'more', cursor: page.next }];
  }
}

/** A view of one list of the current inspection, read again whenever an operation changed the machine. */
export class PagedView implements vscode.Disposable {
  readonly provider: PagedProvider;
  private readonly view: vscode.TreeView<PagedElement>;
  private readonly disposables: { dispose(): unknown }[];

  /** `iopte.iotlb` */
  readonly id: string;

  constructor(
    list: PagedList,
    inspections: Inspections,
    select: (inspection: Inspection, entry: EntryRef) => void,
  ) {
    this.id = list.id;
    this.provider = new PagedProvider(list, inspections, (description, message) => {
      this.view.description = description;
      // An empty string would still take a line.
      Object.assign(this.view, { message: message === '' ? undefined : message });
    });
    this.view = vscode.window.createTreeView(list.id, { treeDataProvider: this.provider });
    this.disposables = [
      this.provider,
      this.view,
      inspections.onDidChange(({ change }) => {
        if (change !== 'filter' && change !== 'walk') this.provider.refresh();
      }),
      this.view.onDidChangeSelection(({ selection: [element] }) => {
        if (element?.entry) select(element.inspection, element.entry);
      }),
    ];
  }

  get selected(): PagedElement | undefined {
    return this.view.selection[0];
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }
}
