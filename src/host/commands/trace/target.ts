import * as vscode from 'vscode';
import { parseInteger, RequestError } from '../../../inspection/protocol';
import type { App } from '../../app';
import { ActionableError } from '../../errors';
import type { TraceDocument } from '../../traces/traceDocument';
import type { TracePanel } from '../../traces/tracePanel';
import { givenText, givenValues } from '../targets';

/** The editor that a command is about: of the trace it was given, else the one that was active last. */
export function targetPanel(app: App, arg: unknown): TracePanel {
  const trace = givenText(givenValues(arg), 'trace');
  const { editors } = app.traces;
  const found = trace === undefined ? editors.current : editors.panelsOf(trace)[0];
  if (found) return found;
  const run = (): unknown => vscode.commands.executeCommand('iopte.openTrace');
  throw new ActionableError(
    {
      code: 'host/no-trace',
      message: vscode.l10n.t('No trace is open.'),
      hint: vscode.l10n.t('Open one with "IOPTE: Open Trace" or "IOPTE: Open Sample".'),
    },
    [{ label: vscode.l10n.t('Open Trace'), run }],
  );
}

export const targetTrace = (app: App, arg: unknown): TraceDocument => targetPanel(app, arg).document;

/** The row, from 0, that a command is about: the one it was given, by a program or by the menu of a row, else the one under the cursor. */
export function targetRow(panel: TracePanel, arg: unknown): number | undefined {
  const values = givenValues(arg);
  const given = values['row'] ?? values['traceRow'];
  return typeof given === 'number' && Number.isSafeInteger(given) && given >= 0
    ? given
    : panel.selection?.row;
}

/** The IOVA that a command was given, by a program or by the menu of a row. */
export function givenIova(arg: unknown): bigint | undefined {
  const values = givenValues(arg);
  return parseInteger(givenText(values, 'iova') ?? givenText(values, 'traceIova') ?? '');
}

/** Nothing is selected, and nothing was given. */
export const noRow = (): RequestError =>
  new RequestError({
    code: 'host/no-row',
    message: vscode.l10n.t('No row of the trace is selected.'),
    hint: vscode.l10n.t('Select one in the grid first.'),
  });
