import { type PhysicalMemory } from '../memory/physicalMemory';
import { type Failure } from '../result';
import { hex } from '../values';
import { type AcpiTable, FIXED_BYTES, HEADER_BYTES, isWanted, readTable } from './acpiTable';
import { type ByteReader, readBytes } from './byteReader';

/** What was found, and what was wrong on the way. */
export interface FoundTables {
  readonly tables: readonly AcpiTable[];
  readonly problems: readonly Failure[];
}

/** ACPI 6.5 §5.2.5.1: the RSDP stands on a 16-byte boundary in the BIOS area, or in the first KiB of the EBDA. */
const BIOS_AREA = { start: 0xe0000, end: 0x100000 };
const EBDA_SEGMENT_POINTER = 0x40e;
const EBDA_BYTES = 1024;
const ALIGNMENT = 16;
const SIGNATURE = 'RSD PTR ';
const RSDP_BYTES = { revision0: 20, revision2: 36 };
/** Root tables of real machines list a few dozen tables. */
const MAX_LISTED = 1024;

/**
 * The tables that the root pointer leads to, where BIOS machines keep it (at most 0x21000 bytes are looked at). Nothing
 * when there is no root pointer: on UEFI and Arm machines it stands anywhere, and `scanForTables` finds the tables.
 */
export function tablesOfRootPointer(memory: PhysicalMemory): FoundTables {
  const tables = new Map<number, AcpiTable>();
  const problems: Failure[] = [];
  const ebda = (readBytes(memory, EBDA_SEGMENT_POINTER, 2)?.u16(0) ?? 0) * 16;
  const places = [{ start: ebda, end: ebda === 0 ? 0 : ebda + EBDA_BYTES }, BIOS_AREA];
  for (const { start, end } of places) {
    for (let address = start; address < end; address += ALIGNMENT) {
      const pointer = rootPointerAt(memory, address);
      if (pointer) followRoot(memory, pointer, tables, problems);
    }
  }
  return { tables: [...tables.values()], problems };
}

/** Where a valid root pointer leads; undefined when there is none at this address. */
function rootPointerAt(memory: PhysicalMemory, address: number): readonly RootTable[] | undefined {
  const first = readBytes(memory, address, RSDP_BYTES.revision0);
  if (first?.text(0, SIGNATURE.length) !== SIGNATURE || !first.sumsToZero()) return undefined;
  const rsdt: RootTable = { address: first.u32(16), name: 'RSDT', entryBytes: 4 };
  const whole = first.u8(15) >= 2 ? readBytes(memory, address, RSDP_BYTES.revision2) : undefined;
  const xsdt = whole?.sumsToZero() === true ? whole.address(24) : undefined;
  return xsdt ? [{ address: xsdt, name: 'XSDT', entryBytes: 8 }, rsdt] : [rsdt];
}

interface RootTable {
  readonly address: number;
  readonly name: 'RSDT' | 'XSDT';
  readonly entryBytes: 4 | 8;
}

/** Reads the first root table that can be read, and the wanted ones among those that it lists. */
function followRoot(
  memory: PhysicalMemory,
  roots: readonly RootTable[],
  tables: Map<number, AcpiTable>,
  problems: Failure[],
): void {
  for (const { address, name, entryBytes } of roots) {
    if (address === 0) continue;
    const root = readTable(memory, address);
    if (!root.ok || root.bytes.text(0, 4) !== name) {
      const why = root.ok ? 'has another signature' : root.why;
      problems.push(problem(name, address, why));
      continue;
    }
    const listed = Math.min(MAX_LISTED, Math.floor((root.bytes.length - HEADER_BYTES) / entryBytes));
    for (let i = 0; i < listed; i++) {
      take(memory, entry(root.bytes, HEADER_BYTES + i * entryBytes, entryBytes), tables, problems);
    }
    return;
  }
}

const entry = (root: ByteReader, at: number, entryBytes: 4 | 8): number =>
  (entryBytes === 4 ? root.u32(at) : root.address(at)) ?? 0;

function take(
  memory: PhysicalMemory,
  address: number,
  tables: Map<number, AcpiTable>,
  problems: Failure[],
): void {
  const signature = readBytes(memory, address, 4)?.text(0, 4) ?? '';
  if (!isWanted(signature) || tables.has(address)) return;
  const table = readTable(memory, address, FIXED_BYTES);
  if (table.ok) tables.set(address, { signature, address, bytes: table.bytes });
  else problems.push(problem(signature, address, table.why));
}

const problem = (name: string, address: number, why: string): Failure => ({
  code: 'firmware/table',
  message: `The ACPI table ${name} at ${hex(address)} ${why}.`,
  hint: 'It is not used. Say in the description which devices each IOMMU owns ("requesters").',
});
