import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { TraceAction } from '../../../webview/messages/traceMessages';
import { readPlace } from '../../../webview/messages/tracePlace';
import type { Command } from '../../app';
import { givenText, givenValues } from '../targets';
import { targetPanel } from './target';

/** A command that the page carries out: it has the grid, its boxes and its cursor. */
const act = (id: string, action: TraceAction): Command => ({
  id,
  run(app, arg) {
    targetPanel(app, arg).act(action);
  },
});

export const findInTrace = act('iopte.findInTrace', 'search');
export const findNextInTrace = act('iopte.findNextInTrace', 'findNext');
export const findPreviousInTrace = act('iopte.findPreviousInTrace', 'findPrevious');
export const groupTrace = act('iopte.groupTrace', 'group');
export const focusTraceRows = act('iopte.focusTraceRows', 'rows');
export const goToNextTraceBookmark = act('iopte.goToNextTraceBookmark', 'nextBookmark');
export const goToPreviousTraceBookmark = act('iopte.goToPreviousTraceBookmark', 'previousBookmark');

/** Goes to the filter's box; with `{where}` it filters at once. */
export const filterTrace: Command = {
  id: 'iopte.filterTrace',
  run(app, arg) {
    const panel = targetPanel(app, arg);
    const where = givenText(givenValues(arg), 'where');
    if (where === undefined) panel.act('filter');
    else panel.useFilter(where);
  },
};

/** Asks for a place in the page; with `{place}`, written as it is there (`1234`, `0xfffe0000`, `90.125`, `+30ms`), it goes there at once. */
export const goToTracePlace: Command = {
  id: 'iopte.goToTracePlace',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const text = givenText(givenValues(arg), 'place');
    if (text === undefined) {
      panel.act('goTo');
      return;
    }
    const place = readPlace(text, await panel.document.open());
    const after = panel.selection?.row;
    const known =
      place && 'iova' in place ? { iova: place.iova, ...(after !== undefined && { after }) } : place;
    const at = known && (await panel.document.ask('traceSeek', { view: '', place: known }));
    if (!at) {
      throw new RequestError({
        code: 'host/no-place',
        message: vscode.l10n.t('No row of {0} is at {1}.', panel.document.name, text),
        hint: vscode.l10n.t('Write a row (1200), a time (81.492, +2ms) or an IOVA (0xffef4000).'),
      });
    }
    panel.goTo(at.row, true);
  },
};

export const stopReadingTrace: Command = {
  id: 'iopte.stopReadingTrace',
  run(app, arg) {
    targetPanel(app, arg).document.stopReading();
  },
};

export const readTraceOn: Command = {
  id: 'iopte.readTraceOn',
  run(app, arg) {
    targetPanel(app, arg).document.readOn();
  },
};

/** Copies the rows that are selected in the grid. */
export const copyTraceRows = act('iopte.copyTraceRows', 'copy');
