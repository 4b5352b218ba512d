import * as vscode from 'vscode';
import { RequestError, type MachineOperation } from '../inspection/protocol';
import { failureOf } from './errors';
import {
  isKeptInFile,
  MOST_REQUESTS_IN_JOURNAL,
  type JournalOperation,
  type OperationInFile,
} from './journal';

/**
 * Operations that are too large for the workspace's state, which the editor reads and writes as a whole: each in a file of
 * its own in the folder that the editor gives the extension. The journal holds the file's name in their place.
 */
export class OperationFiles {
  private made = 0;

  constructor(private readonly folder: vscode.Uri) {}

  /** What the journal holds for an operation: itself, or the name of the file that it is in from now on. */
  async keep(operation: MachineOperation): Promise<JournalOperation> {
    if (operation.kind !== 'dma' || operation.requests.length <= MOST_REQUESTS_IN_JOURNAL) return operation;
    this.made++;
    const file = `dma-${Date.now().toString(36)}-${this.made}.json`;
    const bytes = new TextEncoder().encode(JSON.stringify(operation));
    try {
      await vscode.workspace.fs.writeFile(this.uriOf(file), bytes);
    } catch (error) {
      throw new RequestError({
        code: 'host/not-written',
        message: vscode.l10n.t(
          'A trace of {0} requests cannot be kept: {1}',
          operation.requests.length,
          failureOf(error).message,
        ),
        hint: vscode.l10n.t('Nothing was done. Make room on the disk, or inject a shorter trace.'),
      });
    }
    return { kind: 'inFile', file, requests: operation.requests.length };
  }

  /** The operation itself. Throws when its file is gone: without it the machine cannot be built again. */
  async read(kept: JournalOperation): Promise<MachineOperation> {
    if (!isKeptInFile(kept)) return kept;
    try {
      const bytes = await vscode.workspace.fs.readFile(this.uriOf(kept.file));
      const operation: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (isTrace(operation, kept)) return operation;
    } catch {
      // Gone or cut short: the same to whoever needs it.
    }
    throw new RequestError({
      code: 'host/operation-lost',
      message: vscode.l10n.t(
        'The machine cannot be built again: the trace of {0} requests that it was given is no longer kept.',
        kept.requests,
      ),
      hint: vscode.l10n.t('Close it, make a new one, and inject the trace again.'),
    });
  }

  /** Forgets operations that nothing leads to any more. */
  async forget(operations: readonly JournalOperation[]): Promise<void> {
    for (const { file } of operations.filter(isKeptInFile)) {
      // One that is gone already is no loss.
      await vscode.workspace.fs.delete(this.uriOf(file)).then(undefined, () => undefined);
    }
  }

  private uriOf(file: string): vscode.Uri {
    return vscode.Uri.joinPath(this.folder, file);
  }
}

const isTrace = (value: unknown, { requests }: OperationInFile): value is MachineOperation =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  value.kind === 'dma' &&
  'requests' in value &&
  Array.isArray(value.requests) &&
  value.requests.length === requests;
