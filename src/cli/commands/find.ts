import { formatSize, hex, mappingRow, parseRange, type Alias, type Found } from '../../inspection/protocol';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { badUsage } from '../errors';
import { readPages, wordsOf, type Answered, type WordsOf } from '../pages';
import { type Column } from '../table';
import { deviceName, domainName, tagName, userName } from '../words';
import { parseLimit } from '../arguments';

interface FindOptions extends CommonOptions {
  readonly aliases?: boolean;
  readonly limit?: number;
}

export const find: CliCommand<FindOptions> = {
  name: 'find',
  summary: 'find what reaches physical memory: every domain and device; or what is mapped more than once',
  examples: [
    'vtd.elf.gz 0x14ece5000',
    'vtd.elf.gz 0x100000000..0x140000000 --json',
    'vtd.elf.gz 0x9d61000+16K',
    'vtd.elf.gz --aliases',
  ],
  operand: {
    syntax: '[ADDRESS]',
    help: 'physical address, or a range: 0x1000..0x2000 (half-open) or 0x1000+4K',
    isSource: false,
  },
  configure(command) {
    command
      .option('--aliases', 'list physical memory that is mapped more than once, instead')
      .option('--limit <rows>', 'at most so many rows', parseLimit);
  },
  async run(call) {
    const { operand, options } = call;
    if (options.aliases === true) {
      if (operand !== undefined) throw badUsage('--aliases takes no address', 'leave the address out');
      await listAliases(call);
      return;
    }
    const range = operand === undefined ? undefined : parseRange(operand);
    if (range) await findRange(call, range);
    else {
      throw badUsage(
        operand === undefined ? 'an address is missing' : `'${operand}' is no physical address or range`,
        'write 0x14ece5000, 0x1000..0x2000 (without the end) or 0x1000+4K; or give --aliases',
      );
    }
  },
};

type Range = NonNullable<ReturnType<typeof parseRange>>;

async function findRange(call: Call<FindOptions>, range: Range): Promise<void> {
  const { session, options, output } = call;
  const words = wordsOf(session);
  const answered = await readPages(
    options.limit ?? Infinity,
    (page) => session.request('find', { inspection: session.inspection, range, page }),
    async ({ rows }, heading) => {
      if (options.json === true) await output.json(rows.map(foundJson));
      else if (rows.length > 0) {
        await output.table(
          FOUND_COLUMNS,
          rows.map((found) => foundCells(found, words)),
          { heading },
        );
      }
    },
  );
  if (answered.stopped) call.note(`stopped at --limit ${answered.rows}`);
  if (answered.rows === 0 && options.json !== true) {
    await output.lines([nothing('nothing reaches this memory', answered)]);
  }
  noteWarnings(call, answered);
}

/** Nothing was found: as far as it could be read. */
const nothing = (text: string, { warnings }: Answered): string =>
  warnings.length === 0 ? text : `${text}, as far as it can be read`;

function noteWarnings({ note }: Call<FindOptions>, { warnings }: Answered): void {
  for (const warning of warnings) note(`warning: ${warning}`);
}

/** As `iopte list --json` has a run; docs/questions.md says the rest. */
function foundJson(found: Found): object {
  if (found.kind === 'run') {
    const { domain, run, guest, interrupt } = found;
    return {
      type: 'mapping',
      ...mappingRow(domain, run),
      sids: domain.requesters.map(hex),
      ...(guest === undefined ? {} : { guest }),
      ...(interrupt ? { interrupt } : {}),
    };
  }
  const { iommu, range, perm, devices, count, off, absent } = found;
  return {
    type: 'pass-through',
    iommu,
    iova: range.start,
    length: range.end - range.start,
    paddr: range.start,
    perm,
    sids: devices.map(({ requester }) => hex(requester)),
    devices: count,
    ...(absent ? { absent } : {}),
    ...(off === undefined ? {} : { off }),
  };
}

