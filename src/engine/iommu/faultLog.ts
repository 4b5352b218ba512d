import { type WritableMemory } from '../memory/writableMemory';
import { readWords, writeWords } from './ringMemory';
import { type DecodedFault, type FaultReport, type IommuVendor, type RegisterFile } from './vendor';

/** Where an IOMMU records the faults it reports: a ring in memory, or registers (VT-d). */
export class FaultLog {
  readonly #vendor: IommuVendor;
  readonly #memory: WritableMemory;
  readonly #registers: RegisterFile;
  #lost = 0;

  constructor(vendor: IommuVendor, memory: WritableMemory, registers: RegisterFile) {
    this.#vendor = vendor;
    this.#memory = memory;
    this.#registers = registers;
  }

  /** Records that found no place, since the log was made. */
  get lost(): number {
    return this.#lost;
  }

  get overflowed(): boolean {
    return this.#vendor.faults.overflowed(this.#registers);
  }

  /** Records a refused request; false when it leaves no record, by its kind, by its device entry, or as the log is full or off. */
  record(report: FaultReport): boolean {
    const words = this.#vendor.faults.encode(report, this.#registers);
    return words !== undefined && this.write(words);
  }

  /** Writes a record; false when it is lost. */
  write(words: readonly bigint[]): boolean {
    const kept = this.#place(words);
    if (kept) this.#vendor.faults.logged(this.#registers);
    else this.#lost++;
    return kept;
  }

  /** What stands in the log and was not taken by software, oldest first. */
  *entries(): IterableIterator<DecodedFault> {
    for (const words of this.#records()) {
      const fault = this.#vendor.faults.decode(words, this.#registers);
      if (fault) yield fault;
    }
  }

  *#records(): IterableIterator<readonly bigint[]> {
    const { faults } = this.#vendor;
    const ring = faults.ring(this.#registers);
    if (!ring) {
      yield* faults.stored?.(this.#registers) ?? [];
      return;
    }
    const count = positionsOf(ring);
    const tail = faults.tail.position(this.#registers);
    for (let at = faults.head.position(this.#registers); at !== tail; at = (at + 1) % count) {
      const words = readWords(this.#memory, slotAddress(ring, at), ring.slotBytes / 8);
      if (words) yield words;
    }
  }

  #place(words: readonly bigint[]): boolean {
    const { faults } = this.#vendor;
    const registers = this.#registers;
    if (faults.isBlocked(registers)) return false;
    const ring = faults.ring(registers);
    if (!ring) {
      if (faults.store?.(registers, words) === true) return true;
      faults.overflow(registers);
      return false;
    }
    if (!ring.enabled) return false;
    const tail = faults.tail.position(registers);
    if (isFull(ring, faults.head.position(registers), tail)) {
      faults.overflow(registers);
      return false;
    }
    if (!writeWords(this.#memory, slotAddress(ring, tail), words)) {
      faults.memoryFault(registers);
      return false;
    }
    registers.set(faults.tail.register, faults.tail.value(registers, (tail + 1) % positionsOf(ring)));
    return true;
  }
}

type Ring = NonNullable<ReturnType<IommuVendor['faults']['ring']>>;

/** Values that head and tail take. */
export const positionsOf = ({ slots, wraps }: Ring): number => (wraps ? 2 * slots : slots);

export const slotAddress = ({ baseAddress, slots, slotBytes }: Ring, position: number): number =>
  baseAddress + (position % slots) * slotBytes;

/** Whether the ring takes no further entry: one slot stays free where head and tail have no wrap bits. */
export function isFull(ring: Ring, head: number, tail: number): boolean {
  const count = positionsOf(ring);
  const used = (tail - head + count) % count;
  return used >= (ring.wraps ? ring.slots : ring.slots - 1);
}
