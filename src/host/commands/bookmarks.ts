import * as vscode from 'vscode';
import { domainKeyOf, hex, RequestError, type TreeNode } from '../../inspection/protocol';
import type { App, Command } from '../app';
import { bookmarkId, domainOfStored, isBookmarkKind, storeDomain, type Bookmark } from '../bookmarks';
import { sourceOf } from '../bookmarkStore';
import { ActionableError } from '../errors';
import { MACHINE_SCHEME, REPLAY_SCHEME, type Inspection } from '../inspections';
import { mayWriteBeside } from '../prompts/description';
import { baseName } from '../source';
import { markedRow } from '../traces/traceBookmarks';
import { bookmarkText, isBookmarkElement } from '../views/bookmarksView';
import { domainOf, isElement, wordsOf, type NodeElement } from '../views/elements';
import { wordNode } from '../views/wording';
import { revealPlace } from './answers';
import { noFile } from './images';
import { openUri } from './openMemoryImage';
import { givenText, givenValues, targetInspection } from './targets';

/** Keeps the row of Domains that is given or selected, with a note that is asked for. Takes a row, then `{note}`. */
export const addBookmark: Command = {
  id: 'iopte.addBookmark',
  async run(app, ...args) {
    const element = args.find(isElement) ?? app.domains.selected;
    if (element?.kind !== 'node' || !isBookmarkKind(element.node.kind)) {
      const failure = {
        code: 'host/no-selection',
        message: vscode.l10n.t('Nothing that can be marked is selected in Domains.'),
        hint: vscode.l10n.t('Select a device, a domain, a table or an IOPTE there first.'),
      };
      const run = (): unknown => vscode.commands.executeCommand('iopte.domains.focus');
      throw new ActionableError(failure, [{ label: vscode.l10n.t('Show Domains'), run }]);
    }
    // Before the note is asked for: what was typed would be lost.
    app.bookmarks.checkWritable();
    const made = bookmarkOf(element);
    const known = app.bookmarks.all.find((each) => bookmarkId(each) === bookmarkId(made));
    const note = givenNote(args) ?? (await askNote(made.label, known?.note ?? ''));
    if (note !== undefined) await app.bookmarks.put({ ...made, note });
  },
};

const givenNote = (args: readonly unknown[]): string | undefined =>
  args
    .filter((arg) => !Array.isArray(arg))
    .map((arg) => givenText(givenValues(arg), 'note'))
    .find((note) => note !== undefined);

const askNote = (label: string, value: string): Thenable<string | undefined> =>
  vscode.window.showInputBox({
    title: vscode.l10n.t('Bookmark {0}', label),
    prompt: vscode.l10n.t('Note, or nothing'),
    value,
    ignoreFocusOut: true,
  });

function bookmarkOf(element: NodeElement): Bookmark {
  const { node, inspection } = element;
  const { label, description } = wordNode(node, wordsOf(element));
  const domain = domainOf(element);
  const iova = iovaOf(node);
  return {
    source: sourceOf(inspection),
    imageTitle: inspection.title,
    node: node.id,
    // Checked by the caller: range and message nodes are none.
    kind: isBookmarkKind(node.kind) ? node.kind : 'entry',
    label,
    description,
    note: '',
    ...(domain && { domain: storeDomain(domainKeyOf(domain)) }),
    ...(iova !== undefined && { iova: hex(iova) }),
  };
}

function iovaOf(node: TreeNode): bigint | undefined {
  if (node.kind === 'run') return node.run.iova;
  return node.kind === 'entry' || node.kind === 'table' ? node.range.start : undefined;
}

/** Shows a bookmark's place, and opens its image first where it is not open. */
export const revealBookmark: Command = {
  id: 'iopte.revealBookmark',
  async run(app, arg) {
    const bookmark = chosen(app, arg);
    const row = markedRow(bookmark);
    if (row !== undefined) {
      await app.traces.editors.show(vscode.Uri.parse(bookmark.source, true), row, isBookmarkElement(arg));
      return;
    }
    const inspection = await openedOf(app, bookmark);
    const where = app.inspections.find(inspection.id)?.where ?? '';
    const path = await app.inspections.ask(inspection, 'path', {
      node: bookmark.node,
      ...(where !== '' && { where }),
    });
    if (path.at(-1)?.id === bookmark.node) {
      await app.domains.reveal(inspection, path, { focus: !isBookmarkElement(arg) });
      return;
    }
    // Tables of another size, or a filter: what is there now at its address.
    const { domain, iova } = bookmark;
    if (domain && iova !== undefined) {
      const place = { kind: 'iova', domain: domainOfStored(domain), iova: BigInt(iova) } as const;
      await revealPlace(app, inspection, place, isBookmarkElement(arg));
      return;
    }
    await app.domains.reveal(inspection, path, { focus: !isBookmarkElement(arg) });
    void vscode.window.showInformationMessage(
      vscode.l10n.t('{0} is not in Domains any more; what is nearest is shown.', bookmark.label),
    );
  },
};

