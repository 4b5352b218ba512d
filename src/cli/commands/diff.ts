import {
  formatSize,
  hex,
  type DeviceWay,
  type Difference,
  type DomainKey,
  type DomainRow,
  type IommuState,
  type Run,
} from '../../inspection/protocol';
import { parseLimit } from '../arguments';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { DIFF_EXIT } from '../errors';
import { readPages, wordsOf, type WordsOf } from '../pages';
import { deviceName, domainName, tagName, userName } from '../words';

interface DiffOptions extends CommonOptions {
  readonly ignoreAd?: boolean;
  readonly limit?: number;
}

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
    const printer = new Printer(call);
    const { rows, stopped, warnings, lacksDevices } = await readPages(
      options.limit ?? Infinity,
      (page) =>
        session.request('compare', {
          inspection: session.inspection,
          other: other.inspection,
          ignoreMarks: options.ignoreAd === true,
          page,
        }),
      async (page) => {
        if (options.json === true) await output.json(page.rows.map(differenceJson));
        else await printer.print(page.rows);
      },
    );
    if (stopped) note(`stopped at --limit ${rows}`);
    for (const warning of warnings) note(`warning: ${warning}`);
    for (const { summary } of [session, other]) {
      for (const { name, failure } of summary.iommus) if (failure) note(`${name}: ${failure.message}`);
    }
    if (lacksDevices) exitWith(DIFF_EXIT.trouble);
    else exitWith(rows === 0 ? DIFF_EXIT.equal : DIFF_EXIT.different);
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
    // An IOMMU that could not be read has no words of its own: those of the other side then serve.
    const sides = [wordsOf(session), wordsOf(other)] as const;
    for (const row of rows) {
      if (row.kind === 'run') {
        const title = keyName(row.domains.before, sides[0]);
        if (title !== this.#domain) await output.title(title);
        this.#domain = title;
      }
      await output.lines([`${row.kind === 'run' ? '  ' : ''}${SIGNS[row.change]} ${text(row, ...sides)}`]);
    }
  }
}

function keyName(domain: DomainKey, words: WordsOf): string {
  return `${tagName(domain, words(domain.iommu))} (root ${hex(domain.root)}) of ${domain.iommu}`;
}

function text(row: Difference, before: WordsOf, after: WordsOf): string {
  switch (row.kind) {
    case 'iommu': {
      const states = [row.before, row.after].flatMap((state) => (state ? [stateText(state)] : []));
      return `IOMMU ${row.iommu}: ${states.join(' -> ')}`;
    }
    case 'device': {
      const name = userName(row.device, before(row.iommu) ?? after(row.iommu));
      const waysWith = (showsRoots: boolean): string[] => [
        ...(row.before ? [wayText(row.before, before, showsRoots)] : []),
        ...(row.after ? [wayText(row.after, after, showsRoots)] : []),
      ];
      const [one, other] = waysWith(false);
      // Two domains may have one tag: their roots then tell them apart.
      const ways = waysWith(one === other);
      return `device ${name} of ${row.iommu}: ${ways.join(' -> ')}`;
    }
    case 'domain': {
      const rows = [row.before, row.after].flatMap((each) => (each ? [domainText(each)] : []));
      return rows.join(' -> ');
    }
    case 'run': {
      const { range, what } = row;
      const runs = [row.before, row.after].flatMap((run) => (run ? [runText(run)] : []));
      const why = what.length > 0 ? ` (${what.join(', ')})` : '';
      return `${hex(range.start)}..${hex(range.end)} ${runs.join(' -> ')}${why}`;
    }
  }
}

const stateText = ({ mode, translating, failure }: IommuState): string =>
  failure === undefined ? `${mode}, translation ${translating ? 'on' : 'off'}` : `cannot be read: ${failure}`;

function wayText({ translation, domains }: DeviceWay, words: WordsOf, showsRoots: boolean): string {
  if (translation !== 'table') return translation;
  const names = domains.map((domain) => {
    const tag = tagName(domain, words(domain.iommu));
    return showsRoots ? `${tag} (root ${hex(domain.root)})` : tag;
  });
  return names.join(', ');
}

const domainText = (row: DomainRow): string => `${domainName(row)}, ${row.format}, ${row.levels} levels`;

const runText = ({ paddr, perm, pageSize, accessed, dirty }: Run): string =>
  `${hex(paddr)} ${perm} ${formatSize(pageSize)} ${accessed ? 'A' : '-'}${dirty ? 'D' : '-'}`;

/** docs/questions.md describes the lines. Names are those of `inspect --json`. */
function differenceJson(row: Difference): object {
  const { change } = row;
  switch (row.kind) {
    case 'iommu': {
      const { iommu, before, after } = row;
      return { type: 'iommu', change, iommu, ...sides(before, after, (state) => state) };
    }
    case 'device': {
      const { iommu, device, before, after } = row;
      const { requester, pasid } = device;
      return {
        ...{ type: 'device', change, iommu, sid: hex(requester), bdf: deviceName(requester) },
        pasid: pasid === null ? null : hex(pasid),
        ...sides(before, after, wayJson),
      };
    }
    case 'domain':
      return { type: 'domain', change, ...sides(row.before, row.after, domainJson) };
    case 'run': {
      const { what, domains, range, before, after } = row;
      return {
        ...{ type: 'run', change, what, ...keyJson(domains.before) },
        ...{ iova: range.start, length: range.end - range.start },
        ...sides(before, after, runJson),
      };
    }
  }
}

const sides = <T>(before: T | undefined, after: T | undefined, json: (side: T) => object): object => ({
  ...(before === undefined ? {} : { before: json(before) }),
  ...(after === undefined ? {} : { after: json(after) }),
});

const keyJson = ({ iommu, stage, domainId, root }: DomainKey): object => ({
  ...{ iommu, stage, domain: domainId, root },
});

const wayJson = ({ translation, domains }: DeviceWay): object => ({
  translation,
  domains: domains.map(({ stage, domainId, root }) => ({ stage, domain: domainId, root })),
});

const domainJson = (row: DomainRow): object => {
  const { tag, upper, below, format, levels, addressBits, requesters } = row;
  return {
    ...{ ...keyJson(row), tag, format, levels, addressBits, sids: requesters.map(hex) },
    ...(upper ? { upper } : {}),
    ...(below ? { below: { domain: below.domainId, root: below.root } } : {}),
  };
};

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
