import * as vscode from 'vscode';
import { bookmarkId, type Bookmark, type BookmarkKind } from '../bookmarks';
import { damagedText, foreignText, type BookmarkStore } from '../bookmarkStore';
import { tooltipOf, treeItem } from './items';
import type { Wording } from './wording';

/** A row of Bookmarks. */
export interface BookmarkElement {
  readonly kind: 'bookmark';
  readonly bookmark: Bookmark;
}

/** A value that came with a command: a row of Bookmarks, or not. */
export const isBookmarkElement = (value: unknown): value is BookmarkElement =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'bookmark';

const ICONS: Readonly<Record<BookmarkKind, string>> = {
  iommu: 'circuit-board',
  device: 'plug',
  domain: 'symbol-namespace',
  table: 'table',
  run: 'symbol-field',
  entry: 'warning',
  row: 'list-selection',
};

class BookmarksProvider implements vscode.TreeDataProvider<BookmarkElement> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly store: BookmarkStore) {}

  getChildren(element?: BookmarkElement): BookmarkElement[] {
    return element ? [] : this.store.all.map((bookmark) => ({ kind: 'bookmark', bookmark }));
  }

  getTreeItem(element: BookmarkElement): vscode.TreeItem {
    const { bookmark } = element;
    const item = treeItem(bookmarkId(bookmark), word(bookmark), 'bookmark');
    const title =
      bookmark.kind === 'row' ? vscode.l10n.t('Show in Trace') : vscode.l10n.t('Reveal in Domains');
    item.command = { command: 'iopte.revealBookmark', title, arguments: [element] };
    return item;
  }

  resolveTreeItem(item: vscode.TreeItem, { bookmark }: BookmarkElement): vscode.TreeItem {
    item.tooltip = tooltipOf(word(bookmark).tooltip);
    return item;
  }

  refresh(): void {
    this.changes.fire(undefined);
  }

  dispose(): void {
    this.changes.dispose();
  }
}

/** The Bookmarks view: places in the tables and rows of traces with notes, kept in the workspace. */
export class BookmarksView implements vscode.Disposable {
  readonly provider: BookmarksProvider;
  private readonly view: vscode.TreeView<BookmarkElement>;
  private readonly disposables: { dispose(): unknown }[];

  constructor(private readonly store: BookmarkStore) {
    this.provider = new BookmarksProvider(store);
    this.view = vscode.window.createTreeView('iopte.bookmarks', { treeDataProvider: this.provider });
    this.disposables = [
      this.provider,
      this.view,
      store.onDidChange(() => {
        this.describe();
        this.provider.refresh();
      }),
    ];
    this.describe();
  }

  get selected(): BookmarkElement | undefined {
    return this.view.selection[0];
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }

  private describe(): void {
    const { kept } = this.store;
    const damaged = kept.kind === 'read' ? kept.damaged.length : 0;
    const unread = damaged > 0 ? damagedText(damaged) : undefined;
    // An empty string would still take a line.
    Object.assign(this.view, { message: kept.kind === 'foreign' ? foreignText(kept.version) : unread });
    const has = kept.kind === 'read' && kept.bookmarks.length > 0;
    void vscode.commands.executeCommand('setContext', 'iopte:hasBookmarks', has);
  }
}

function word({ label, description, note, imageTitle, kind }: Bookmark): Wording {
  const shown = note === '' ? description : note;
  return {
    label,
    description: `${shown} — ${imageTitle}`,
    icon: ICONS[kind],
    spoken: vscode.l10n.t('Bookmark {0} in {1}: {2}', label, imageTitle, shown),
    tooltip: [
      [kind === 'row' ? vscode.l10n.t('Trace') : vscode.l10n.t('Image'), imageTitle],
      [vscode.l10n.t('Row'), `${label} ${description}`],
      ...(note === '' ? [] : [[vscode.l10n.t('Note'), note] as const]),
    ],
    opens: false,
  };
}

/** A bookmark as text. */
export const bookmarkText = ({ label, description, note, imageTitle }: Bookmark): string =>
  [imageTitle, `${label} ${description}`.trim(), note].filter((part) => part !== '').join('\t');
