import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { bookmarkId } from '../../bookmarks';
import { markedRow, rowBookmark } from '../../traces/traceBookmarks';
import { givenText, givenValues } from '../targets';
import { noRow, targetPanel, targetRow } from './target';

/** Sets a bookmark at a row, or takes it away. Takes `{trace, row, note}`; rows count from 0 here. */
export const toggleTraceBookmark: Command = {
  id: 'iopte.toggleTraceBookmark',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const number = targetRow(panel, arg);
    if (number === undefined) throw noRow();
    const row = await panel.document.row(number);
    if (!row) throw notRead(number);
    const bookmark = rowBookmark(panel.document, row);
    const known = app.bookmarks.all.find((each) => bookmarkId(each) === bookmarkId(bookmark));
    if (known) await app.bookmarks.delete(known);
    else await app.bookmarks.put({ ...bookmark, note: givenText(givenValues(arg), 'note') ?? '' });
  },
};

/** Offers the bookmarks of a trace, to go to one or to remove it. */
export const listTraceBookmarks: Command = {
  id: 'iopte.listTraceBookmarks',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const { document } = panel;
    const remove = { iconPath: new vscode.ThemeIcon('trash'), tooltip: vscode.l10n.t('Remove Bookmark') };
    const items = (): (vscode.QuickPickItem & { readonly row: number; readonly id: string })[] =>
      app.bookmarks.all
        .filter(({ source }) => source === document.id)
        .flatMap((bookmark) => {
          const row = markedRow(bookmark);
          const { label, description, note } = bookmark;
          const item = { label, description, detail: note, buttons: [remove], id: bookmarkId(bookmark) };
          return row === undefined ? [] : [{ ...item, row }];
        })
        .sort((one, other) => one.row - other.row);
    const input = vscode.window.createQuickPick<ReturnType<typeof items>[number]>();
    input.title = vscode.l10n.t('Bookmarks of {0}', document.name);
    input.placeholder = vscode.l10n.t('A bookmark to go to');
    input.matchOnDescription = true;
    input.matchOnDetail = true;
    input.items = items();
    const chosen = await new Promise<number | undefined>((resolve, reject) => {
      input.onDidTriggerItemButton(({ item }) => {
        const bookmark = app.bookmarks.all.find((each) => bookmarkId(each) === item.id);
        if (!bookmark) return;
        app.bookmarks.delete(bookmark).then(() => {
          input.items = items();
        }, reject);
      });
      input.onDidAccept(() => {
        resolve(input.selectedItems[0]?.row);
        input.hide();
      });
      input.onDidHide(() => {
        resolve(undefined);
        input.dispose();
      });
      input.show();
    });
    if (chosen !== undefined) panel.goTo(chosen, true);
  },
};

export const notRead = (row: number): RequestError =>
  new RequestError({
    code: 'host/row-not-read',
    message: vscode.l10n.t('Row {0} of the trace was not read.', row + 1),
    hint: vscode.l10n.t('Wait until the trace is read that far, or read it on with "IOPTE: Read Trace On".'),
  });
