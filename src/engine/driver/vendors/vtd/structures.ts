import { type RequesterId } from '../../../values';
import { type VtdCapabilities } from '../../capabilities/vtd';
import { type StructureMemory } from '../common/structureMemory';
import { pasidOf } from './invalidations';
import { PRESENT } from './entries';
import { type Use } from '../common/uses';

const ROOT_BYTES = 16;
const LEGACY_CONTEXT_BYTES = 16;
const SCALABLE_CONTEXT_BYTES = 32;
const PASID_ENTRY_BYTES = 64;
const DIRECTORY_ENTRY_BYTES = 8;
const FRAME = 4096;
/** log2 of the PASIDs of one PASID table. */
const TABLE_BITS = 6;
/** A directory has 2^(PDTS + 7) entries. */
const LEAST_DIRECTORY_BITS = 7;
const ADDRESS = 0x000f_ffff_ffff_f000n;

/** Root, context and PASID tables of one unit: where their entries are. Tables are made when they are needed first. */
export class VtdStructures {
  readonly #memory: StructureMemory;
  readonly #capabilities: VtdCapabilities;
  /** PASID directories by requester. */
  readonly #directories = new Map<RequesterId, number>();
  #root = 0;

  constructor(memory: StructureMemory, capabilities: VtdCapabilities) {
    this.#memory = memory;
    this.#capabilities = capabilities;
  }

  /** False: memory is full. */
  makeRoot(): boolean {
    this.#root = this.#memory.allocate(FRAME) ?? 0;
    return this.#root !== 0;
  }

  get root(): number {
    return this.#root;
  }

  /** PDTS of the directories: as many PASIDs as the unit has. */
  get directoryOrder(): number {
    return Math.max(0, this.#capabilities.pasidBits - TABLE_BITS - LEAST_DIRECTORY_BITS);
  }

  /** Address of the context entry of a device; undefined: memory is full. */
  context(requester: RequesterId): number | undefined {
    const { scalable } = this.#capabilities;
    const half = scalable ? (requester >> 7) & 1 : 0;
    const table = this.#follow(this.#root + (requester >> 8) * ROOT_BYTES + 8 * half, FRAME);
    if (table === undefined) return undefined;
    return scalable
      ? table + (requester & 0x7f) * SCALABLE_CONTEXT_BYTES
      : table + (requester & 0xff) * LEGACY_CONTEXT_BYTES;
  }

  /** The PASID directory of a device; undefined: memory is full. */
  directory(requester: RequesterId): number | undefined {
    const known = this.#directories.get(requester);
    if (known !== undefined) return known;
    const made = this.#memory.allocate(
      DIRECTORY_ENTRY_BYTES * 2 ** (this.directoryOrder + LEAST_DIRECTORY_BITS),
    );
    if (made !== undefined) this.#directories.set(requester, made);
    return made;
  }

  /** Address of the PASID-table entry of a use; undefined: memory is full. */
  pasidEntry(use: Use): number | undefined {
    const directory = this.directory(use.requester);
    if (directory === undefined) return undefined;
    const pasid = pasidOf(use);
    const table = this.#follow(directory + DIRECTORY_ENTRY_BYTES * (pasid >> TABLE_BITS), FRAME);
    return table === undefined ? undefined : table + (pasid % 2 ** TABLE_BITS) * PASID_ENTRY_BYTES;
  }

  /** The table that a pointer leads to; a new one is linked by a store of the pointer, which is all it takes. */
  #follow(pointer: number, bytes: number): number | undefined {
    const word = this.#memory.read(pointer);
    if ((word & PRESENT) !== 0n) return Number(word & ADDRESS);
    const table = this.#memory.allocate(bytes);
    if (table !== undefined) this.#memory.put(pointer, [BigInt(table) | PRESENT]);
    return table;
  }
}
