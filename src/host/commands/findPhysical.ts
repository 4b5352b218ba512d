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
import { AnswerNotes, moreElement, wordsByIommu } from './answers';
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
    const asked = await askInSteps<Asked>(title, { range: givenRange(arg) }, [
      rangeStep(app, isNestedRun(arg)),
    ]);
    if (!asked?.range) return;
    const { range } = asked;
    await app.memory.remember({ paddr: rangeInput(range) });
    const wordsOf = await wordsByIommu(app, inspection);
    const finder = new Finder(app, inspection, range, wordsOf);
    const rows = await finder.page(undefined, undefined);
    finder.rows = rows;
    await app.answers.show({
      title: rangeInput(range),
      message: finder.message,
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

/** What a nested stage 1 gives is an address of the guest, not a physical one. */
const isNestedRun = (arg: unknown): boolean =>
  isElement(arg) &&
  arg.kind === 'node' &&
  arg.node.kind === 'run' &&
  arg.node.run.entry.domain?.below !== undefined;

function givenRange(arg: unknown): AddressRange | undefined {
  if (isElement(arg)) {
    if (arg.kind !== 'node' || arg.node.kind !== 'run') return undefined;
    const { run } = arg.node;
    return isNestedRun(arg) ? undefined : { start: run.paddr, end: run.paddr + run.length };
  }
  const text = givenText(givenValues(arg), 'address');
  if (text === undefined) return undefined;
  const range = parseRange(text);
  if (range) return range;
  throw new RequestError({ code: 'host/bad-address', message: checkRange(text) ?? text });
}

const rangeStep =
  (app: App, isNested: boolean): Step<Asked> =>
  async (state, place) => {
    if (state.range) return 'skip';
    const answer = await askText(
      {
        prompt: isNested
          ? vscode.l10n.t('Physical address, or a range of them: the run maps guest physical ones')
          : vscode.l10n.t('Physical address, or a range of them'),
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
  rows: readonly AnswerElement[] = [];
  private readonly notes = new AnswerNotes();

  constructor(
    private readonly app: App,
    private readonly inspection: Inspection,
    private readonly range: AddressRange,
    private readonly wordsOf: WordsOf,
  ) {}

  /** What the view says of the rows; those of the first page are its own. */
  get message(): string {
    const none = this.rows.length === 0 ? vscode.l10n.t('No device reaches this memory.') : '';
    return [none, this.notes.text].filter((part) => part !== '').join(' ');
  }

  async page(
    cursor: string | undefined,
    parent: AnswerElement | undefined,
  ): Promise<readonly AnswerElement[]> {
    const { app, inspection, range } = this;
    const params = { range, page: { limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) } };
    const page = await withProgressIfLong(vscode.l10n.t('Finding {0}', rangeInput(range)), (task) =>
      app.inspections.ask(inspection, 'find', params, requestOptions(task)),
    );
    this.notes.take(page);
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
      const read = async (more: AnswerElement) => {
        const found = await this.page(next, more);
        app.answers.say(this.rows, this.message);
        return found;
      };
      rows.push(moreElement(`${base}+`, inspection, parent, read));
    }
    return rows;
  }
}

function placeOf(found: Found): Pick<AnswerElement, 'place'> {
  if (found.kind === 'run') {
    return { place: { kind: 'iova', domain: found.domain, iova: found.run.iova } };
  }
  const [device] = found.devices;
  return device && !found.absent ? { place: { kind: 'device', iommu: found.iommu, ...device } } : {};
}
