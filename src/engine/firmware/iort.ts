import { formatRequester, hex, requesterId } from '../values';
import { type AcpiTable, FIXED_BYTES } from './acpiTable';
import { type ByteReader } from './byteReader';
import { type Claim, type FirmwareIommu, type FirmwareIommuKind, type TableContents } from './ownership';
import { TableProblems } from './problems';

/** Node types (Arm DEN 0049 "IO Remapping Table" E.e, Node types). */
const NODE = { itsGroup: 0, rootComplex: 2, smmu: 3, smmuV3: 4 };
const SMMU_KINDS: Partial<Record<number, FirmwareIommuKind>> = {
  [NODE.smmu]: 'smmu',
  [NODE.smmuV3]: 'smmuv3',
};
/** Bytes of the header of a node, and of an ID mapping. */
const NODE_BYTES = 16;
const MAPPING_BYTES = 20;
const SINGLE_MAPPING = 1;
/** Root complex to SMMU is one; more than this is a loop. */
const MAX_HOPS = 4;
/** Large machines have some hundred ID mappings; the bound keeps a damaged table from taking long. */
const MAX_MAPPINGS = 4096;

interface Mapping {
  readonly input: number;
  /** Number of ids minus one. */
  readonly more: number;
  readonly output: number;
  /** Offset of the node that the output ids go to. */
  readonly target: number;
  readonly single: boolean;
}

interface IortNode {
  readonly type: number;
  readonly data: ByteReader;
  readonly mappings: readonly Mapping[];
}

/** Where an id ends up: at an SMMU, or at an interrupt controller with no SMMU between. */
type End = { readonly iommu: FirmwareIommu | undefined; readonly id: number } | undefined;

/** Reads the IO Remapping Table (Arm DEN 0049 E.e). */
export function readIort(table: AcpiTable): TableContents {
  const reader = new IortReader(table);
  reader.readNodes();
  return {
    iommus: [...reader.smmus.values()],
    problems: reader.problems.list,
    claims: (segment, requester) => reader.claims(segment, requester),
  };
}

class IortReader {
  /** By offset in the table, as mappings refer to them. */
  private readonly nodes = new Map<number, IortNode>();
  private readonly rootComplexes: { readonly segment: number; readonly node: IortNode }[] = [];
  private mappingsRead = 0;
  readonly smmus = new Map<number, FirmwareIommu>();
  readonly problems: TableProblems;
  private readonly bytes: ByteReader;

  constructor(table: AcpiTable) {
    this.problems = new TableProblems(table);
    this.bytes = table.bytes;
  }

  readNodes(): void {
    const count = this.bytes.u32(36);
    let at = this.bytes.u32(40);
    if (count > 0 && at < FIXED_BYTES) {
      this.problems.report(40, `nodes cannot begin at offset ${hex(at)}`);
      return;
    }
    for (let i = 0; i < count; i++) {
      const length = this.bytes.u16(at + 1);
      if (length < NODE_BYTES || at + length > this.bytes.length) {
        this.problems.report(at, `a node of ${length} bytes does not fit; the rest is not read`);
        break;
      }
      this.readNode(at, this.bytes.part(at, length));
      at += length;
    }
    this.findSegments();
  }

  private readNode(at: number, data: ByteReader): void {
    const type = data.u8(0);
    const node: IortNode = { type, data, mappings: this.mappings(at, data) };
    this.nodes.set(at, node);
    if (type === NODE.rootComplex) this.rootComplexes.push({ segment: data.u32(28), node });
    const kind = SMMU_KINDS[type];
    if (kind === undefined) return;
    const base = data.address(NODE_BYTES);
    if (base) this.smmus.set(at, { kind, base, segments: [], table: 'IORT' });
    else this.problems.report(at, 'the base of an SMMU cannot be an address');
  }

  /** An SMMU has the segments of the root complexes that lead to it. */
  private findSegments(): void {
    const segments = new Map<FirmwareIommu, Set<number>>();
    for (const { segment, node } of this.rootComplexes) {
      for (const mapping of node.mappings) {
        const iommu = this.follow({ ...node, mappings: [mapping] }, mapping.input)?.iommu;
        if (iommu) segments.set(iommu, (segments.get(iommu) ?? new Set()).add(segment));
      }
    }
    for (const [offset, iommu] of this.smmus) {
      const ascending = [...(segments.get(iommu) ?? [])].sort((a, b) => a - b);
      this.smmus.set(offset, { ...iommu, segments: ascending });
    }
  }

  private mappings(nodeAt: number, node: ByteReader): Mapping[] {
    const count = node.u32(8);
    const first = node.u32(12);
    const room = first < NODE_BYTES ? 0 : Math.max(0, node.length - first);
    const held = Math.floor(room / MAPPING_BYTES);
    const read = Math.min(count, held, MAX_MAPPINGS - this.mappingsRead);
    this.mappingsRead += read;
    if (count > read) this.problems.report(nodeAt, `only ${read} of its ${count} ID mappings can be read`);
    return Array.from({ length: read }, (_, i) => {
      const at = first + i * MAPPING_BYTES;
      return {
        input: node.u32(at),
        more: node.u32(at + 4),
        output: node.u32(at + 8),
        target: node.u32(at + 12),
        single: (node.u32(at + 16) & SINGLE_MAPPING) !== 0,
      };
    });
  }

  claims(segment: number, requester: number): Claim[] {
    const device = formatRequester(requesterId(requester));
    return this.rootComplexes.flatMap(({ segment: own, node }): Claim[] => {
      const end = own === segment ? this.follow(node, requester) : undefined;
      if (!end) return [];
      const { iommu, id } = end;
      const why = iommu
        ? `IORT: the SMMU at ${hex(iommu.base)} translates ${device} as StreamID ${hex(id)}.`
        : `IORT: ${device} reaches memory without an SMMU.`;
      return [{ iommu, id, strength: 'named', why }];
    });
  }

  /** Follows an id from a node to an SMMU or an interrupt controller; undefined when no mapping takes it there. */
  private follow(from: IortNode, input: number): End {
    let node = from;
    let id = input;
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const next = step(node, id);
      const target = next && this.nodes.get(next.target);
      if (!target) return undefined;
      const iommu = this.smmus.get(next.target);
      if (iommu || target.type === NODE.itsGroup) return { iommu, id: next.id };
      // An SMMU without a base: what it does is not known, and its own mappings are those of interrupts.
      if (SMMU_KINDS[target.type] !== undefined) return undefined;
      node = target;
      id = next.id;
    }
    return undefined;
  }

  /** Named components and the StreamIDs that their mappings begin with. */
}

/**
 * Maps an id by the mapping of a node that has it. Firmware that gives the number of ids, not that minus one, makes a
 * range end where the next begins: there the next one is meant.
 */
function step(
  { mappings }: IortNode,
  id: number,
): { readonly target: number; readonly id: number } | undefined {
  const fitting = mappings.filter(({ single, input, more }) => single || (id >= input && id - input <= more));
  const inside = fitting.find(({ single, input, more }) => single || more === 0 || id - input < more);
  const mapping = inside ?? fitting[0];
  if (!mapping) return undefined;
  const output = mapping.single ? mapping.output : mapping.output + (id - mapping.input);
  return { target: mapping.target, id: output % 2 ** 32 };
}
