import * as vscode from 'vscode';
import { RequestError, type MachineOperation } from '../inspection/protocol';
import { failureOf } from './errors';
import {
  isKeptInFile,
  MOST_REQUESTS_IN_JOURNAL,
  type JournalOperation,
  type OperationInFile,
  type OperationsInFile,
} from './journal';

/** Operations that came together and have more text than this go into a file together. */
const MOST_TEXT_IN_JOURNAL = 64 * 1024;

/**
 * Operations that are too large for the workspace's state, which the editor reads and writes as a whole: each in a file of
 * its own in the folder that the editor gives the extension. The journal holds the file's name in their place.
 */
export class OperationFiles {
  private made = 0;

  constructor(private readonly folder: vscode.Uri) {}

  /** What the journal holds for an operation: itself, or the name of the file that it is in from now on. */
  async keep(operation: MachineOperation): Promise<JournalOperation> {
    const requests = operation.kind === 'dma' ? operation.requests.length : 0;
    const isLong = operation.kind === 'dma' && requests > MOST_REQUESTS_IN_JOURNAL;
    // A trace that traffic repeats, and what happens during another operation, may be as long.
    const isLarge = operation.kind === 'traffic' || operation.kind === 'during';
    if (!isLong && !(isLarge && JSON.stringify(operation).length > MOST_TEXT_IN_JOURNAL)) return operation;
    const file = await this.write(
      'dma',
      operation,
      vscode.l10n.t('Nothing was done. Make room on the disk, or inject a shorter trace.'),
    );
    return { kind: 'inFile', file, requests };
  }

  /** The same for operations that are done already: all of them in one file where they are long. */
  async keepAll(operations: readonly MachineOperation[]): Promise<readonly JournalOperation[]> {
    if (JSON.stringify(operations).length <= MOST_TEXT_IN_JOURNAL) return operations;
    const hint = vscode.l10n.t('Make room on the disk, and run the scenario again.');
    const file = await this.write('many', operations, hint);
    return [{ kind: 'manyInFile', file, operations: operations.length }];
  }

  /** What the journal's operation stands for. Throws when its file is gone: without it the machine cannot be built again. */
  async read(kept: JournalOperation): Promise<readonly MachineOperation[]> {
    if (!isKeptInFile(kept)) return [kept];
    try {
      const bytes = await vscode.workspace.fs.readFile(this.uriOf(kept.file));
      const content: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (kept.kind === 'inFile' && isOperation(content, kept)) return [content];
      if (kept.kind === 'manyInFile' && isList(content, kept)) return content;
    } catch {
      // Gone or cut short: the same to whoever needs it.
    }
    throw new RequestError({
      code: 'host/operation-lost',
      message:
        kept.kind === 'inFile'
          ? vscode.l10n.t(
              'The machine cannot be built again: the trace of {0} requests that it was given is no longer kept.',
              kept.requests,
            )
          : vscode.l10n.t(
              'The machine cannot be built again: the {0} operations of its scenario are no longer kept.',
              kept.operations,
            ),
      hint:
        kept.kind === 'inFile'
          ? vscode.l10n.t('Close it, make a new one, and inject the trace again.')
          : vscode.l10n.t('Close it, and run the scenario again.'),
    });
  }

  /** The journal's operations without the last thing that was done. */
  async withoutLast(operations: readonly JournalOperation[]): Promise<readonly JournalOperation[]> {
    const last = operations.at(-1);
    const before = operations.slice(0, -1);
    if (last?.kind !== 'manyInFile') return before;
    return [...before, ...(await this.keepAll((await this.read(last)).slice(0, -1)))];
  }

  /** Forgets operations that nothing leads to any more. */
  async forget(operations: readonly JournalOperation[]): Promise<void> {
    for (const { file } of operations.filter(isKeptInFile)) {
      // One that is gone already is no loss.
      await vscode.workspace.fs.delete(this.uriOf(file)).then(undefined, () => undefined);
    }
  }

  private async write(prefix: string, content: unknown, hint: string): Promise<string> {
    this.made++;
    const file = `${prefix}-${Date.now().toString(36)}-${this.made}.json`;
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    try {
      await vscode.workspace.fs.writeFile(this.uriOf(file), bytes);
      return file;
    } catch (error) {
      throw new RequestError({
        code: 'host/not-written',
        message: vscode.l10n.t('What was done to the machine cannot be kept: {0}', failureOf(error).message),
        hint,
      });
    }
  }

  private uriOf(file: string): vscode.Uri {
    return vscode.Uri.joinPath(this.folder, file);
  }
}

const isOperation = (value: unknown, { requests }: OperationInFile): value is MachineOperation =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  (requests === 0 ||
    (value.kind === 'dma' &&
      'requests' in value &&
      Array.isArray(value.requests) &&
      value.requests.length === requests));

const isList = (value: unknown, { operations }: OperationsInFile): value is readonly MachineOperation[] =>
  Array.isArray(value) && value.length === operations;
