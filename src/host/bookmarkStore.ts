import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX, RequestError } from '../inspection/protocol';
import { ActionableError } from './errors';
import {
  bookmarkId,
  MOST_TAKEN_IN,
  mergeBookmarks,
  readBookmarks,
  savedBeside,
  storeBookmarks,
  type Bookmark,
  type ReadBookmarks,
} from './bookmarks';
import { defaultDescriptionUri } from './description';
import type { Inspection } from './inspections';
import { baseName, readText } from './source';

const KEY = 'iopte.bookmarks';
/** What was put aside because this version could not read it. */
const ASIDE_KEY = 'iopte.bookmarks.aside';
const FILE_SUFFIX = '.iopte-bookmarks.json';

/** A file of bookmarks comes with an image, from anywhere: a larger one is not read. */
const MOST_BYTES = 2 ** 20;

/** The bookmarks of the workspace. */
export class BookmarkStore implements vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChange = this.changes.event;

  constructor(private readonly state: vscode.Memento) {}

  get kept(): ReadBookmarks {
    return readBookmarks(this.state.get(KEY));
  }

  get all(): readonly Bookmark[] {
    const { kept } = this;
    return kept.kind === 'read' ? kept.bookmarks : [];
  }

  /** Adds a bookmark, or gives the one at its place the new note. */
  async put(bookmark: Bookmark): Promise<void> {
    const id = bookmarkId(bookmark);
    await this.change((all) =>
      all.some((each) => bookmarkId(each) === id)
        ? all.map((each) => (bookmarkId(each) === id ? bookmark : each))
        : [...all, bookmark],
    );
  }

  async delete(bookmark: Bookmark): Promise<void> {
    const id = bookmarkId(bookmark);
    await this.change((all) => all.filter((each) => bookmarkId(each) !== id));
  }

  /** Throws when the workspace's bookmarks cannot be changed. */
  checkWritable(): void {
    const { kept } = this;
    if (kept.kind === 'foreign') throw this.foreignState(kept.version);
  }

  /** Moves what cannot be read out of the way; it is kept. */
  async putAside(): Promise<void> {
    const aside: unknown = this.state.get(ASIDE_KEY);
    const before: readonly unknown[] = Array.isArray(aside) ? aside : [];
    await this.state.update(ASIDE_KEY, [...before, this.state.get(KEY)]);
    await this.state.update(KEY, undefined);
    this.changes.fire(undefined);
  }

  /** Writes the bookmarks of an image beside it; gives the file. One that this version cannot read is not written over. */
  async saveBeside(inspection: Inspection): Promise<vscode.Uri> {
    const uri = fileUri(inspection);
    const there = await readFile(uri);
    if (there?.kind === 'foreign') throw foreignFile(uri, there.version);
    const source = sourceOf(inspection);
    const own = this.all.filter((each) => each.source === source);
    // Where an image stands is no business of a file that moves with it.
    const saved = savedBeside(there?.bookmarks ?? [], baseName(vscode.Uri.parse(source)), own);
    const text = `${JSON.stringify(storeBookmarks(saved, there?.damaged), undefined, 2)}\n`;
    await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
    return uri;
  }

  /** Takes in what the file beside an image has. Throws when there is one that cannot be read. */
  async readBeside(inspection: Inspection): Promise<void> {
    const uri = fileUri(inspection);
    const there = await readFile(uri);
    if (!there) return;
    if (there.kind === 'foreign') throw foreignFile(uri, there.version);
    const source = sourceOf(inspection);
    const name = baseName(vscode.Uri.parse(source));
    // An image may have several descriptions, and they share the file.
    const own = there.bookmarks.filter((each) => each.source === name).map((each) => ({ ...each, source }));
    if (own.length === 0) return;
    let leftOut = 0;
    await this.change((all) => {
      const merged = mergeBookmarks(all, own);
      leftOut = merged.leftOut;
      return merged.bookmarks;
    });
    if (leftOut > 0) {
      throw new RequestError({
        code: 'host/bookmarks-left-out',
        message: vscode.l10n.t(
          '{0} bookmarks of {1} are left out: they are too many or too long.',
          leftOut,
          baseName(uri),
        ),
        hint: vscode.l10n.t('Of a file {0} are taken in at most.', MOST_TAKEN_IN),
      });
    }
  }

  /** Whether the file beside an image has a bookmark, which then comes back when the image is opened. */
  async isBeside(inspection: Inspection, { source, node }: Bookmark): Promise<boolean> {
    const there = await readFile(fileUri(inspection));
    const name = baseName(vscode.Uri.parse(source));
    return (
      there?.kind === 'read' && there.bookmarks.some((each) => each.source === name && each.node === node)
    );
  }

  dispose(): void {
    this.changes.dispose();
  }

  private async change(to: (all: readonly Bookmark[]) => readonly Bookmark[]): Promise<void> {
    const { kept } = this;
    if (kept.kind === 'foreign') throw this.foreignState(kept.version);
    await this.state.update(KEY, storeBookmarks(to(kept.bookmarks), kept.damaged));
    this.changes.fire(undefined);
  }

  private foreignState(version: number | undefined): ActionableError {
    const failure = {
      code: 'host/bookmarks-version',
      message: foreignText(version),
      hint: vscode.l10n.t('Update the extension, or put them aside to begin anew.'),
    };
    const run = (): unknown => this.putAside();
    return new ActionableError(failure, [{ label: vscode.l10n.t('Put Aside'), run }]);
  }
}

