import {
  domainKeyOf,
  domainTag,
  formatSize,
  hex,
  type DeviceRow,
  type DomainKey,
  type DomainRow,
  type DomainStatistics,
  type InspectionSummary,
  type IommuSummary,
  type Permission,
  type VendorWords,
} from '../../inspection/protocol';
import { type CliCommand, type CommonOptions } from '../command';
import { fromFailure } from '../errors';
import { type Output } from '../output';
import { type Session } from '../session';
import { deviceName, domainName } from '../words';

interface CountedDomain {
  readonly domain: DomainRow;
  readonly statistics: DomainStatistics;
}

interface InspectOptions extends CommonOptions {
  readonly all?: boolean;
}

export const inspect: CliCommand<InspectOptions> = {
  name: 'inspect',
  summary: 'show what the image is: IOMMUs, registers, devices, domains with statistics',
  examples: [
    'vtd.elf.gz',
    'vtd.iopte.json --json',
    'vtd.elf.gz --registers RTADDR=0x2f8f000,GSTS=0xc7000000',
  ],
  configure(command) {
    command.option('--all', 'every field of every register, also what is clear');
  },
  async run({ session, output, options }) {
    const { summary } = session;
    const readable = summary.iommus.some((iommu) => iommu.failure === undefined);
    const devices = readable ? await session.devices() : [];
    const domains = readable ? await session.domains() : [];
    if (options.json === true) await writeJson(output, session, summary, devices, domains);
    else await writeText(output, session, summary, devices, domains, options.all === true);
    const [first] = summary.iommus;
    if (!readable && first?.failure) throw fromFailure(first.failure);
  },
};

function statisticsOf(session: Session, domain: DomainRow): Promise<DomainStatistics> {
  return session.request('statistics', { inspection: session.inspection, domain: domainKeyOf(domain) });
}

async function writeJson(
  output: Output,
  session: Session,
  summary: InspectionSummary,
  devices: readonly DeviceRow[],
  domains: readonly DomainRow[],
): Promise<void> {
  const { image } = summary;
  await output.json([
    { type: 'image', ...image, bytesHeld: Number(image.bytesHeld) },
    ...summary.problems.map(({ severity, code, message }) => ({ type: 'problem', severity, code, message })),
    ...summary.iommus.map((iommu) => ({
      type: 'iommu',
      name: iommu.name,
      kind: iommu.kind,
      segment: iommu.segment,
      mode: iommu.mode,
      translating: iommu.translating,
      ...(iommu.off === undefined ? {} : { off: iommu.off }),
      registers: Object.fromEntries(iommu.registers.map((register) => [register.name, register.value])),
      ...(iommu.failure ? { failure: iommu.failure } : {}),
    })),
    ...devices.map((device) => ({
      type: 'device',
      iommu: device.iommu,
      sid: hex(device.requester),
      bdf: deviceName(device.requester),
      pasid: device.pasid === null ? null : hex(device.pasid),
      translation: device.translation,
      domain: device.domains[0]?.domainId ?? null,
      root: device.domains[0]?.root ?? null,
      domains: device.domains.map(({ stage, domainId, root }) => ({ stage, domain: domainId, root })),
      context: device.context.address,
      problems: device.problems.map(({ code, message }) => ({ code, message })),
    })),
  ]);
  for (const domain of domains) {
    const statistics = await statisticsOf(session, domain);
    await output.json([domainJson({ domain, statistics })]);
  }
}

