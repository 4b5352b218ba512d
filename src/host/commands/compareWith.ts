import * as vscode from 'vscode';
import { RequestError, type Difference, type DomainKey } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { requestOptions, withProgressIfLong } from '../progress';
import { baseName } from '../source';
import type { AnswerElement, Place } from '../views/answerElements';
import { tagText, wordDifference, type WordsOf } from '../views/answerWording';
import { moreElement, unreadText, wordsByIommu } from './answers';
import { givenText, givenValues, targetInspection } from './targets';

const PAGE_LIMIT = 500;

/** Shows what differs between an image and a later one. Takes `{inspection, other, ignoreMarks}` or an image of Domains. */
export const compareWith: Command = {
  id: 'iopte.compareWith',
  async run(app, arg) {
    const before = targetInspection(app, arg);
    const given = givenValues(arg);
    const after = await otherOf(app, before, givenText(given, 'other'));
    if (!after) return;
    const comparer = new Comparer(
      app,
      { inspection: before, wordsOf: await wordsByIommu(app, before) },
      { inspection: after, wordsOf: await wordsByIommu(app, after) },
      given['ignoreMarks'] === true,
    );
    const title = vscode.l10n.t('{0} → {1}', before.title, after.title);
    const { rows, unread } = await withProgressIfLong(vscode.l10n.t('Comparing {0}', title), (task) =>
      comparer.page(undefined, undefined, requestOptions(task)),
    );
    const equal = rows.length === 0 ? vscode.l10n.t('Nothing differs.') : '';
    const message = [equal, unread].filter((part) => part !== '').join(' ');
    await app.answers.show({ title, message, inspections: [before, after], rows });
  },
};

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
      description: baseName(inspection.imageUri),
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
  return app.inspections.all.find((each) => !known.has(each.id) && each.id !== one.id);
}

interface Side {
  readonly inspection: Inspection;
  readonly wordsOf: WordsOf;
}

/** Reads the differences page by page, those of one domain below it. */
class Comparer {
  constructor(
    private readonly app: App,
    private readonly before: Side,
    private readonly after: Side,
    private readonly ignoreMarks: boolean,
  ) {}

  async page(
    cursor: string | undefined,
    parent: AnswerElement | undefined,
    options?: ReturnType<typeof requestOptions>,
  ): Promise<{ readonly rows: readonly AnswerElement[]; readonly unread: string }> {
    const { inspection } = this.before;
    const page = await this.app.inspections.ask(
      inspection,
      'compare',
      {
        other: this.after.inspection.id,
        ignoreMarks: this.ignoreMarks,
        page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) },
      },
      options,
    );
    const base = `compare/${cursor ?? ''}`;
    const rows: AnswerElement[] = [];
    for (const { domain, of } of byDomain(page.rows)) {
      if (domain) rows.push(this.domainElement(`${base}#${rows.length}`, domain, of, parent));
      else rows.push(...of.map((row, index) => this.rowElement(`${base}#h${index}`, row, parent)));
    }
    const { next } = page;
    if (next !== undefined) {
      const read = async (more: AnswerElement) => (await this.page(next, more)).rows;
      rows.push(moreElement(`${base}+`, inspection, parent, read));
    }
    return { rows, unread: [unreadText(page), page.gaveUp?.message ?? ''].filter(Boolean).join(' ') };
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
  let last: string | undefined;
  for (const row of rows) {
    const domain = row.kind === 'run' ? row.domains.before : undefined;
    const key = domain && `${domain.iommu}/${domain.stage}/${domain.domainId}/${domain.root}`;
    const group = groups.at(-1);
    if (group && key === last) group.of.push(row);
    else groups.push({ domain, of: [row] });
    last = key;
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
      const [requester] = domain?.requesters ?? [];
      return domain && requester !== undefined
        ? { kind: 'device', iommu: domain.iommu, requester, pasid: null }
        : undefined;
    }
    case 'iommu':
      return undefined;
  }
}
