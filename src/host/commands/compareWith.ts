import * as vscode from 'vscode';
import {
  domainKeyOf,
  RequestError,
  sameDomain,
  type Difference,
  type DomainKey,
} from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { requestOptions, withProgressIfLong } from '../progress';
import { baseName } from '../source';
import type { AnswerElement, Place } from '../views/answerElements';
import { tagText, wordDifference, type WordsOf } from '../views/answerWording';
import { AnswerNotes, moreElement, wordsByIommu } from './answers';
import { givenText, givenValues, targetInspection } from './targets';

const PAGE_LIMIT = 500;

/** Shows what differs between an image and a later one. Takes `{inspection, other, ignoreMarks}` or an image of Domains. */
export const compareWith: Command = {
  id: 'iopte.compareWith',
  async run(app, arg) {
    const before = targetInspection(app, arg);
    const given = givenValues(arg);
    const other = givenText(given, 'other');
    const after = await otherOf(app, before, other);
    if (!after) return;
    const asked = other === undefined && given['ignoreMarks'] === undefined;
    const ignoreMarks = asked ? await askIgnoreMarks() : given['ignoreMarks'] === true;
    if (ignoreMarks === undefined) return;
    const title = vscode.l10n.t('{0} → {1}', before.title, after.title);
    const comparer = new Comparer(
      app,
      { inspection: before, wordsOf: await wordsByIommu(app, before) },
      { inspection: after, wordsOf: await wordsByIommu(app, after) },
      ignoreMarks,
      title,
    );
    const rows = await comparer.page(undefined, undefined);
    comparer.rows = rows;
    await app.answers.show({ title, message: comparer.message, inspections: [before, after], rows });
  },
};

/** Images of a machine that ran on differ in accessed and dirty bits almost everywhere. */
async function askIgnoreMarks(): Promise<boolean | undefined> {
  const items = [
    { label: vscode.l10n.t('All differences'), ignoreMarks: false },
    { label: vscode.l10n.t('Without accessed and dirty bits'), ignoreMarks: true },
  ];
  const placeHolder = vscode.l10n.t('What to compare');
  return (await vscode.window.showQuickPick(items, { placeHolder }))?.ignoreMarks;
}

async function otherOf(app: App, one: Inspection, id: string | undefined): Promise<Inspection | undefined> {
  if (id !== undefined) {
    const found = app.inspections.find(id);
    if (found) return found;
    throw new RequestError({
      code: 'host/no-image',
      message: vscode.l10n.t('The image to compare with is not open.'),
      hint: vscode.l10n.t('Open it first.'),
    });
  }
  const others = app.inspections.all.filter((each) => each.id !== one.id);
  const open = { label: `$(folder-opened) ${vscode.l10n.t('Open Memory Image...')}`, inspection: undefined };
  const items = [
    ...others.map((inspection) => ({
      label: inspection.title,
      description: inspection.machine ? vscode.l10n.t('emulated') : baseName(inspection.imageUri),
      inspection,
    })),
    open,
  ];
  const placeHolder = vscode.l10n.t('Compare {0} with a later image', one.title);
  const choice = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true });
  if (!choice) return undefined;
  if (choice.inspection) return choice.inspection;
  const known = new Set(app.inspections.all.map((each) => each.id));
  await vscode.commands.executeCommand('iopte.openMemoryImage');
  const opened = app.inspections.all.find((each) => !known.has(each.id) && each.id !== one.id);
  if (opened && !app.inspections.find(one.id)) {
    throw new RequestError({
      code: 'host/same-image',
      message: vscode.l10n.t('{0} was opened again: there is nothing else to compare with.', one.title),
      hint: vscode.l10n.t('Choose another image.'),
    });
  }
  return opened;
}

interface Side {
  readonly inspection: Inspection;
  readonly wordsOf: WordsOf;
}

/** Reads the differences page by page, those of one domain below it. */
class Comparer {
  rows: readonly AnswerElement[] = [];
  private readonly notes = new AnswerNotes();

  constructor(
    private readonly app: App,
    private readonly before: Side,
    private readonly after: Side,
    private readonly ignoreMarks: boolean,
    private readonly title: string,
  ) {}

