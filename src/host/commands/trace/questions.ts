import * as vscode from 'vscode';
import {
  hex,
  type Page,
  type PageRequest,
  parseInteger,
  RequestError,
  TRACE_FINDINGS,
} from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { requestOptions, withProgressIfLong, type LongTask } from '../../progress';
import { askText } from '../../prompts/text';
import { checkIova } from '../../prompts/values';
import type { TraceDocument } from '../../traces/traceDocument';
import {
  findingElement,
  findingWords,
  groupElement,
  lifetimeElement,
  rowElement,
} from '../../traces/traceWording';
import type { AnswerElement } from '../../views/answerElements';
import { moreElement } from '../answers';
import { givenText, givenValues } from '../targets';
import { givenIova, targetPanel, targetRow } from './target';
import { tellWithoutDevices } from './withoutDevices';

/** Rows of Results at once; the rest opens below **More…**. */
const PAGE_LIMIT = 200;

/** Lists double maps, unmaps of nothing, leaks and missing flushes in Results, by kind. Takes `{trace}`. */
export const showTraceFindings: Command = {
  id: 'iopte.showTraceFindings',
  async run(app, arg) {
    const { document } = targetPanel(app, arg);
    const { complete } = await document.open();
    await tellWithoutDevices(app, document);
    const title = vscode.l10n.t('Findings in {0}', document.name);
    const { counts } = await watched(title, (task) =>
      document.ask('traceFindings', { page: { limit: 1 } }, requestOptions(task)),
    );
    const words = findingWords();
    const rows = TRACE_FINDINGS.filter((kind) => counts[kind] > 0).map((kind) =>
      groupElement(`findings/${kind}`, words[kind].title, String(counts[kind]), words[kind].icon, (parent) =>
        pages(`findings/${kind}`, parent, async (page) => {
          const found = await watched(title, (task) =>
            document.ask('traceFindings', { kinds: [kind], page }, requestOptions(task)),
          );
          return { ...found, rows: found.rows.map((finding) => findingElement(document.id, finding)) };
        }),
      ),
    );
    const none = rows.length === 0 ? vscode.l10n.t('Nothing was found.') : '';
    await app.answers.show({ title, message: joined(none, partly(complete)), inspections: [], rows });
  },
};

/** Lists mappings from the row that made them to the row that took them away. Takes `{trace, where}`, else the filter of the grid. */
export const showTraceLifetimes: Command = {
  id: 'iopte.showTraceLifetimes',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const { document } = panel;
    const { complete } = await document.open();
    await tellWithoutDevices(app, document);
    const where = givenText(givenValues(arg), 'where') ?? panel.where;
    const title = vscode.l10n.t('Lifetimes in {0}', document.name);
    const rows = await pages('lifetimes', undefined, async (page) => {
      const found = await watched(title, (task) =>
        document.ask('traceLifetimes', { where, page }, requestOptions(task)),
      );
      return { ...found, rows: found.rows.map((each) => lifetimeElement(document.id, each)) };
    });
    const none = rows.length === 0 ? vscode.l10n.t('No mapping was made.') : '';
    const filtered =
      where === ''
        ? ''
        : vscode.l10n.t('Only mappings made by rows that the filter lets through: {0}', where);
    const message = joined(none, filtered, partly(complete));
    await app.answers.show({ title, message, inspections: [], rows });
  },
};

/** Lists what happened to one IOVA: the mappings that held it, and every row that is about it. Takes `{trace, row, iova}`. */
export const showIovaHistory: Command = {
  id: 'iopte.showIovaHistory',
  async run(app, arg) {
    const panel = targetPanel(app, arg);
    const { document } = panel;
    const summary = await document.open();
    const row = targetRow(panel, arg);
    const given = givenIova(arg);
    const own = row === undefined ? null : ((await document.row(row))?.iova ?? null);
    const iova = given === undefined ? (own ?? (await askIova(app, document))) : hex(given);
    if (iova === undefined) return;
    const title = vscode.l10n.t('History of {0} in {1}', iova, document.name);
    const read = (page: PageRequest, task: LongTask) =>
      document.ask('traceHistory', { iova, page }, requestOptions(task));
    const first = await watched(title, (task) => read({ limit: PAGE_LIMIT }, task));
    const { lifetimes } = first;
    const lived = groupElement(
      'lifetimes',
      vscode.l10n.t('Mappings'),
      String(lifetimes.length),
      'graph',
      (parent) =>
        Promise.resolve(lifetimes.map((each) => ({ ...lifetimeElement(document.id, each), parent }))),
    );
    let start: typeof first | undefined = first;
    const rows = await pages('history', undefined, async (page) => {
      // Asked for already: it has the mappings, too.
      const found = start ?? (await watched(title, (task) => read(page, task)));
      start = undefined;
      return { ...found, rows: found.rows.map((each) => rowElement(document.id, summary, each)) };
    });
    const none = rows.length === 0 ? vscode.l10n.t('No row is about this IOVA.') : '';
    await app.answers.show({
      title,
      message: joined(none, partly(summary.complete)),
      inspections: [],
      rows: lifetimes.length > 0 ? [lived, ...rows] : rows,
    });
  },
};

/** A page as elements, and an element for the rest. */
async function pages(
  id: string,
  parent: AnswerElement | undefined,
  read: (page: PageRequest) => Promise<Page<AnswerElement>>,
  cursor?: string,
): Promise<readonly AnswerElement[]> {
  const page = await read({ limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) });
  const rows = page.rows.map((each): AnswerElement => ({ ...each, ...(parent && { parent }) }));
  const { next } = page;
  if (next === undefined) return rows;
  const more = moreElement(`${id}+${next}`, undefined, parent, (element) => pages(id, element, read, next));
  return [...rows, more];
}

const watched = <T>(title: string, task: (task: LongTask) => Promise<T>): Promise<T> =>
  withProgressIfLong(title, task);

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

const partly = (complete: boolean): string =>
  complete ? '' : vscode.l10n.t('The trace is not read to its end yet: only its first part was asked.');

async function askIova(app: App, document: TraceDocument): Promise<string | undefined> {
  const answer = await askText(
    {
      prompt: vscode.l10n.t('IO virtual address: hexadecimal, decimal, or with a unit of 1024'),
      placeholder: '0xffee0000',
      value: app.memory.last.iova,
      check: checkIova,
    },
    { title: vscode.l10n.t('History of an IOVA in {0}', document.name), step: 1, of: 1 },
  );
  if (answer.kind !== 'value') return undefined;
  const iova = parseInteger(answer.value);
  if (iova === undefined) throw new RequestError({ code: 'host/no-iova', message: answer.value });
  await app.memory.remember({ iova: hex(iova) });
  return hex(iova);
}