function domainJson({ domain, statistics }: CountedDomain): object {
  return {
    type: 'domain',
    iommu: domain.iommu,
    domain: domain.domainId,
    stage: domain.stage,
    tag: domain.tag,
    ...(domain.upper ? { upper: true } : {}),
    ...(domain.below ? { below: { domain: domain.below.domainId, root: domain.below.root } } : {}),
    root: domain.root,
    format: domain.format,
    levels: domain.levels,
    addressBits: domain.addressBits,
    sids: domain.requesters.map(hex),
    mappedBytes: statistics.mappedBytes,
    leaves: Number(statistics.leaves),
    leavesBySize: statistics.leavesBySize.map(({ level, pageSize, leaves, accessedBytes, dirtyBytes }) => ({
      level,
      size: pageSize,
      leaves: Number(leaves),
      accessedBytes,
      dirtyBytes,
    })),
    leavesByPermission: Object.fromEntries(
      byPermission(statistics).map(({ perm, leaves }) => [perm, Number(leaves)]),
    ),
    tablesByLevel: Object.fromEntries(
      statistics.tablesByLevel.map(({ level, tables }) => [String(level), Number(tables)]),
    ),
    accessed: Number(statistics.accessed),
    dirty: Number(statistics.dirty),
    problems: Number(statistics.problems),
    unreadableTables: Number(statistics.unreadableTables),
    complete: statistics.complete,
    ...(statistics.why === undefined ? {} : { why: statistics.why }),
  };
}

async function writeText(
  output: Output,
  session: Session,
  summary: InspectionSummary,
  devices: readonly DeviceRow[],
  domains: readonly DomainRow[],
  all: boolean,
): Promise<void> {
  const { image } = summary;
  await output.lines([
    `Image    ${image.name}`,
    `Format   ${image.format}`,
    `Memory   ${formatSize(image.bytesHeld)} in ${image.segments} segments, up to ${hex(image.highestAddress)}`,
  ]);
  for (const iommu of summary.iommus) {
    await output.lines(['']);
    await writeIommu(output, iommu, all);
    if (iommu.failure) continue;
    await writeDevices(
      output,
      iommu,
      devices.filter((device) => device.iommu === iommu.name),
    );
    await writeDomains(
      output,
      session,
      iommu,
      domains.filter((domain) => domain.iommu === iommu.name),
    );
  }
}

async function writeIommu(output: Output, iommu: IommuSummary, all: boolean): Promise<void> {
  const state = iommu.translating ? 'translation on' : 'translation off';
  await output.title(`${iommu.name}: ${iommu.mode}, PCI segment ${iommu.segment}, ${state}`);
  if (iommu.failure) await output.lines([output.red(`  ${iommu.failure.message}`)]);
  if (iommu.off !== undefined) await output.lines([output.red(`  ${iommu.off}`)]);
  const rows = iommu.registers.flatMap((register) => [
    [register.name, '', '', hex(register.value), ''],
    // Reserved bits that are clear, and what a register does not offer, would only hide the rest.
    ...register.fields
      .filter(({ kind, value }) => all || value !== 0n || (kind !== 'reserved' && kind !== 'attribute'))
      .map((field) => [
        '',
        field.name,
        field.high === field.low ? String(field.high) : `${field.high}:${field.low}`,
        hex(field.value),
        field.meaning,
      ]),
  ]);
  await output.table(
    [
      { title: 'REGISTER' },
      { title: 'FIELD' },
      { title: 'BITS', align: 'right' },
      { title: 'VALUE', align: 'right' },
      { title: 'MEANING', wrap: true },
    ],
    rows,
    { indent: 2 },
  );
}

async function writeDevices(
  output: Output,
  { words }: IommuSummary,
  devices: readonly DeviceRow[],
): Promise<void> {
  await output.lines(['']);
  await output.title(`  Devices: ${devices.length}`);
  if (devices.length === 0) return;
  await output.table(
    [
      { title: 'DEVICE' },
      { title: words.requester.toUpperCase(), align: 'right' },
      { title: words.pasid.toUpperCase(), align: 'right' },
      { title: 'TRANSLATION' },
      { title: 'DOMAIN' },
      { title: 'ROOT', align: 'right' },
      { title: 'ENTRY', align: 'right' },
      { title: 'PROBLEMS', wrap: true },
    ],
    devices.map((device) => [
      deviceName(device.requester),
      hex(device.requester),
      device.pasid === null ? '-' : hex(device.pasid),
      device.translation,
      device.domains.map((domain) => ownTag(domain, words)).join(', ') || '-',
      device.domains.map(({ root }) => hex(root)).join(', ') || '-',
      hex(device.context.address),
      device.problems.map((problem) => problem.message).join('; '),
    ]),
    { indent: 2 },
  );
}

