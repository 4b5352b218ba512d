import * as vscode from 'vscode';
import { hex, parseRange, RequestError, type AddressRange, type Found } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { requestOptions, withProgressIfLong } from '../progress';
import { askInSteps, type Step } from '../prompts/steps';
import { askText } from '../prompts/text';
import type { AnswerElement } from '../views/answerElements';
import { wordFound, type WordsOf } from '../views/answerWording';
import { isElement } from '../views/elements';
import { rangeText } from '../views/wording';
import { moreElement, unreadText, wordsByIommu } from './answers';
import { givenText, givenValues, targetInspection } from './targets';

/** Rows asked for at once. */
const PAGE_LIMIT = 500;

interface Asked {
  readonly range: AddressRange | undefined;
}

/** Shows every way to a physical address or range. Takes `{inspection, address}`, or a run of Domains. */
export const findPhysical: Command = {
  id: 'iopte.findPhysical',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const title = vscode.l10n.t('Find Physical Address');
    const asked = await askInSteps<Asked>(title, { range: givenRange(arg) }, [rangeStep(app)]);
    if (!asked?.range) return;
    const { range } = asked;
    await app.memory.remember({ paddr: rangeInput(range) });
    const wordsOf = await wordsByIommu(app, inspection);
    const finder = new Finder(app, inspection, range, wordsOf);
    const { rows, unread } = await withProgressIfLong(
      vscode.l10n.t('Finding {0}', rangeInput(range)),
      (task) => finder.page(undefined, undefined, requestOptions(task)),
    );
    const none = rows.length === 0 ? vscode.l10n.t('No device reaches this memory.') : '';
    await app.answers.show({
      title: rangeInput(range),
      message: [none, unread].filter((part) => part !== '').join(' '),
      inspections: [inspection],
      rows,
    });
  },
};

/** As one types it. */
const rangeInput = (range: AddressRange): string =>
  range.end - range.start === 1n ? hex(range.start) : rangeText(range);

/** What is wrong with a physical address or range; undefined when it is one. */
const checkRange = (text: string): string | undefined =>
  parseRange(text)
    ? undefined
    : vscode.l10n.t(
        'A physical address or range is 0x14ece5000, 0x1000..0x2000 (without the end) or 0x1000+4K.',
      );

function givenRange(arg: unknown): AddressRange | undefined {
  if (isElement(arg)) {
    if (arg.kind !== 'node' || arg.node.kind !== 'run') return undefined;
    const { run } = arg.node;
    // What a nested stage 1 gives is an address of the guest, not a physical one.
    return run.entry.domain?.below ? undefined : { start: run.paddr, end: run.paddr + run.length };
  }
  const text = givenText(givenValues(arg), 'address');
  if (text === undefined) return undefined;
  const range = parseRange(text);
  if (range) return range;
  throw new RequestError({ code: 'host/bad-address', message: checkRange(text) ?? text });
}

const rangeStep =
  (app: App): Step<Asked> =>
  async (state, place) => {
    if (state.range) return 'skip';
    const answer = await askText(
      {
        prompt: vscode.l10n.t('Physical address, or a range of them'),
        placeholder: '0x14ece5000',
        value: app.memory.last.paddr,
        check: checkRange,
      },
      place,
    );
    if (answer.kind !== 'value') return answer;
    return { kind: 'value', value: { range: parseRange(answer.value) } };
  };

/** Reads the rows of one search, page by page. */
class Finder {
  constructor(
    private readonly app: App,
    private readonly inspection: Inspection,
    private readonly range: AddressRange,
    private readonly wordsOf: WordsOf,
  ) {}

  async page(
    cursor: string | undefined,
    parent: AnswerElement | undefined,
    options?: ReturnType<typeof requestOptions>,
  ): Promise<{ readonly rows: readonly AnswerElement[]; readonly unread: string }> {
    const { app, inspection, range } = this;
    const page = await app.inspections.ask(
      inspection,
      'find',
      { range, page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) } },
      options,
    );
    const base = `find/${rangeInput(range)}/${cursor ?? ''}`;
    const rows: AnswerElement[] = page.rows.map((found, index) => ({
      kind: 'answer',
      id: `${base}#${index}`,
      inspection,
      wording: wordFound(found, this.wordsOf),
      ...placeOf(found),
      ...(parent && { parent }),
    }));
    const { next } = page;
    if (next !== undefined) {
      const read = async (more: AnswerElement) => (await this.page(next, more)).rows;
      rows.push(moreElement(`${base}+`, inspection, parent, read));
    }
    return { rows, unread: [unreadText(page), page.gaveUp?.message ?? ''].filter(Boolean).join(' ') };
  }
}

function placeOf(found: Found): Pick<AnswerElement, 'place'> {
  if (found.kind === 'run') {
    return { place: { kind: 'iova', domain: found.domain, iova: found.run.iova } };
  }
  const [device] = found.devices;
  return device && !found.absent ? { place: { kind: 'device', iommu: found.iommu, ...device } } : {};
}
