import { type Pasid, type RequesterId } from '../../../values';
import { type RiscvCapabilities } from '../../capabilities/riscv';
import { type StructureMemory } from '../common/structureMemory';
import { directoryEntry, directoryTarget, type ProcessDirectory } from './entries';

const FRAME = 4096;
const PROCESS_BYTES = 16;
/** Bits of PDI[0], PDI[1] and PDI[2]. */
const PROCESS_WIDTHS = [8, 9, 3];

/** Device directory and process directories: where contexts are. Tables on the way are made when they are needed first. */
export class RiscvStructures {
  readonly #memory: StructureMemory;
  readonly #capabilities: RiscvCapabilities;
  /** Bits of DDI[0], DDI[1] and DDI[2]. */
  readonly #widths: readonly number[];
  readonly #processes = new Map<RequesterId, ProcessDirectory>();
  #root = 0;

  constructor(memory: StructureMemory, capabilities: RiscvCapabilities) {
    this.#memory = memory;
    this.#capabilities = capabilities;
    this.#widths = (capabilities.msiFlat ? [6, 9, 9] : [7, 9, 8]).slice(0, capabilities.directoryLevels);
  }

  /** False: memory is full. */
  makeRoot(): boolean {
    this.#root = this.#memory.allocate(FRAME) ?? 0;
    return this.#root !== 0;
  }

  /** ddtp: mode 2 is 1LVL. */
  get ddtp(): bigint {
    return (BigInt(this.#root / FRAME) << 10n) | BigInt(this.#capabilities.directoryLevels + 1);
  }

  /** Bits of a device_id. */
  get deviceBits(): number {
    return this.#widths.reduce((sum, width) => sum + width, 0);
  }

  /** Byte address of a device context; undefined: memory is full. */
  context(requester: RequesterId): number | undefined {
    return this.#entry(this.#root, requester, this.#widths, this.#capabilities.msiFlat ? 64 : 32);
  }

  /** Bits of a process_id: as many as there are; 0: none. */
  get processBits(): number {
    return Math.max(0, ...this.#capabilities.processBits);
  }

  /** The process directory of a device; undefined: memory is full. */
  processes(requester: RequesterId): ProcessDirectory | undefined {
    const known = this.#processes.get(requester);
    if (known) return known;
    const address = this.#memory.allocate(FRAME);
    if (address === undefined) return undefined;
    const made = { address, bits: this.processBits };
    this.#processes.set(requester, made);
    return made;
  }

  /** Byte address of a process context; undefined: memory is full. */
  process(requester: RequesterId, pasid: Pasid | null): number | undefined {
    const directory = this.processes(requester);
    const levels = { 8: 1, 17: 2, 20: 3 }[this.processBits] ?? 1;
    return (
      directory && this.#entry(directory.address, pasid ?? 0, PROCESS_WIDTHS.slice(0, levels), PROCESS_BYTES)
    );
  }

  /** Byte address of the entry of an id, whose index bits are `widths`, those of the last level first. */
  #entry(root: number, id: number, widths: readonly number[], bytes: number): number | undefined {
    let table: number | undefined = root;
    for (let level = widths.length - 1; level >= 0 && table !== undefined; level--) {
      const shift = widths.slice(0, level).reduce((sum, width) => sum + width, 0);
      const index = Math.floor(id / 2 ** shift) % 2 ** (widths[level] ?? 0);
      if (level === 0) return table + index * bytes;
      const address: number = table + 8 * index;
      table = directoryTarget(this.#memory.read(address)) ?? this.#link(address);
    }
    return undefined;
  }

  #link(address: number): number | undefined {
    const table = this.#memory.allocate(FRAME);
    if (table !== undefined) this.#memory.put(address, [directoryEntry(table)]);
    return table;
  }
}