/** Of one domain among the device's others, which say themselves what is below. */
const ownTag = ({ below: _below, ...domain }: DomainKey, words: VendorWords): string =>
  domainTag(domain, words);

async function writeDomains(
  output: Output,
  session: Session,
  { words }: IommuSummary,
  domains: readonly DomainRow[],
): Promise<void> {
  await output.lines(['']);
  await output.title(`  Domains: ${domains.length}`);
  if (domains.length === 0) return;
  const counted: CountedDomain[] = [];
  for (const domain of domains) counted.push({ domain, statistics: await statisticsOf(session, domain) });
  await output.table(
    [
      { title: 'DOMAIN' },
      { title: 'STAGE' },
      { title: 'FORMAT' },
      { title: 'ROOT', align: 'right' },
      { title: 'LEVELS', align: 'right' },
      { title: 'MAPPED', align: 'right' },
      { title: 'LEAVES', align: 'right' },
      { title: 'BY SIZE' },
      { title: 'BY PERMISSION' },
      { title: 'ACCESSED, DIRTY' },
      { title: 'TABLES BY LEVEL' },
      { title: 'PROBLEMS', align: 'right' },
      { title: 'DEVICES', wrap: true },
    ],
    counted.map((each) => domainCells(each, words)),
    { indent: 2 },
  );
  for (const { domain, statistics } of counted) {
    if (statistics.unreadableTables > 0n) {
      const tables = `${String(statistics.unreadableTables)} tables that are not in the image`;
      await output.lines([output.red(`  ${domainName(domain)} points to ${tables}`)]);
    }
    if (statistics.complete) continue;
    const why = statistics.why ?? 'it is too large';
    await output.lines([output.red(`  ${domainName(domain)} was not counted to its end: ${why}`)]);
  }
}

const PERMISSION_ORDER: readonly Permission[] = ['RW', 'R', 'W', '-'];

function byPermission({ leavesByPermission }: DomainStatistics): DomainStatistics['leavesByPermission'] {
  const place = ({ perm }: { readonly perm: Permission }): number => PERMISSION_ORDER.indexOf(perm);
  return [...leavesByPermission].sort((one, other) => place(one) - place(other));
}

function domainCells({ domain, statistics }: CountedDomain, words: VendorWords): readonly string[] {
  return [
    domainTag(domain, words),
    `${domain.stage}${domain.upper ? ', upper half' : ''}`,
    domain.format,
    hex(domain.root),
    String(domain.levels),
    formatSize(statistics.mappedBytes),
    String(statistics.leaves),
    statistics.leavesBySize
      .map(({ pageSize, leaves }) => `${String(leaves)} x ${formatSize(pageSize)}`)
      .join(', '),
    byPermission(statistics)
      .map(({ perm, leaves }) => `${String(leaves)} ${perm}`)
      .join(', '),
    marksCell(statistics),
    statistics.tablesByLevel.map(({ level, tables }) => `${String(tables)} at ${level}`).join(', '),
    statistics.problems === 0n ? '' : String(statistics.problems),
    domain.requesters.map(deviceName).join(' '),
  ];
}

/** `A 6M, D 2M (2M pages)`: bytes of the marked pages, and of which sizes the dirty ones are. */
function marksCell({ leavesBySize }: DomainStatistics): string {
  const sum = (of: (size: (typeof leavesBySize)[number]) => bigint): bigint =>
    leavesBySize.reduce((total, size) => total + of(size), 0n);
  const accessed = sum(({ accessedBytes }) => accessedBytes);
  const dirty = sum(({ dirtyBytes }) => dirtyBytes);
  if (accessed === 0n && dirty === 0n) return '';
  const sizes = leavesBySize.filter(({ dirtyBytes }) => dirtyBytes > 0n);
  const pages = sizes.map(({ pageSize }) => formatSize(pageSize)).join(', ');
  return `A ${formatSize(accessed)}, D ${formatSize(dirty)}${pages === '' ? '' : ` (${pages} pages)`}`;
}
