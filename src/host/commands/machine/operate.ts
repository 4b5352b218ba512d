import * as vscode from 'vscode';
import type { MachineOperation, OperationReport } from '../../../inspection/protocol';
import type { App } from '../../app';
import type { Inspection } from '../../inspections';
import { requestOptions, withProgressIfLong } from '../../progress';
import { newFindings } from './findings';

/** What an operation did, and what the ledger found wrong in it. */
export interface Outcome extends OperationReport {
  readonly inspection: Inspection;
  /** `lost-dirty, stale-use × 2`; empty for nothing. */
  readonly found: string;
}

/** Does an operation, and shows that it goes on when it takes long. */
export async function operate(
  app: App,
  inspection: Inspection,
  title: string,
  operation: MachineOperation,
): Promise<Outcome> {
  const { findings: before } = await app.inspections.ask(inspection, 'machine', {});
  const report = await withProgressIfLong(title, (task) =>
    app.inspections.operate(inspection, operation, requestOptions(task)),
  );
  const { findings: after } = await app.inspections.ask(inspection, 'machine', {});
  const found = newFindings(before, after);
  const { summary, errno } = report;
  const text = `${inspection.title}: ${errno === undefined ? summary : `${errno}: ${summary}`}`;
  if (errno !== undefined || found !== '') app.log.warn(found === '' ? text : `${text} Ledger: ${found}.`);
  else app.log.info(text);
  return { ...report, inspection, found };
}

/** What a message offers to do. */
interface Action {
  readonly title: string;
  readonly run: () => unknown;
}

/**
 * Says what an operation did: a refusal with its errno, and what the ledger found, as a warning. Does not wait for the message
 * to be read.
 */
export function tell(app: App, { inspection, summary, errno, refused = [], found }: Outcome): void {
  const isWarning = errno !== undefined || found !== '';
  const show = isWarning ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const done = errno === undefined ? summary : `${errno}: ${summary}`;
  const text = found === '' ? done : vscode.l10n.t('{0} The ledger found: {1}.', done, found);
  // The views show what is current.
  const focus = (view: string) => (): unknown => {
    app.inspections.makeCurrent(inspection);
    return vscode.commands.executeCommand(`iopte.${view}.focus`);
  };
  const now = app.inspections.find(inspection.id)?.machine?.operations.length;
  const undo = (): unknown => {
    const machine = app.inspections.find(inspection.id);
    // Of a message that was left standing: the last operation is another by now.
    const isLast = machine?.machine?.operations.length === now;
    return isLast && vscode.commands.executeCommand('iopte.undoOperation', { inspection: inspection.id });
  };
  const actions: Action[] = [
    ...(found === '' ? [] : [{ title: vscode.l10n.t('Show Ledger'), run: focus('ledger') }]),
    ...(refused.length === 0 ? [] : [{ title: vscode.l10n.t('Show Faults'), run: focus('faults') }]),
    ...(errno === undefined ? [{ title: vscode.l10n.t('Undo'), run: undo }] : []),
  ];
  void show(text, ...actions.map(({ title }) => title)).then((chosen) =>
    actions.find(({ title }) => title === chosen)?.run(),
  );
}