export const foreignText = (version: number | undefined): string =>
  version === undefined
    ? vscode.l10n.t(
        'The bookmarks of this workspace are in a form that this version cannot read. They are kept.',
      )
    : vscode.l10n.t(
        'The bookmarks of this workspace are of version {0}, which this version cannot read. They are kept.',
        version,
      );

export const damagedText = (count: number): string =>
  count === 1
    ? vscode.l10n.t('1 bookmark cannot be read by this version. It is kept.')
    : vscode.l10n.t('{0} bookmarks cannot be read by this version. They are kept.', count);

/** What was opened, and is opened again. */
export const sourceOf = ({ descriptionUri, imageUri }: Inspection): string =>
  (descriptionUri ?? imageUri).toString();

/** `guest.elf.gz` -> `guest.iopte-bookmarks.json`, beside it. */
const fileUri = ({ imageUri }: Pick<Inspection, 'imageUri'>): vscode.Uri => {
  const description = defaultDescriptionUri(imageUri);
  return description.with({ path: description.path.slice(0, -DESCRIPTION_SUFFIX.length) + FILE_SUFFIX });
};

function foreignFile(uri: vscode.Uri, version: number | undefined): RequestError {
  return new RequestError({
    code: 'host/bookmarks-file',
    message:
      version === undefined
        ? vscode.l10n.t('{0} is no file of bookmarks that this version can read.', baseName(uri))
        : vscode.l10n.t(
            '{0} has bookmarks of version {1}, which this version cannot read.',
            baseName(uri),
            version,
          ),
    hint: vscode.l10n.t('It was left as it is. Update the extension, or move the file away.'),
  });
}

/** Undefined when there is no such file. */
async function readFile(uri: vscode.Uri): Promise<ReadBookmarks | undefined> {
  const { size } = await vscode.workspace.fs.stat(uri).then(undefined, () => ({ size: 0 }));
  if (size > MOST_BYTES) {
    throw new RequestError({
      code: 'host/bookmarks-file',
      message: vscode.l10n.t('{0} is too large for a file of bookmarks.', baseName(uri)),
      hint: vscode.l10n.t('It was left as it is. At most 1 MiB is read: move the file away.'),
    });
  }
  const text = await readText(uri);
  if (!text.ok) return undefined;
  try {
    const stored: unknown = JSON.parse(text.value);
    return stored === null ? { kind: 'foreign', version: undefined } : readBookmarks(stored);
  } catch {
    return { kind: 'foreign', version: undefined };
  }
}
