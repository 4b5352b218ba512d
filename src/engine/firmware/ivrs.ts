import { formatRequester, hex, requesterId } from '../values';
import { type AcpiTable, FIXED_BYTES } from './acpiTable';
import { type ByteReader } from './byteReader';
import { type Claim, type FirmwareIommu, type TableContents } from './ownership';
import { TableProblems } from './problems';
import { structuresOf } from './structures';

/** IVHD block types and the bytes before their device entries (AMD I/O Virtualization 3.10 §5.2.2). */
const IVHD_BYTES = new Map([
  [0x10, 24],
  [0x11, 40],
  [0x40, 40],
]);
/** Every block begins with its type, flags and its length. */
const BLOCK = { what: 'a block', lengthAt: 2, least: 4 };
/** Types of device entries (§5.2.2.1). */
const ENTRY = {
  all: 1,
  select: 2,
  rangeStart: 3,
  rangeEnd: 4,
  aliasSelect: 66,
  aliasRangeStart: 67,
  extendedSelect: 70,
  extendedRangeStart: 71,
  acpi: 240,
};
/** Of an ACPI device entry: where the unique id's length stands, and the bytes before the unique id. */
const UID_LENGTH_AT = 21;
const ACPI_ENTRY_BYTES = 22;

/** Half-open requester ids, and the DeviceID that all of them use where it is not their own. */
interface IdRange {
  readonly start: number;
  readonly end: number;
  readonly alias: number | undefined;
}

interface Unit {
  readonly iommu: FirmwareIommu;
  readonly segment: number;
  /** The IOMMU's own PCI function: blocks of other types with the same one describe the same IOMMU. */
  readonly deviceId: number;
  readonly type: number;
  readonly devices: DeviceEntries;
}

/** Reads the I/O Virtualization Reporting Structure (AMD I/O Virtualization 3.10 §5.2). */
export function readIvrs(table: AcpiTable): TableContents {
  const reader = new IvrsReader(table);
  reader.readBlocks();
  const { problems } = reader;
  const units = newest(reader.units);
  return {
    iommus: units.map(({ iommu }) => iommu),
    problems: problems.list,
    claims: (segment, requester) =>
      units.filter((unit) => unit.segment === segment).flatMap((unit) => claimsOf(unit, requester)),
  };
}

/** Firmware repeats an IOMMU for older software; the block of the highest type says most (§5.2.2). */
function newest(units: readonly Unit[]): Unit[] {
  const best = new Map<string, Unit>();
  for (const unit of units) {
    const key = `${unit.segment} ${unit.deviceId}`;
    if ((best.get(key)?.type ?? 0) <= unit.type) best.set(key, unit);
  }
  return [...best.values()];
}

class IvrsReader {
  readonly units: Unit[] = [];
  readonly problems: TableProblems;
  private readonly bytes: ByteReader;

  constructor(table: AcpiTable) {
    this.problems = new TableProblems(table);
    this.bytes = table.bytes;
  }

  readBlocks(): void {
    for (const { at, data } of structuresOf(this.bytes, FIXED_BYTES, BLOCK, this.problems)) {
      this.readBlock(at, data);
    }
  }

  private readBlock(at: number, block: ByteReader): void {
    const type = block.u8(0);
    // Blocks of memory (IVMD) say nothing about which IOMMU translates.
    const fixed = IVHD_BYTES.get(type);
    if (fixed === undefined) return;
    if (block.length < fixed) {
      this.problems.report(at, `a block of type ${hex(type)} has only ${block.length} bytes`);
    } else this.readUnit(at, block, fixed);
  }

  private readUnit(at: number, block: ByteReader, fixed: number): void {
    const base = block.address(8);
    if (!base) {
      this.problems.report(at, 'the register base of an IVHD cannot be an address');
      return;
    }
    const segment = block.u16(16);
    const iommu: FirmwareIommu = { kind: 'amd-vi', base, segments: [segment], table: 'IVRS' };
    const devices = new DeviceEntries();
    const wrong = devices.read(block, fixed);
    if (wrong) this.problems.report(at + wrong.offset, wrong.what);
    this.units.push({ iommu, segment, deviceId: block.u16(4), type: block.u8(0), devices });
  }
}

/** The device entries of one IVHD block. */
class DeviceEntries {
  readonly ranges: IdRange[] = [];
  all = false;

  /** Gives what is wrong with the first entry that cannot be read. */
  read(block: ByteReader, first: number): { readonly offset: number; readonly what: string } | undefined {
    let open: { readonly start: number; readonly alias: number | undefined } | undefined;
    let at = first;
    while (at < block.length) {
      const type = block.u8(at);
      const length = entryLength(block, at, type);
      if (length === 0 || at + length > block.length) {
        return { offset: at, what: `a device entry of type ${type} does not fit; the rest is not read` };
      }
      const id = block.u16(at + 1);
      const alias = block.u16(at + 5);
      if (type === ENTRY.all) this.all = true;
      else if (type === ENTRY.select || type === ENTRY.extendedSelect) this.add(id, id, undefined);
      else if (type === ENTRY.aliasSelect) this.add(id, id, alias);
      else if (type === ENTRY.rangeStart || type === ENTRY.extendedRangeStart)
        open = { start: id, alias: undefined };
      else if (type === ENTRY.aliasRangeStart) open = { start: id, alias };
      else if (type === ENTRY.rangeEnd && open) {
        this.add(open.start, id, open.alias);
        open = undefined;
      }
      at += length;
    }
    return open && { offset: at, what: 'a range of devices is not ended' };
  }

  private add(first: number, last: number, alias: number | undefined): void {
    if (last >= first) this.ranges.push({ start: first, end: last + 1, alias });
  }
}

/** Types tell the length by their upper two bits; from 240 on entries tell it themselves (§5.2.2.1). 0: not known. */
function entryLength(block: ByteReader, at: number, type: number): number {
  if (type < 0x40) return 4;
  if (type < 0x80) return 8;
  if (type < 0xc0) return 16;
  if (type < ENTRY.acpi) return 32;
  return type === ENTRY.acpi ? ACPI_ENTRY_BYTES + block.u8(at + UID_LENGTH_AT) : 0;
}

function claimsOf({ iommu, devices }: Unit, requester: number): Claim[] {
  const device = formatRequester(requesterId(requester));
  const place = `IVRS: the IOMMU at ${hex(iommu.base)}`;
  const matching = devices.ranges.filter(({ start, end }) => requester >= start && requester < end);
  // A range may cover the whole segment with aliases given apart; the last alias counts.
  const alias = matching.filter((range) => range.alias !== undefined).at(-1)?.alias;
  if (alias !== undefined && alias !== requester) {
    const other = formatRequester(requesterId(alias));
    return [
      { iommu, id: alias, strength: 'named', why: `${place} names ${device}, which it sees as ${other}.` },
    ];
  }
  if (matching.length > 0) {
    return [{ iommu, id: requester, strength: 'named', why: `${place} names ${device}.` }];
  }
  if (!devices.all) return [];
  return [{ iommu, id: requester, strength: 'rest', why: `${place} has all devices of the segment.` }];
}