const FOUND_COLUMNS: readonly Column[] = [
  { title: 'PHYSICAL', align: 'right', width: 15 },
  { title: 'LENGTH', align: 'right', width: 8 },
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'PERM', width: 4 },
  { title: 'PAGE', align: 'right', width: 4 },
  { title: 'A/D', width: 3 },
  { title: 'REACHED BY', wrap: true },
];

function foundCells(found: Found, words: WordsOf): readonly string[] {
  if (found.kind === 'pass-through') {
    const { range, perm } = found;
    const size = formatSize(range.end - range.start);
    return [hex(range.start), size, 'the same', perm, '-', '-', passingWords(found, words)];
  }
  const { run, domain, guest, interrupt } = found;
  const marks = `${run.accessed ? 'A' : '-'}${run.dirty ? 'D' : '-'}`;
  const parts = [
    `${domainName(domain)}: ${domain.requesters.map(deviceName).join(' ')}`,
    ...(guest === undefined ? [] : [`through guest address ${hex(guest)}`]),
    ...(interrupt ? ['taken for an interrupt: no request gets there'] : []),
  ];
  return [
    hex(run.paddr),
    formatSize(run.length),
    hex(run.iova),
    run.perm,
    formatSize(run.pageSize),
    marks,
    parts.join(', '),
  ];
}

function passingWords(found: Found & { kind: 'pass-through' }, words: WordsOf): string {
  const { iommu, devices, count, off, absent } = found;
  if (off !== undefined) return `every device of ${iommu}: ${off}`;
  const names = devices.map((device) => userName(device, words(iommu)));
  const more = count > devices.length ? ` and ${count - devices.length} more` : '';
  const what = absent ? 'without a valid entry, which lets requests pass' : 'in pass-through';
  return `${iommu}, devices ${what}: ${names.join(' ')}${more}`;
}

async function listAliases(call: Call<FindOptions>): Promise<void> {
  const { session, options, output, note } = call;
  const words = wordsOf(session);
  let total: number | undefined;
  const answered = await readPages(
    options.limit ?? Infinity,
    (page) => session.request('aliases', { inspection: session.inspection, page }),
    async (page, heading) => {
      ({ total } = page);
      if (options.json === true) await output.json(page.rows.map(aliasJson));
      else if (page.rows.length > 0) {
        await output.table(
          ALIAS_COLUMNS,
          page.rows.map((alias) => aliasCells(alias, words)),
          { heading },
        );
      }
    },
  );
  if (answered.stopped) note(`stopped at --limit ${answered.rows} of ${total ?? '?'}`);
  if (answered.rows === 0 && options.json !== true) {
    await output.lines([nothing('no memory is mapped more than once', answered)]);
  }
  noteWarnings(call, answered);
}

const aliasJson = ({ kind, range, held, count, domains, mappings }: Alias): object => ({
  type: 'alias',
  kind,
  paddr: range.start,
  length: range.end - range.start,
  held,
  count,
  domains,
  mappings: mappings.map(({ domain, iova, perm }) => ({
    iommu: domain.iommu,
    stage: domain.stage,
    domain: domain.domainId,
    root: domain.root,
    iova,
    perm,
  })),
});

const ALIAS_COLUMNS: readonly Column[] = [
  { title: 'KIND', width: 8 },
  { title: 'PHYSICAL', align: 'right', width: 15 },
  { title: 'LENGTH', align: 'right', width: 8 },
  { title: 'MAPPED', align: 'right', width: 6 },
  { title: 'DOMAINS', align: 'right', width: 7 },
  { title: 'BY (DOMAIN@IOVA)', wrap: true },
];

function aliasCells(alias: Alias, words: WordsOf): readonly string[] {
  const { kind, range, held, count, domains, mappings } = alias;
  const names = mappings.map(
    ({ domain, iova, perm }) =>
      `${domain.iommu}/${tagName(domain, words(domain.iommu))}@${hex(iova)} ${perm}`,
  );
  const more = count > mappings.length ? `, and ${count - mappings.length} more` : '';
  const outside = held ? '' : ' (not in the image)';
  return [
    kind,
    hex(range.start),
    formatSize(range.end - range.start),
    String(count),
    String(domains),
    `${names.join(', ')}${more}${outside}`,
  ];
}
