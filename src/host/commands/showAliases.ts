import * as vscode from 'vscode';
import { type Alias, type AliasKind, type AliasPage } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { requestOptions, withProgressIfLong } from '../progress';
import type { AnswerElement } from '../views/answerElements';
import { wordAlias, wordAliasKind, wordAliasMapping, type WordsOf } from '../views/answerWording';
import { AnswerNotes, moreElement, wordsByIommu } from './answers';
import { targetInspection } from './targets';

const PAGE_LIMIT = 500;
const KINDS: readonly AliasKind[] = ['shared', 'repeated', 'identity'];

/** Shows physical memory that is mapped more than once. Takes `{inspection}` or an image of Domains. */
export const showAliases: Command = {
  id: 'iopte.showAliases',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const wordsOf = await wordsByIommu(app, inspection);
    const first = await withProgressIfLong(vscode.l10n.t('Looking for aliases'), (task) =>
      app.inspections.ask(inspection, 'aliases', { page: { limit: 1 } }, requestOptions(task)),
    );
    const rows = KINDS.filter((kind) => first.counts[kind] > 0).map((kind) =>
      kindElement(app, inspection, kind, first, wordsOf),
    );
    const none = rows.length === 0 ? vscode.l10n.t('No memory is mapped more than once.') : '';
    const notes = new AnswerNotes();
    notes.take(first);
    const message = [none, notes.text].filter(Boolean).join(' ');
    const title = vscode.l10n.t('Aliases of {0}', inspection.title);
    await app.answers.show({ title, message, inspections: [inspection], rows });
  },
};

function kindElement(
  app: App,
  inspection: Inspection,
  kind: AliasKind,
  { counts, frames }: AliasPage,
  wordsOf: WordsOf,
): AnswerElement {
  const read = async (
    cursor: string | undefined,
    parent: AnswerElement,
  ): Promise<readonly AnswerElement[]> => {
    const page = await app.inspections.ask(inspection, 'aliases', {
      kind,
      page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) },
    });
    const rows = page.rows.map((alias) => aliasElement(inspection, alias, parent, wordsOf));
    const { next } = page;
    if (next === undefined) return rows;
    return [...rows, moreElement(`alias/${kind}+${next}`, inspection, parent, (more) => read(next, more))];
  };
  const element: AnswerElement = {
    kind: 'answer',
    id: `alias/${kind}`,
    inspection,
    wording: wordAliasKind(kind, counts[kind], frames[kind]),
    startsOpen: kind !== 'identity',
    children: () => read(undefined, element),
  };
  return element;
}

function aliasElement(
  inspection: Inspection,
  alias: Alias,
  parent: AnswerElement,
  wordsOf: WordsOf,
): AnswerElement {
  const id = `${parent.id}/${alias.range.start.toString(16)}`;
  const element: AnswerElement = {
    kind: 'answer',
    id,
    inspection,
    wording: wordAlias(alias),
    parent,
    children: () => Promise.resolve(mappings),
  };
  const mappings = alias.mappings.map((mapping, index): AnswerElement => ({
    kind: 'answer',
    id: `${id}#${index}`,
    inspection,
    wording: wordAliasMapping(mapping, wordsOf),
    place: { kind: 'iova', domain: mapping.domain, iova: mapping.iova },
    parent: element,
  }));
  return element;
}
