import {
  formatSize,
  hex,
  mappingRow,
  parseRange,
  type Alias,
  type AliasPage,
  type Found,
  type FoundPage,
} from '../../inspection/protocol';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { badUsage, fromFailure } from '../errors';
import { type Column } from '../table';
import { deviceName, domainName } from '../words';
import { parseLimit } from '../arguments';

interface FindOptions extends CommonOptions {
  readonly aliases?: boolean;
  readonly limit?: number;
}

/** Rows asked for at once. */
const PAGE = 1000;

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
  const { session, options, output, note } = call;
  const limit = options.limit ?? Infinity;
  let rows = 0;
  let cursor: string | undefined;
  let tables = 0;
  let unread: readonly string[];
  do {
    const page: FoundPage = await session.request('find', {
      inspection: session.inspection,
      range,
      page: { limit: Math.min(PAGE, limit - rows), ...(cursor === undefined ? {} : { cursor }) },
    });
    if (options.json === true) await output.json(page.rows.map(foundJson));
    else if (page.rows.length > 0)
      await output.table(FOUND_COLUMNS, page.rows.map(foundCells), { heading: rows === 0 });
    rows += page.rows.length;
    tables += page.unreadableTables;
    unread = page.unreadIommus;
    if (page.gaveUp) throw fromFailure(page.gaveUp);
    cursor = page.next;
  } while (cursor !== undefined && rows < limit);
  if (cursor !== undefined) note(`stopped at --limit ${rows}`);
  if (rows === 0 && options.json !== true) await output.lines(['nothing reaches this memory']);
  noteUnread(call, tables, unread);
}

function noteUnread({ note }: Call<FindOptions>, tables: number, iommus: readonly string[]): void {
  if (tables > 0) note(`warning: ${tables} tables are not in the image: what they map is not known`);
  for (const name of iommus) note(`warning: ${name} cannot be read: what it maps is not known`);
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

function foundCells(found: Found): readonly string[] {
  if (found.kind === 'pass-through') {
    const { range, perm } = found;
    const size = formatSize(range.end - range.start);
    return [hex(range.start), size, 'the same', perm, '-', '-', passingWords(found)];
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

function passingWords({ iommu, devices, count, off, absent }: Found & { kind: 'pass-through' }): string {
  if (off !== undefined) return `every device of ${iommu}: ${off}`;
  const names = devices.map(({ requester, pasid }) =>
    pasid === null ? deviceName(requester) : `${deviceName(requester)} PASID ${hex(pasid)}`,
  );
  const more = count > devices.length ? ` and ${count - devices.length} more` : '';
  const what = absent ? 'without a valid entry, which lets requests pass' : 'in pass-through';
  return `${iommu}, devices ${what}: ${names.join(' ')}${more}`;
}

async function listAliases(call: Call<FindOptions>): Promise<void> {
  const { session, options, output, note } = call;
  const limit = options.limit ?? Infinity;
  let rows = 0;
  let page: AliasPage;
  let cursor: string | undefined;
  do {
    page = await session.request('aliases', {
      inspection: session.inspection,
      page: { limit: Math.min(PAGE, limit - rows), ...(cursor === undefined ? {} : { cursor }) },
    });
    if (options.json === true) await output.json(page.rows.map(aliasJson));
    else if (page.rows.length > 0)
      await output.table(ALIAS_COLUMNS, page.rows.map(aliasCells), { heading: rows === 0 });
    rows += page.rows.length;
    cursor = page.next;
  } while (cursor !== undefined && rows < limit);
  if (cursor !== undefined) note(`stopped at --limit ${rows} of ${page.total ?? '?'}`);
  if (rows === 0 && options.json !== true) await output.lines(['no memory is mapped more than once']);
  if (page.incomplete !== undefined) note(`warning: ${page.incomplete}`);
  noteUnread(call, page.unreadableTables, page.unreadIommus);
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

function aliasCells({ kind, range, held, count, domains, mappings }: Alias): readonly string[] {
  const names = mappings.map(
    ({ domain, iova, perm }) => `${domain.iommu}/${domain.domainId}@${hex(iova)} ${perm}`,
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