  /** What the view says of the rows; those of the first page are its own. */
  get message(): string {
    const equal = this.rows.length === 0 ? vscode.l10n.t('Nothing differs.') : '';
    return [equal, this.notes.text].filter((part) => part !== '').join(' ');
  }

  async page(
    cursor: string | undefined,
    parent: AnswerElement | undefined,
  ): Promise<readonly AnswerElement[]> {
    const { inspection } = this.before;
    const params = {
      other: this.after.inspection.id,
      ignoreMarks: this.ignoreMarks,
      page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) },
    };
    const page = await withProgressIfLong(vscode.l10n.t('Comparing {0}', this.title), (task) =>
      this.app.inspections.ask(inspection, 'compare', params, requestOptions(task)),
    );
    this.notes.take(page);
    const base = `compare/${cursor ?? ''}`;
    const rows: AnswerElement[] = [];
    for (const { domain, of } of byDomain(page.rows)) {
      if (domain) rows.push(this.domainElement(`${base}#${rows.length}`, domain, of, parent));
      else rows.push(...of.map((row, index) => this.rowElement(`${base}#h${index}`, row, parent)));
    }
    const { next } = page;
    if (next !== undefined) {
      const read = async (more: AnswerElement) => {
        const found = await this.page(next, more);
        this.app.answers.say(this.rows, this.message);
        return found;
      };
      rows.push(moreElement(`${base}+`, inspection, parent, read));
    }
    return rows;
  }

  private domainElement(
    id: string,
    domain: DomainKey,
    rows: readonly Difference[],
    parent: AnswerElement | undefined,
  ): AnswerElement {
    const label = tagText(domain, this.before.wordsOf);
    const count =
      rows.length === 1 ? vscode.l10n.t('1 difference') : vscode.l10n.t('{0} differences', rows.length);
    const description = `${domain.iommu}, ${count}`;
    const element: AnswerElement = {
      kind: 'answer',
      id,
      inspection: this.before.inspection,
      wording: {
        label,
        description,
        icon: 'symbol-namespace',
        spoken: `${label}, ${description}`,
        tooltip: [[label, description]],
        opens: true,
      },
      startsOpen: true,
      ...(parent && { parent }),
      children: () => Promise.resolve(children),
    };
    const children = rows.map((row, index) => this.rowElement(`${id}/${index}`, row, element));
    return element;
  }

  private rowElement(id: string, row: Difference, parent: AnswerElement | undefined): AnswerElement {
    const { before, after } = this;
    const place = placeOf(row);
    return {
      kind: 'answer',
      id,
      inspection: (row.after ? after : before).inspection,
      wording: wordDifference(row, before.wordsOf, after.wordsOf),
      ...(place && { place }),
      ...(parent && { parent }),
    };
  }
}

/** Differences of one domain follow each other; before them those of no domain's tables. */
function byDomain(
  rows: readonly Difference[],
): readonly { readonly domain: DomainKey | undefined; readonly of: readonly Difference[] }[] {
  const groups: { domain: DomainKey | undefined; of: Difference[] }[] = [];
  let last: DomainKey | undefined;
  for (const row of rows) {
    const domain = row.kind === 'run' ? row.domains.before : undefined;
    const group = groups.at(-1);
    const isSame = domain && last ? sameDomain(domain, last) : domain === last;
    if (group && isSame) group.of.push(row);
    else groups.push({ domain, of: [row] });
    last = domain;
  }
  return groups;
}

/** Where the later image, or else the earlier one, shows it. */
function placeOf(row: Difference): Place | undefined {
  switch (row.kind) {
    case 'run': {
      const domain = row.after ? row.domains.after : row.domains.before;
      return { kind: 'iova', domain, iova: row.range.start };
    }
    case 'device':
      return { kind: 'device', iommu: row.iommu, ...row.device };
    case 'domain': {
      const domain = row.after ?? row.before;
      return domain && { kind: 'domain', domain: domainKeyOf(domain) };
    }
    case 'iommu':
      return undefined;
  }
}
