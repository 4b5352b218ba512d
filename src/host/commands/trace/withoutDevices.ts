import * as vscode from 'vscode';
import { type Failure } from '../../../inspection/protocol';
import type { App } from '../../app';
import type { TraceDocument } from '../../traces/traceDocument';

/** Says once of a trace that it names no devices, when something depends on them. */
export async function tellWithoutDevices(app: App, document: TraceDocument): Promise<void> {
  const { namesDevices, complete } = await document.open();
  if (namesDevices || !complete || document.spaces.by !== 'auto') return;
  if (!(await app.traces.memory.firstTold(document.id))) return;
  const failure: Failure = {
    code: 'trace/no-devices',
    message: vscode.l10n.t('{0} does not name devices.', document.name),
    hint: vscode.l10n.t(
      'One IOVA may be mapped in several address spaces at once; they are told apart as far as mappings do not overlap. Split the trace by rules of your own where you know more.',
    ),
  };
  const run = (): unknown =>
    vscode.commands.executeCommand('iopte.splitTraceBySpaces', { trace: document.id });
  app.reporter.warn(failure, [{ label: vscode.l10n.t('Split…'), run }]);
}
