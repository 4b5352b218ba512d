import {
  domainKeyOf,
  formatSize,
  hex,
  mappingRow,
  sameDomain,
  type DeviceRow,
  type DomainRow,
  type Run,
} from '../../inspection/protocol';
import { parseDevice, parseDomain, parseLimit, parsePasid, parseStage, type AskedDevice } from '../arguments';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { badInput, badUsage, fromFailure } from '../errors';
import { listOf } from '../session';
import { type Column } from '../table';
import { askedName, deviceName, domainName } from '../words';

interface ListOptions extends CommonOptions {
  readonly domain?: number;
  readonly device?: AskedDevice;
  readonly pasid?: number;
  readonly stage?: 1 | 2;
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
    'smmu.elf.gz --device 00:02.0 --stage 2',
  ],
  configure(command) {
    command
      .option('--domain <id>', 'only the domain with this id', parseDomain)
      .option('--device <device>', 'only the domains of this device: 00:02.0 or 0x10', parseDevice)
      .option('--pasid <number>', 'with --device: of its requests with this PASID', parsePasid)
      .option('--stage <1|2>', 'only domains of this stage', parseStage)
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
    if (options.pasid !== undefined && options.device === undefined) {
      throw badUsage('--pasid needs --device');
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
  const { device, stage } = options;
  const all = await session.domains(options.iommu);
  if (device !== undefined) return domainsOfDevice(call, device, all);
  const ofStage = all.filter((domain) => stage === undefined || domain.stage === stage);
  if (options.domain === undefined) return ofStage;
  const found = ofStage.filter((domain) => domain.domainId === options.domain);
  if (found.length === 1 || areHalves(found)) return found;
  const named = `domain ${options.domain}${stage === undefined ? '' : ` of stage ${stage}`}`;
  throw found.length === 0
    ? badInput(`there is no ${named}`, `domains here: ${listOf(ofStage.map(domainName)) || 'none'}`)
    : badInput(
        `${named} is not the only one with this id: ${listOf(found.map(domainName))}`,
        howToChoose(found),
      );
}

/** True of the two halves of one space of addresses, each with its own tables. */
function areHalves([one, other, ...more]: readonly DomainRow[]): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    more.length === 0 &&
    one.upper !== other.upper &&
    sameDomain({ ...one, root: other.root, levels: other.levels }, other)
  );
}

/** The option that tells domains of one id apart. */
function howToChoose(found: readonly DomainRow[]): string {
  if (new Set(found.map(({ iommu }) => iommu)).size > 1) return 'choose with --iommu NAME';
  if (new Set(found.map(({ stage }) => stage)).size > 1) return 'choose with --stage 1 or --stage 2';
  return `choose with --device: ${listOf(found.flatMap(({ requesters }) => requesters.map(deviceName)))}`;
}

/** Those that take the device's addresses, two where the upper half has its own; with --stage those of that stage. */
async function domainsOfDevice(
  call: Call<ListOptions>,
  asked: AskedDevice,
  domains: readonly DomainRow[],
): Promise<readonly DomainRow[]> {
  const { options } = call;
  const name = nameOf(asked, options.pasid);
  const device = await findDevice(call, asked);
  const stage = options.stage ?? device.domains[0]?.stage;
  const keys = device.domains.filter((key) => key.stage === stage);
  const found = domains.filter((row) => keys.some((key) => sameDomain(row, key)));
  if (found.length > 0) return found;
  if (device.domains.length > 0 && options.stage !== undefined) {
    throw badInput(`device ${name} has no stage ${options.stage}`, `leave --stage out`);
  }
  throw badInput(
    device.translation === 'pass-through'
      ? `device ${name} is passed through: it has no page table, every IOVA is its own physical address`
      : `device ${name} has no page table: its translation is ${device.translation}`,
    `iopte walk --device ${askedName(asked)} --iova 0x... says what happens to a request`,
  );
}

const nameOf = (asked: AskedDevice, pasid: number | undefined): string =>
  pasid === undefined ? askedName(asked) : `${askedName(asked)} with PASID ${hex(pasid)}`;

/** The one row of the device, which may have several IOMMUs, and processes. */
async function findDevice(call: Call<ListOptions>, asked: AskedDevice): Promise<DeviceRow> {
  const { session, options } = call;
  const { requester, segment } = asked;
  const name = nameOf(asked, options.pasid);
  const segmentOf = new Map(session.summary.iommus.map((iommu) => [iommu.name, iommu.segment]));
  const segments = new Set(segmentOf.values());
  if (segment !== undefined && !segments.has(segment)) {
    const here = [...segments].map((each) => each.toString(16).padStart(4, '0'));
    throw badInput(`no IOMMU has the PCI segment of ${name}`, `segments here: ${listOf(here)}`);
  }
  const rows = (await session.devices(options.iommu)).filter(
    (row) => segment === undefined || segmentOf.get(row.iommu) === segment,
  );
  const own = rows.filter((row) => row.requester === requester);
  const found = own.filter(({ pasid }) => pasid === (options.pasid ?? null));
  const [device] = found;
  if (!device) {
    const pasids = own.flatMap(({ pasid }) => (pasid === null ? [] : [hex(pasid)]));
    throw badInput(
      `no entry for device ${name}`,
      own.length > 0
        ? `PASIDs of ${askedName(asked)}: ${listOf(pasids) || 'none'}`
        : `devices here: ${listOf([...new Set(rows.map((row) => deviceName(row.requester)))]) || 'none'}`,
    );
  }
  if (found.length === 1) return device;
  throw badInput(
    `device ${name} has an entry in more than one IOMMU: ${listOf(found.map(({ iommu }) => iommu))}`,
    'choose with --iommu NAME',
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
      await output.table(columnsOf(domain), page.rows.map(runCells), { indent: 2, heading: rows === 0 });
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
const columnsOf = ({ below }: DomainRow): readonly Column[] => [
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'END', align: 'right', width: 18 },
  { title: 'LENGTH', align: 'right', width: 8 },
  // What a nested stage 1 gives is translated once more.
  { title: below ? 'GUEST PHYSICAL' : 'PHYSICAL', align: 'right', width: 15 },
  { title: 'PERM', width: 4 },
  { title: 'PAGES', align: 'right', width: 13 },
  { title: 'LEVEL', align: 'right' },
  { title: 'A/D', width: 3 },
  { title: 'FIRST ENTRY', align: 'right', width: 18 },
];

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
