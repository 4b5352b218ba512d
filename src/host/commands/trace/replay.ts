import * as vscode from 'vscode';
import { RequestError, type TraceReplay } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { REPLAY_SCHEME, type Inspection, type InspectionSource } from '../../inspections';
import { requestOptions, withProgress } from '../../progress';
import { askText } from '../../prompts/text';
import type { TraceDocument } from '../../traces/traceDocument';
import { isElement } from '../../views/elements';
import { givenText, givenValues, targetInspection } from '../targets';
import { notRead } from './bookmarks';
import { targetPanel, targetRow } from './target';
import { tellWithoutDevices } from './withoutDevices';

/** Builds the tables as they stood after a row, in Domains. Takes `{trace, row, vendor}`; rows count from 0 here. */
export const replayTrace: Command = {
  id: 'iopte.replayTrace',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const { document } = panel;
    const row = targetRow(panel, arg) ?? (await askRow(document));
    if (row === undefined) return;
    await tellWithoutDevices(app, document);
    const vendor = givenText(givenValues(arg), 'vendor');
    const replay = {
      trace: document.id,
      row,
      spaces: document.spaces,
      ...(vendor !== undefined && { vendor }),
    };
    const inspection = await showReplay(app, document, replay);
    // A tree that nobody sees comes forward; the grid keeps the keyboard.
    await app.domains.reveal(inspection, [], { focus: false });
    app.traceSync.follow(document, row);
  },
};

/** The tables of a trace that are shown. */
export const replayOf = (app: App, { id }: Pick<TraceDocument, 'id'>): Inspection | undefined =>
  app.inspections.all.find(({ replay }) => replay?.trace === id);

/** Builds tables, in the place of those that the trace had before. */
export async function showReplay(
  app: App,
  document: TraceDocument,
  replay: TraceReplay,
): Promise<Inspection> {
  const title = vscode.l10n.t('{0} @ row {1}', document.name, replay.row + 1);
  const before = replayOf(app, document);
  const source: InspectionSource = {
    ...{ title, replay, description: '', descriptionUri: undefined },
    imageUri: vscode.Uri.from({ scheme: REPLAY_SCHEME, path: document.uri.path, query: document.id }),
  };
  return withProgress(vscode.l10n.t('Replaying {0}', title), async (task) => {
    const options = requestOptions(task);
    if (before) return app.inspections.replayAt(before, source, options);
    const { inspection, summary } = await app.inspections.add(source, options);
    for (const each of summary.problems) app.log.warn(`${title}: ${each.code}: ${each.message}`);
    return inspection;
  });
}

async function askRow(document: TraceDocument): Promise<number | undefined> {
  const { rows } = await document.open();
  const wrong = vscode.l10n.t('A row from 1 to {0}.', rows);
  const answer = await askText(
    {
      prompt: vscode.l10n.t('The last row that is taken'),
      placeholder: String(rows),
      check: (text) =>
        /^\d{1,15}$/.test(text) && Number(text) >= 1 && Number(text) <= rows ? undefined : wrong,
    },
    { title: vscode.l10n.t('Replay {0}', document.name), step: 1, of: 1 },
  );
  return answer.kind === 'value' ? Number(answer.value) - 1 : undefined;
}

/** Shows in the trace's editor the row that a run of replayed tables was mapped by; of the tables themselves, their last row. */
export const revealTraceRow: Command = {
  id: 'iopte.revealTraceRow',
  async run(app, arg) {
    const inspection = isElement(arg) || arg !== undefined ? targetInspection(app, arg) : replayed(app);
    const { replay } = inspection;
    if (!replay) throw noReplay();
    const element = isElement(arg) ? arg : app.domains.selected;
    const panel = await app.traces.editors.show(vscode.Uri.parse(replay.trace, true));
    const row = element?.inspection.id === inspection.id ? await app.traceSync.rowOf(element) : undefined;
    const shown = row ?? replay.row;
    if (!(await panel.document.readTo(shown))) throw notRead(shown);
    panel.goTo(shown, true);
  },
};

function replayed(app: App): Inspection {
  const { current, all } = app.inspections;
  const found = current?.replay ? current : all.find(({ replay }) => replay);
  if (found) return found;
  throw noReplay();
}

const noReplay = (): RequestError =>
  new RequestError({
    code: 'host/no-replay',
    message: vscode.l10n.t('No tables of a trace are shown.'),
    hint: vscode.l10n.t('Open a trace, select a row, and build them with "IOPTE: Replay to Here".'),
  });
