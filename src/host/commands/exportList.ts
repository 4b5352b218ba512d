import * as vscode from 'vscode';
import {
  MAPPING_COLUMNS,
  mappingRow,
  hex,
  RequestError,
  type DomainKey,
  type Run,
} from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { askPick, type Choice } from '../prompts/pick';
import { askInSteps, type Step } from '../prompts/steps';
import { requestOptions, withProgress, type LongTask } from '../progress';
import { baseName, folderOf, whyNot } from '../source';
import {
  allDomains,
  domainChoices,
  givenText,
  givenValues,
  namedDomain,
  targetDomain,
  targetInspection,
} from './targets';

type Format = 'csv' | 'jsonl';
const PAGE_LIMIT = 1000;
/** `workspace.fs` writes a file whole: this much text is held, and no more. */
const TEXT_LIMIT_BYTES = 256 * 1024 * 1024;

interface Answers {
  readonly domain: DomainKey | 'all' | undefined;
  readonly format: Format | undefined;
}

/**
 * Writes the mappings of a domain, or of all, to a file: what the filter lets through. Takes `{inspection, domain, format,
 * where, target}`; `target` is a URI.
 */
export const exportList: Command = {
  id: 'iopte.exportList',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const given = givenValues(arg);
    const name = givenText(given, 'domain');
    const named = name === 'all' ? name : await namedDomain(app, inspection, name);
    const format = givenText(given, 'format');
    const known: Answers = {
      domain: named ?? targetDomain(app, inspection, arg),
      format: format === 'csv' || format === 'jsonl' ? format : undefined,
    };
    const where = givenText(given, 'where') ?? app.inspections.find(inspection.id)?.where ?? '';
    const title =
      where === '' ? vscode.l10n.t('Export List') : vscode.l10n.t('Export List, filtered: {0}', where);
    const steps = [domainStep(app, inspection), formatStep(app)];
    const answers = await askInSteps<Answers>(title, known, steps);
    if (!answers?.domain || !answers.format) return;
    const target =
      given['target'] instanceof vscode.Uri ? given['target'] : await askTarget(inspection, answers.format);
    if (!target) return;
    await app.memory.remember({ exportFormat: answers.format });
    const domains = answers.domain === 'all' ? await allDomains(app, inspection) : [answers.domain];
    const rows = await write(app, inspection, { domains, where, format: answers.format, target });
    offerToOpen(target, exportedText(rows, target, where));
  },
};

interface Export {
  readonly domains: readonly DomainKey[];
  readonly where: string;
  readonly format: Format;
  readonly target: vscode.Uri;
}

/** Reads page after page; a cancelled or failed export writes nothing. Gives the number of rows. */
function write(app: App, inspection: Inspection, what: Export): Thenable<number> {
  const title = vscode.l10n.t('Exporting {0}', baseName(what.target));
  return withProgress(title, async (task) => {
    const text = new TextCollector(what.format === 'csv' ? [`${MAPPING_COLUMNS.join(',')}\n`] : []);
    let rows = 0;
    for (const domain of what.domains) {
      for await (const runs of pages(app, inspection, domain, what.where, task)) {
        text.add(runs.map((run) => lineOf(domain, run, what.format)).join(''));
        rows += runs.length;
        task.report({ message: vscode.l10n.t('Rows: {0}', rows) });
      }
    }
    await writeFile(what.target, text.bytes());
    return rows;
  });
}

async function writeFile(target: vscode.Uri, bytes: Uint8Array): Promise<void> {
  try {
    await vscode.workspace.fs.writeFile(target, bytes);
  } catch (error) {
    throw new RequestError({
      code: 'host/not-written',
      message: vscode.l10n.t('{0} cannot be written: {1}.', target.toString(true), whyNot(error)),
      hint: vscode.l10n.t('Export again and choose another folder.'),
    });
  }
}

async function* pages(
  app: App,
  inspection: Inspection,
  domain: DomainKey,
  where: string,
  task: LongTask,
): AsyncGenerator<readonly Run[]> {
  let cursor: string | undefined;
  do {
    const page = await app.inspections.ask(
      inspection,
      'list',
      { domain, where, page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) } },
      requestOptions(task),
    );
    yield page.rows;
    if (page.gaveUp) throw new RequestError(page.gaveUp);
    if (task.signal.aborted) throw new vscode.CancellationError();
    cursor = page.next;
  } while (cursor !== undefined);
}

