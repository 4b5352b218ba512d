import {
  domainKeyOf,
  formatSize,
  hex,
  mappingRow,
  sameDomain,
  type DomainRow,
  type Run,
} from '../../inspection/protocol';
import { parseDevice, parseDomain, parseLimit } from '../arguments';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { badInput, badUsage, fromFailure } from '../errors';
import { listOf } from '../session';
import { deviceName, domainName } from '../words';

interface ListOptions extends CommonOptions {
  readonly domain?: number;
  readonly device?: number;
  readonly iommu?: string;
  readonly where?: string;
  readonly limit?: number;
}

/** Runs asked for at once. */
const PAGE = 1000;

export const list: CliCommand<ListOptions> = {
  name: 'list',
  summary: 'list what is mapped: neighbours that continue each other are merged into runs',
  examples: [
    'vtd.elf.gz',
    'vtd.elf.gz --device 00:07.0 --where "size >= 2M and perm = rw"',
    'vtd.elf.gz --domain 5 --limit 20 --json',
  ],
  configure(command) {
    command
      .option('--domain <id>', 'only the domain with this id', parseDomain)
      .option('--device <device>', 'only the domain of this device: 00:02.0 or 0x10', parseDevice)
      .option('--iommu <name>', 'only domains of this IOMMU')
      .option('--where <filter>', 'only what matches: perm = rw and iova in 0x1000..0x2000 (docs/filter.md)')
      .option('--limit <rows>', 'at most so many rows', parseLimit);
  },
  async run(call) {
    const { session, options, note } = call;
    const where = options.where ?? '';
    if (options.domain !== undefined && options.device !== undefined) {
      throw badUsage('--domain and --device cannot be given together');
    }
    if (where !== '') await session.checkFilter(where);
    let left = options.limit ?? Infinity;
    for (const domain of await chooseDomains(call)) {
      if (left <= 0) {
        note(`stopped at --limit ${options.limit ?? 0}, before ${domainName(domain)}`);
        return;
      }
      left -= await listDomain(call, domain, where, left);
    }
  },
};

/** The domains that were asked for; an id that names none or more than one is refused with the candidates. */
async function chooseDomains(call: Call<ListOptions>): Promise<readonly DomainRow[]> {
  const { session, options } = call;
  const all = await session.domains(options.iommu);
  if (options.device !== undefined) return [await domainOfDevice(call, options.device, all)];
  if (options.domain === undefined) return all;
  const found = all.filter((domain) => domain.domainId === options.domain);
  if (found.length === 1) return found;
  throw found.length === 0
    ? badInput(
        `there is no domain ${options.domain}`,
        `domains here: ${listOf(all.map(domainName)) || 'none'}`,
      )
    : badInput(
        `domain ${options.domain} is not the only one with this id: ${listOf(found.map(domainName))}`,
        new Set(found.map((domain) => domain.iommu)).size > 1
          ? 'choose with --iommu NAME'
          : `choose with --device: ${listOf(found.flatMap((domain) => domain.requesters.map(deviceName)))}`,
      );
}

async function domainOfDevice(
  call: Call<ListOptions>,
  requester: number,
  domains: readonly DomainRow[],
): Promise<DomainRow> {
  const { session, options } = call;
  const name = deviceName(requester);
  const devices = await session.devices(options.iommu);
  const found = devices.filter((row) => row.requester === requester && row.pasid === null);
  const [device] = found;
  if (!device) {
    throw badInput(
      `no context entry for device ${name}`,
      `devices here: ${listOf([...new Set(devices.map((row) => deviceName(row.requester)))]) || 'none'}`,
    );
  }
  if (found.length > 1) {
    throw badInput(
      `device ${name} has a context entry in more than one IOMMU: ${listOf(found.map((row) => row.iommu))}`,
      'choose with --iommu NAME',
    );
  }
  const [key] = device.domains;
  const domain = key && domains.find((row) => sameDomain(row, key));
  if (domain) return domain;
  throw badInput(
    device.translation === 'pass-through'
      ? `device ${name} is passed through: it has no page table, every IOVA is its own physical address`
      : `device ${name} has no page table: its translation is ${device.translation}`,
    `iopte walk --device ${name} --iova 0x... says what happens to a request`,
  );
}

/** Gives the number of rows it wrote. */
async function listDomain(
  call: Call<ListOptions>,
  domain: DomainRow,
  where: string,
  limit: number,
): Promise<number> {
  const { session, output, options, note } = call;
  const json = options.json === true;
  let rows = 0;
  let cursor: string | undefined;
  const leftOut = { tables: 0, cycles: 0 };
  if (!json) await output.title(`${domainName(domain)}: ${domain.requesters.map(deviceName).join(' ')}`);
  do {
    const page = await session.request('list', {
      inspection: session.inspection,
      domain: domainKeyOf(domain),
      where,
      page: { limit: Math.min(PAGE, limit - rows), ...(cursor === undefined ? {} : { cursor }) },
    });
    if (json) await output.json(page.rows.map((run) => mappingRow(domain, run)));
    else if (page.rows.length > 0)
      await output.table(COLUMNS, page.rows.map(runCells), { indent: 2, heading: rows === 0 });
    leftOut.tables += page.unreadableTables;
    leftOut.cycles += page.cycles;
    if (page.gaveUp) throw fromFailure(page.gaveUp);
    rows += page.rows.length;
    cursor = page.next;
  } while (cursor !== undefined && rows < limit);
  if (cursor !== undefined) note(`stopped at --limit ${options.limit ?? 0}, within ${domainName(domain)}`);
  if (!json && rows === 0) await output.lines([where === '' ? '  nothing is mapped' : '  nothing matches']);
  const name = domainName(domain);
  if (leftOut.tables > 0) note(`warning: ${name}: ${leftOut.tables} tables are not in the image`);
  if (leftOut.cycles > 0)
    note(`warning: ${name}: ${leftOut.cycles} entries point back to a table above them`);
  return rows;
}

/** With widths, so that the parts of a long table stand under each other. */
const COLUMNS = [
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'END', align: 'right', width: 18 },
  { title: 'LENGTH', align: 'right', width: 8 },
  { title: 'PHYSICAL', align: 'right', width: 15 },
  { title: 'PERM', width: 4 },
  { title: 'PAGES', align: 'right', width: 13 },
  { title: 'LEVEL', align: 'right' },
  { title: 'A/D', width: 3 },
  { title: 'FIRST ENTRY', align: 'right', width: 18 },
] as const;

function runCells(run: Run): readonly string[] {
  return [
    hex(run.iova),
    hex(run.iova + run.length),
    formatSize(run.length),
    hex(run.paddr),
    run.perm,
    `${run.count} x ${formatSize(run.pageSize)}`,
    String(run.level),
    `${run.accessed ? 'A' : '-'}${run.dirty ? 'D' : '-'}`,
    hex(run.word),
  ];
}
