import * as vscode from 'vscode';
import { RequestError } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import type { FileWriter } from '../../platform';
import { requestOptions, withProgress, type LongTask } from '../../progress';
import { askPick, type Choice } from '../../prompts/pick';
import { baseName, folderOf, whyNot } from '../../source';
import type { TraceDocument } from '../../traces/traceDocument';
import { exportedText } from '../exportList';
import { givenText, givenValues } from '../targets';
import { targetPanel } from './target';

type Format = 'csv' | 'jsonl';
/** Where files are written whole: this much is held, and no more. */
const HELD_LIMIT_BYTES = 256 * 2 ** 20;

/** Writes the rows that the grid's filter lets through. Takes `{trace, format, where, target}`; `target` is a URI. */
export const exportTrace: Command = {
  id: 'iopte.exportTrace',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const { document } = panel;
    const given = givenValues(arg);
    const where = givenText(given, 'where') ?? panel.where;
    const { complete, rows: known } = await document.open();
    const asked = givenText(given, 'format');
    const format = asked === 'csv' || asked === 'jsonl' ? asked : await askFormat(app, document, where);
    if (!format) return;
    const target =
      given['target'] instanceof vscode.Uri ? given['target'] : await askTarget(document, format);
    if (!target) return;
    await app.memory.remember({ exportFormat: format });
    const rows = await withProgress(vscode.l10n.t('Exporting {0}', baseName(target)), (task) =>
      write(app, document, { where, format, target, known }, task),
    );
    const open = vscode.l10n.t('Open');
    const partly = vscode.l10n.t('The trace is not read to its end yet: only its first part was asked.');
    const said = exportedText(rows, target, where);
    void vscode.window
      .showInformationMessage(complete ? said : `${said} ${partly}`, open)
      .then((chosen) =>
        chosen === open ? vscode.commands.executeCommand('vscode.open', target) : undefined,
      );
  },
};

interface Export {
  readonly where: string;
  readonly format: Format;
  readonly target: vscode.Uri;
  /** Rows that the trace had when this was asked. */
  readonly known: number;
}

/** Writes piece after piece; a cancelled or failed export leaves nothing behind. Gives the number of rows. */
async function write(
  app: App,
  document: TraceDocument,
  { where, format, target, known }: Export,
  task: LongTask,
): Promise<number> {
  const encoder = new TextEncoder();
  const writer = await begin(app, target);
  let rows = 0;
  try {
    for (let from: number | null = 0; from !== null;) {
      const piece: { readonly text: string; readonly rows: number; readonly next: number | null } =
        await document.ask('traceExport', { where, format, from }, requestOptions(task));
      await writer.write(encoder.encode(piece.text));
      rows += piece.rows;
      from = piece.next;
      const fraction = from === null ? 1 : from / Math.max(1, document.summary?.rows ?? 1);
      task.report({ message: vscode.l10n.t('Rows: {0}', rows), fraction });
      if (task.signal.aborted) throw new vscode.CancellationError();
    }
    const { rows: left } = await document.ask('traceSummary', {});
    if (left < known) throw shrunk(document);
    await writer.close();
    return rows;
  } catch (error) {
    await writer.discard().catch(() => undefined);
    throw error instanceof RequestError || error instanceof vscode.CancellationError
      ? error
      : notWritten(target, error);
  }
}

async function begin(app: App, target: vscode.Uri): Promise<FileWriter> {
  if (!app.platform.createFile || target.scheme !== 'file') return heldWriter(target);
  try {
    return await app.platform.createFile(target.fsPath);
  } catch (error) {
    throw notWritten(target, error);
  }
}

/** The editor's file systems write a file whole. */
function heldWriter(target: vscode.Uri): FileWriter {
  const parts: Uint8Array[] = [];
  let length = 0;
  return {
    write: (bytes) => {
      length += bytes.length;
      if (length > HELD_LIMIT_BYTES) return Promise.reject(tooLarge());
      parts.push(bytes);
      return Promise.resolve();
    },
    close: async () => {
      const all = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      await vscode.workspace.fs.writeFile(target, all);
    },
    discard: () => Promise.resolve(),
  };
}

const tooLarge = (): RequestError =>
  new RequestError({
    code: 'host/export-too-large',
    message: vscode.l10n.t('The rows take more than {0} MiB of text.', HELD_LIMIT_BYTES / 2 ** 20),
    hint: vscode.l10n.t('Narrow them with a filter, or export to a local file.'),
  });

const shrunk = ({ name }: TraceDocument): RequestError =>
  new RequestError({
    code: 'trace/changed',
    message: vscode.l10n.t('{0} lost rows while it was exported, and nothing was written.', name),
    hint: vscode.l10n.t('Its file has changed. Close it and open it again.'),
  });

const notWritten = (target: vscode.Uri, error: unknown): RequestError =>
  new RequestError({
    code: 'host/not-written',
    message: vscode.l10n.t('{0} cannot be written: {1}.', target.toString(true), whyNot(error)),
    hint: vscode.l10n.t('Export again and choose another folder.'),
  });

async function askFormat(app: App, document: TraceDocument, where: string): Promise<Format | undefined> {
  const choices: readonly Choice<Format>[] = [
    { label: 'CSV', detail: vscode.l10n.t('A table with a heading, for spreadsheets'), value: 'csv' },
    { label: 'JSON Lines', detail: vscode.l10n.t('One object a line, for programs'), value: 'jsonl' },
  ];
  const isLast = ({ value }: Choice<Format>): boolean => value === app.memory.last.exportFormat;
  const title =
    where === ''
      ? vscode.l10n.t('Export {0}', document.name)
      : vscode.l10n.t('Export {0}, filtered: {1}', document.name, where);
  const placeholder = vscode.l10n.t('Format');
  const answer = await askPick({ placeholder, choices, isLast }, { title, step: 1, of: 1 });
  return answer.kind === 'value' ? answer.value : undefined;
}

async function askTarget(document: TraceDocument, format: Format): Promise<vscode.Uri | undefined> {
  // Beside the trace; samples stand inside the extension, where nothing of the user's belongs.
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)
    ? folderOf(document.uri)
    : vscode.workspace.workspaceFolders?.[0]?.uri;
  const name = `${document.name}.${format}`;
  return vscode.window.showSaveDialog({
    title: vscode.l10n.t('Export Trace'),
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name) }),
    filters: format === 'csv' ? { CSV: ['csv'] } : { 'JSON Lines': ['jsonl'] },
  });
}
