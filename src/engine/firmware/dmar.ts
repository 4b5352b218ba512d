import { hex, formatRequester, requesterId } from '../values';
import { type AcpiTable, FIXED_BYTES } from './acpiTable';
import { type ByteReader } from './byteReader';
import { type Claim, type FirmwareIommu, type TableContents } from './ownership';
import { TableProblems } from './problems';
import { structuresOf } from './structures';

/** Type of a remapping hardware unit, and its bytes before the device scope (Intel VT-d 4.1 §8.2, 8.3). */
const DRHD = { type: 0, bytes: 16 };
/** Every structure begins with its type and its length. */
const STRUCTURE = { what: 'a structure', lengthAt: 2, least: 4 };
const INCLUDE_PCI_ALL = 1;
/** Device scope structure (§8.3.1): bytes before the path, and the type of a bridge with all below it. */
const SCOPE_BYTES = 6;
const SUB_HIERARCHY = 2;

interface Scope {
  readonly type: number;
  readonly startBus: number;
  /** Device << 3 | function of each hop, from the start bus down. */
  readonly path: readonly number[];
}

interface Unit {
  readonly iommu: FirmwareIommu;
  readonly segment: number;
  readonly includeAll: boolean;
  readonly scopes: readonly Scope[];
}

/** Reads the DMA Remapping Reporting table (Intel VT-d 4.1 §8.1). */
export function readDmar(table: AcpiTable): TableContents {
  const reader = new DmarReader(table);
  reader.readStructures();
  const { units, problems } = reader;
  return {
    iommus: units.map(({ iommu }) => iommu),
    problems: problems.list,
    claims: (segment, requester) =>
      units.filter((unit) => unit.segment === segment).flatMap((unit) => claimsOf(unit, requester)),
  };
}

class DmarReader {
  readonly units: Unit[] = [];
  readonly problems: TableProblems;
  private readonly bytes: ByteReader;

  constructor(table: AcpiTable) {
    this.problems = new TableProblems(table);
    this.bytes = table.bytes;
  }

  readStructures(): void {
    for (const { at, data } of structuresOf(this.bytes, FIXED_BYTES, STRUCTURE, this.problems)) {
      this.readStructure(at, data);
    }
  }

  private readStructure(at: number, structure: ByteReader): void {
    const type = structure.u16(0);
    // RMRR, ATSR, RHSA, ANDD, SATC and SIDP say nothing about which unit translates.
    if (type !== DRHD.type) return;
    if (structure.length < DRHD.bytes) {
      this.problems.report(at, `a structure of type ${type} has only ${structure.length} bytes`);
      return;
    }
    this.readUnit(at, structure);
  }

  private readUnit(at: number, structure: ByteReader): void {
    const base = structure.address(8);
    if (!base) {
      this.problems.report(at, 'the register base of a DRHD cannot be an address');
      return;
    }
    const segment = structure.u16(6);
    const iommu: FirmwareIommu = { kind: 'vt-d', base, segments: [segment], table: 'DMAR' };
    const scopes = this.readScopes(at, structure);
    this.units.push({ iommu, segment, includeAll: (structure.u8(4) & INCLUDE_PCI_ALL) !== 0, scopes });
  }

  private readScopes(unitAt: number, structure: ByteReader): Scope[] {
    const scopes: Scope[] = [];
    let at = DRHD.bytes;
    while (at < structure.length) {
      const length = structure.u8(at + 1);
      if (length < SCOPE_BYTES || at + length > structure.length) {
        this.problems.report(unitAt + at, `a device scope of ${length} bytes does not fit`);
        break;
      }
      const path: number[] = [];
      for (let hop = at + SCOPE_BYTES; hop + 2 <= at + length; hop += 2) {
        path.push(((structure.u8(hop) & 31) << 3) | (structure.u8(hop + 1) & 7));
      }
      scopes.push({ type: structure.u8(at), startBus: structure.u8(at + 5), path });
      at += length;
    }
    return scopes;
  }
}

/** The requester id of a device without a bridge above it; bus numbers behind bridges are in PCI configuration space. */
function onStartBus({ startBus, path }: Scope): number | undefined {
  const [only, ...behind] = path;
  return only === undefined || behind.length > 0 ? undefined : (startBus << 8) | only;
}

function claimsOf(unit: Unit, requester: number): Claim[] {
  const { iommu } = unit;
  const place = `DMAR: the unit at ${hex(iommu.base)}`;
  const device = formatRequester(requesterId(requester));
  const claim = (strength: Claim['strength'], why: string): Claim[] => [
    { iommu, id: requester, strength, why: `${place} ${why}.` },
  ];
  if (unit.scopes.some((scope) => onStartBus(scope) === requester)) return claim('named', `names ${device}`);
  if (unit.scopes.some((scope) => isPossible(scope, requester))) {
    return claim('possible', `names devices behind a bridge; ${device} may be one`);
  }
  return unit.includeAll ? claim('rest', 'has all devices of the segment that no other unit names') : [];
}

/** True when the scope goes through bridges and the device may be what is meant. */
function isPossible(scope: Scope, requester: number): boolean {
  const bus = requester >> 8;
  // Every bridge on the way has a higher bus below it.
  if (bus <= scope.startBus || bus < scope.startBus + scope.path.length - 1) return false;
  if (scope.type === SUB_HIERARCHY) return scope.path.length > 0;
  return scope.path.length > 1 && (requester & 0xff) === scope.path.at(-1);
}