/** One line of the file, as `iopte list --json` has it. Addresses are `0x` strings in both formats: a spreadsheet would round 64-bit numbers. */
export function lineOf(domain: DomainKey, run: Run, format: Format): string {
  const row = mappingRow(domain, run);
  const plain = (value: unknown): unknown => (typeof value === 'bigint' ? hex(value) : value);
  if (format === 'jsonl') return `${JSON.stringify(row, (_key, value: unknown) => plain(value))}\n`;
  return `${MAPPING_COLUMNS.map((column) => csvField(String(plain(row[column])))).join(',')}\n`;
}

/** RFC 4180, section 2: fields with commas, quotes or line breaks stand in quotes, quotes doubled. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Text in parts, each encoded at once, so that no single string grows beyond what an engine allows. */
class TextCollector {
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  constructor(first: readonly string[]) {
    for (const part of first) this.add(part);
  }

  add(part: string): void {
    const bytes = new TextEncoder().encode(part);
    this.length += bytes.length;
    if (this.length > TEXT_LIMIT_BYTES) {
      throw new RequestError({
        code: 'host/export-too-large',
        message: vscode.l10n.t('The list has more than {0} MiB of text.', TEXT_LIMIT_BYTES / 2 ** 20),
        hint: vscode.l10n.t('Narrow it with a filter, or write it in a terminal: iopte list --json > FILE.'),
      });
    }
    this.parts.push(bytes);
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

async function askTarget(inspection: Inspection, format: Format): Promise<vscode.Uri | undefined> {
  // Beside the image; samples stand inside the extension, where nothing of the user's belongs.
  const folder =
    inspection.descriptionUri && vscode.workspace.getWorkspaceFolder(inspection.descriptionUri)
      ? folderOf(inspection.imageUri)
      : vscode.workspace.workspaceFolders?.[0]?.uri;
  const name = `${inspection.title}.${format}`;
  return vscode.window.showSaveDialog({
    title: vscode.l10n.t('Export List'),
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name) }),
    filters: format === 'csv' ? { CSV: ['csv'] } : { 'JSON Lines': ['jsonl'] },
  });
}

/** What was written, and that a filter left something out. */
export function exportedText(rows: number, target: vscode.Uri, where: string): string {
  const file = baseName(target);
  const done =
    rows === 1
      ? vscode.l10n.t('Exported 1 row to {0}.', file)
      : vscode.l10n.t('Exported {0} rows to {1}.', rows, file);
  return where === '' ? done : `${done} ${vscode.l10n.t('Only what the filter lets through: {0}', where)}`;
}

function offerToOpen(target: vscode.Uri, message: string): void {
  const open = vscode.l10n.t('Open');
  void vscode.window
    .showInformationMessage(message, open)
    .then((chosen) => (chosen === open ? vscode.commands.executeCommand('vscode.open', target) : undefined));
}

const domainStep =
  (app: App, inspection: Inspection): Step<Answers> =>
  async (state, place) => {
    if (state.domain) return 'skip';
    const all: Choice<DomainKey | 'all'> = { label: vscode.l10n.t('All domains'), value: 'all' };
    const choices = domainChoices(app, inspection).then((domains) => [all, ...domains]);
    const answer = await askPick({ placeholder: vscode.l10n.t('Which domain?'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, domain: answer.value } } : answer;
  };

const formatStep =
  (app: App): Step<Answers> =>
  async (state, place) => {
    if (state.format) return 'skip';
    const choices: readonly Choice<Format>[] = [
      { label: 'CSV', detail: vscode.l10n.t('A table with a heading, for spreadsheets'), value: 'csv' },
      { label: 'JSON Lines', detail: vscode.l10n.t('One object a line, for programs'), value: 'jsonl' },
    ];
    const isLast = ({ value }: Choice<Format>): boolean => value === app.memory.last.exportFormat;
    const answer = await askPick({ placeholder: vscode.l10n.t('Format'), choices, isLast }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, format: answer.value } } : answer;
  };
