import { type Pasid, type RequesterId } from '../../../values';
import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { type StructureMemory } from '../common/structureMemory';
import { abortSte, type ContextTable } from './entries';

const STE_BYTES = 64;
const CD_BYTES = 64;
const FRAME = 4096;
/** log2 of the STEs of a level 2 table, and of the CDs of one. */
const STREAM_SPLIT = 8;
const CONTEXT_SPLIT = 10;
const ADDRESS = 0x00ff_ffff_ffff_ffc0n;
const TWO_LEVEL = 1n << 16n;

/** Stream table and context descriptors of one SMMU: where its entries are. Second levels are made when they are needed first. */
export class SmmuStructures {
  readonly #memory: StructureMemory;
  readonly #capabilities: Smmuv3Capabilities;
  readonly #twoLevel: boolean;
  readonly #contexts = new Map<RequesterId, ContextTable>();
  #streams = 0;

  constructor(memory: StructureMemory, capabilities: Smmuv3Capabilities) {
    this.#memory = memory;
    this.#capabilities = capabilities;
    this.#twoLevel = capabilities.twoLevelStreams && capabilities.streamBits > STREAM_SPLIT;
  }

  /** False: memory is full. */
  makeStreams(): boolean {
    const { streamBits } = this.#capabilities;
    const bytes = this.#twoLevel ? 8 * 2 ** (streamBits - STREAM_SPLIT) : STE_BYTES * 2 ** streamBits;
    const made = this.#memory.allocate(bytes);
    if (made === undefined) return false;
    this.#streams = made;
    if (!this.#twoLevel) this.#abortAll(made, 2 ** streamBits);
    return true;
  }

  /** STRTAB_BASE and STRTAB_BASE_CFG. */
  get streamRegisters(): { readonly base: bigint; readonly configuration: bigint } {
    const size = BigInt(this.#capabilities.streamBits);
    const levels = this.#twoLevel ? TWO_LEVEL | (BigInt(STREAM_SPLIT) << 6n) : 0n;
    return { base: BigInt(this.#streams), configuration: size | levels };
  }

  /** Byte address of an STE; undefined: memory is full. */
  stream(requester: RequesterId): number | undefined {
    if (!this.#twoLevel) return this.#streams + requester * STE_BYTES;
    const descriptor = this.#streams + 8 * Math.floor(requester / 2 ** STREAM_SPLIT);
    const word = this.#memory.read(descriptor);
    const table = word === 0n ? this.#linkStreams(descriptor) : Number(word & ADDRESS);
    return table === undefined ? undefined : table + (requester % 2 ** STREAM_SPLIT) * STE_BYTES;
  }

  /** New tables abort every request before they are linked. */
  #linkStreams(descriptor: number): number | undefined {
    const count = 2 ** STREAM_SPLIT;
    const table = this.#memory.allocate(STE_BYTES * count);
    if (table === undefined) return undefined;
    this.#abortAll(table, count);
    this.#memory.put(descriptor, [BigInt(table) | BigInt(STREAM_SPLIT + 1)]);
    return table;
  }

  #abortAll(table: number, count: number): void {
    for (let index = 0; index < count; index++)
      this.#memory.put(table + index * STE_BYTES, abortSte().slice(0, 1));
  }

  /** log2 of the SubstreamIDs of a stream: one table of 1024 where there are no two levels. */
  get substreamBits(): number {
    const { substreamBits, twoLevelContexts } = this.#capabilities;
    return twoLevelContexts ? substreamBits : Math.min(substreamBits, CONTEXT_SPLIT);
  }

  /** The CD table of a stream; undefined: memory is full. */
  contexts(requester: RequesterId): ContextTable | undefined {
    const known = this.#contexts.get(requester);
    if (known) return known;
    const log2 = this.substreamBits;
    const twoLevel = log2 > CONTEXT_SPLIT;
    const bytes = twoLevel ? 8 * 2 ** (log2 - CONTEXT_SPLIT) : CD_BYTES * 2 ** log2;
    const address = this.#memory.allocate(Math.max(bytes, FRAME));
    if (address === undefined) return undefined;
    const table = { address, log2, format: twoLevel ? 2 : 0 };
    this.#contexts.set(requester, table);
    return table;
  }

  /** Byte address of a CD; undefined: memory is full. */
  context(requester: RequesterId, pasid: Pasid | null): number | undefined {
    const table = this.contexts(requester);
    if (!table) return undefined;
    const substream = pasid ?? 0;
    if (table.format === 0) return table.address + substream * CD_BYTES;
    const descriptor = table.address + 8 * Math.floor(substream / 2 ** CONTEXT_SPLIT);
    const word = this.#memory.read(descriptor);
    const leaf = word === 0n ? this.#linkContexts(descriptor) : Number(word & ADDRESS & ~1n);
    return leaf === undefined ? undefined : leaf + (substream % 2 ** CONTEXT_SPLIT) * CD_BYTES;
  }

  #linkContexts(descriptor: number): number | undefined {
    const table = this.#memory.allocate(CD_BYTES * 2 ** CONTEXT_SPLIT);
    if (table !== undefined) this.#memory.put(descriptor, [BigInt(table) | 1n]);
    return table;
  }
}
