import {
  domainTag,
  formatSize,
  hex,
  type Difference,
  type DifferencePage,
  type DeviceWay,
  type DomainKey,
  type DomainRow,
  type Run,
  type VendorWords,
} from '../../inspection/protocol';
import { parseLimit } from '../arguments';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { DIFF_EXIT, fromFailure } from '../errors';
import { deviceName, domainName } from '../words';

interface DiffOptions extends CommonOptions {
  readonly ignoreAd?: boolean;
  readonly limit?: number;
}

/** Rows asked for at once. */
const PAGE = 1000;

export const diff: CliCommand<DiffOptions> = {
  name: 'diff',
  summary: 'compare two images: devices, domains, and the runs of each domain',
  examples: ['before.elf.gz after.elf.gz', 'before.iopte.json after.iopte.json --ignore-ad --json'],
  operand: { syntax: '<OTHER>', help: 'the later memory image or description', isSource: true },
  badInputExit: DIFF_EXIT.trouble,
  configure(command) {
    command
      .option('--ignore-ad', 'leave out what differs only in accessed and dirty bits')
      .option('--limit <rows>', 'at most so many rows', parseLimit)
      .addHelpText(
        'after',
        '\nExit codes: 0 equal, 1 different, 2 bad usage or bad input (as diff has them).',
      );
  },
  async run(call) {
    const { session, other, options, output, note, exitWith } = call;
    if (!other) throw new Error('diff has two sources');
    const limit = options.limit ?? Infinity;
    const printer = new Printer(call);
    let [rows, tables] = [0, 0];
    let cursor: string | undefined;
    do {
      const page: DifferencePage = await session.request('compare', {
        inspection: session.inspection,
        other: other.inspection,
        ignoreMarks: options.ignoreAd === true,
        page: { limit: Math.min(PAGE, limit - rows), ...(cursor === undefined ? {} : { cursor }) },
      });
      if (options.json === true) await output.json(page.rows.map(differenceJson));
      else await printer.print(page.rows);
      rows += page.rows.length;
      tables += page.unreadableTables;
      if (page.gaveUp) throw fromFailure(page.gaveUp);
      cursor = page.next;
    } while (cursor !== undefined && rows < limit);
    if (cursor !== undefined) note(`stopped at --limit ${rows}`);
    if (tables > 0) note(`warning: ${tables} tables are not in the images: what they map is not compared`);
    exitWith(rows === 0 ? DIFF_EXIT.equal : DIFF_EXIT.different);
  },
};

const SIGNS = { added: '+', removed: '-', changed: '!' } as const;

/** Writes differences for people: `+` only in OTHER, `-` only in FILE, `!` changed; runs below their domain. */
class Printer {
  readonly #call: Call<DiffOptions>;
  #domain: string | undefined;

  constructor(call: Call<DiffOptions>) {
    this.#call = call;
  }

  async print(rows: readonly Difference[]): Promise<void> {
    const { output, session, other } = this.#call;
    const iommus = [...session.summary.iommus, ...(other?.summary.iommus ?? [])];
    const wordsOf: WordsOf = (name) => iommus.find((iommu) => iommu.name === name)?.words;
    for (const row of rows) {
      if (row.kind === 'run') {
        const title = keyName(row.domains.before, wordsOf);
        if (title !== this.#domain) await output.title(title);
        this.#domain = title;
      }
      await output.lines([`${row.kind === 'run' ? '  ' : ''}${SIGNS[row.change]} ${text(row, wordsOf)}`]);
    }
  }
}

type WordsOf = (iommu: string) => VendorWords | undefined;

function keyName(domain: DomainKey, wordsOf: WordsOf): string {
  const words = wordsOf(domain.iommu);
  const tag = words ? domainTag(domain, words) : `domain ${domain.domainId}`;
  return `${tag} (root ${hex(domain.root)}) of ${domain.iommu}`;
}

function text(row: Difference, wordsOf: WordsOf): string {
  switch (row.kind) {
    case 'iommu': {
      const states = [row.before, row.after].flatMap((state) =>
        state ? [`${state.mode}, translation ${state.translating ? 'on' : 'off'}`] : [],
      );
      return `IOMMU ${row.iommu}: ${states.join(' -> ')}`;
    }
    case 'device': {
      const { requester, pasid } = row.device;
      const name = `${deviceName(requester)}${pasid === null ? '' : ` ${wordsOf(row.iommu)?.pasid ?? 'PASID'} ${hex(pasid)}`}`;
      const ways = [row.before, row.after].flatMap((way) => (way ? [wayText(way)] : []));
      return `device ${name} of ${row.iommu}: ${ways.join(' -> ')}`;
    }
    case 'domain': {
      const rows = [row.before, row.after].flatMap((each) => (each ? [domainText(each)] : []));
      return rows.join(' -> ');
    }
    case 'run': {
      const { range, what, before, after } = row;
      const runs = [before, after].flatMap((run) => (run ? [runText(run)] : []));
      const why = what.length > 0 ? ` (${what.join(', ')})` : '';
      return `${hex(range.start)}..${hex(range.end)} ${runs.join(' -> ')}${why}`;
    }
  }
}

const wayText = ({ translation, domains }: DeviceWay): string =>
  translation === 'table' ? `domain ${domains.map(({ domainId }) => domainId).join(', ')}` : translation;

const domainText = (row: DomainRow): string => `${domainName(row)}, ${row.format}, ${row.levels} levels`;

const runText = ({ paddr, perm, pageSize, accessed, dirty }: Run): string =>
  `${hex(paddr)} ${perm} ${formatSize(pageSize)} ${accessed ? 'A' : '-'}${dirty ? 'D' : '-'}`;

/** docs/questions.md describes the lines. */
function differenceJson(row: Difference): object {
  if (row.kind !== 'run') return { type: row.kind, ...without(row) };
  const { change, what, domains, range, before, after } = row;
  const { iommu, stage, domainId, root } = domains.before;
  return {
    type: 'run',
    change,
    what,
    ...{ iommu, stage, domain: domainId, root },
    iova: range.start,
    length: range.end - range.start,
    ...(before ? { before: runJson(before) } : {}),
    ...(after ? { after: runJson(after) } : {}),
  };
}

function without(row: Exclude<Difference, { kind: 'run' }>): object {
  const { kind: _kind, ...rest } = row;
  return rest;
}

const runJson = ({ paddr, perm, pageSize, accessed, dirty, level, word, entry }: Run): object => ({
  paddr,
  perm,
  size: pageSize,
  accessed,
  dirty,
  level,
  entry: word,
  address: entry.address,
});