async function openedOf(app: App, { source, imageTitle }: Bookmark): Promise<Inspection> {
  const find = (): Inspection | undefined => app.inspections.all.find((each) => sourceOf(each) === source);
  const open = find();
  if (open) return open;
  const { scheme } = vscode.Uri.parse(source);
  if (scheme === REPLAY_SCHEME) {
    throw new RequestError({
      code: 'host/no-replay',
      message: vscode.l10n.t('The tables of {0} were closed.', imageTitle),
      hint: vscode.l10n.t('Open the trace, and build them again with "IOPTE: Replay to Here".'),
    });
  }
  if (scheme === MACHINE_SCHEME) {
    throw new RequestError({
      code: 'host/no-machine',
      message: vscode.l10n.t('The emulated machine {0} was closed.', imageTitle),
      hint: vscode.l10n.t('Its bookmarks lead to the next machine of that name.'),
    });
  }
  await openUri(app, vscode.Uri.parse(source));
  const now = find();
  if (now) return now;
  throw new RequestError({
    code: 'host/no-image',
    message: vscode.l10n.t('{0} is not open.', imageTitle),
    hint: vscode.l10n.t('Open it first.'),
  });
}

/** Changes the note. Takes a row, then `{note}`. */
export const editBookmark: Command = {
  id: 'iopte.editBookmark',
  async run(app, ...args) {
    const bookmark = chosen(app, args[0]);
    app.bookmarks.checkWritable();
    const note = givenNote(args.slice(1)) ?? (await askNote(bookmark.label, bookmark.note));
    if (note !== undefined) await app.bookmarks.put({ ...bookmark, note });
  },
};

export const deleteBookmark: Command = {
  id: 'iopte.deleteBookmark',
  async run(app, arg) {
    const bookmark = chosen(app, arg);
    await app.bookmarks.delete(bookmark);
    const undo = vscode.l10n.t('Undo');
    const deleted = vscode.l10n.t('Bookmark {0} is deleted.', bookmark.label);
    const inspection = app.inspections.all.find((each) => sourceOf(each) === bookmark.source);
    // A file that cannot be read brings nothing back.
    const isBeside = inspection && (await app.bookmarks.isBeside(inspection, bookmark).catch(() => false));
    const again = vscode.l10n.t('The file beside the image still has it: save the bookmarks again.');
    void vscode.window
      .showInformationMessage(isBeside ? `${deleted} ${again}` : deleted, undo)
      .then(async (choice) => {
        if (choice === undo) await app.bookmarks.put(bookmark);
      });
  },
};

export const copyBookmark: Command = {
  id: 'iopte.copyBookmark',
  run: (app, arg) => vscode.env.clipboard.writeText(bookmarkText(chosen(app, arg))),
};

/** Writes the bookmarks of an image to a file beside it, which is read when the image is opened. */
export const saveBookmarks: Command = {
  id: 'iopte.saveBookmarks',
  async run(app, arg) {
    const row = isBookmarkElement(arg) ? arg.bookmark : undefined;
    const inspection = row ? await openedOf(app, row) : targetInspection(app, arg);
    if (inspection.machine ?? inspection.replay) throw noFile(inspection);
    if (!mayWriteBeside(app.context.extensionUri, inspection.imageUri)) {
      throw new RequestError({
        code: 'host/sample-folder',
        message: vscode.l10n.t(
          'Nothing is written beside the samples: updating the extension would lose it.',
        ),
        hint: vscode.l10n.t(
          'Bookmarks are kept in the workspace. Copy the image elsewhere to keep them with it.',
        ),
      });
    }
    const file = await app.bookmarks.saveBeside(inspection);
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Bookmarks of {0} are in {1}.', inspection.title, baseName(file)),
    );
  },
};

function chosen(app: App, arg: unknown): Bookmark {
  const element = isBookmarkElement(arg) ? arg : app.bookmarksView.selected;
  if (element) return element.bookmark;
  throw new RequestError({
    code: 'host/no-bookmark',
    message: vscode.l10n.t('No bookmark is selected.'),
    hint: vscode.l10n.t('Select one in Bookmarks, or add one with "IOPTE: Add Bookmark".'),
  });
}
