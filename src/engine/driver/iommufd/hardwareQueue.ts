import { type HardwareStep } from '../../iommu/hardwareStep';
import { joinHalves, readEntry, type EntryHalves } from '../../memory/words';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type Steps } from '../../steps';
import { FRAME_BYTES, frameNumber } from '../../values';
import { type Access } from './access';
import { type CommandTranslator } from './queueCommands';
import { type AddressRange } from './ranges';
import { type VirtualIommu } from './viommu';

/** Bytes of a command of SMMUv3 and AMD. */
const COMMAND_BYTES = 16;

/** What executes a command that has the host's ids. */
export type ExecuteCommand = (words: readonly bigint[]) => Steps<HardwareStep, void>;

/**
 * A command queue in guest memory that hardware reads by itself: a guest writes commands with its own ids and moves the tail;
 * hardware translates the ids and executes. No host takes part. Its memory stays pinned.
 */
export class HardwareQueue {
  readonly kind = 'hwqueue';
  readonly id: number;
  users = 0;
  readonly type: number;
  readonly viommu: VirtualIommu;
  readonly index: number;
  /** Guest physical. */
  readonly range: AddressRange;
  readonly access: Access;
  /** Physical address of the first command. */
  readonly base: number;
  #head = 0;
  #tail = 0;
  #error: string | undefined;

  constructor(options: {
    readonly id: number;
    readonly type: number;
    readonly viommu: VirtualIommu;
    readonly index: number;
    readonly range: AddressRange;
    readonly access: Access;
    readonly base: number;
  }) {
    this.id = options.id;
    this.type = options.type;
    this.viommu = options.viommu;
    this.index = options.index;
    this.range = options.range;
    this.access = options.access;
    this.base = options.base;
  }

  get slots(): number {
    return Math.floor(Number(this.range.end - this.range.start) / COMMAND_BYTES);
  }

  /** The slot that is executed next. */
  get head(): number {
    return this.#head;
  }

  /** Why the queue is stopped: a command that the guest may not give. */
  get error(): string | undefined {
    return this.#error;
  }

  /** The guest's write of the tail register, which it reaches directly. Starts a stopped queue again, at the same command. */
  setTail(slot: number): void {
    this.#tail = slot % this.slots;
    this.#error = undefined;
  }

  /** Executes one command; undefined: none is left, or the queue is stopped. `index` of the step: its slot. */
  *run(
    memory: PhysicalMemory,
    translate: CommandTranslator,
    execute: ExecuteCommand,
  ): Steps<HardwareStep, boolean> {
    if (this.#error !== undefined || this.#head === this.#tail) return false;
    const address = this.base + this.#head * COMMAND_BYTES;
    const words = [readWordAt(memory, address), readWordAt(memory, address + 8)];
    yield { kind: 'fetch', role: 'guest command', address, words: 2 };
    const translated = translate(words, this.viommu, this.viommu.parent.domain.kernel.id);
    if (!translated.ok) {
      this.#error = translated.message;
      yield { kind: 'command', name: translated.message, index: this.#head, done: false };
      return false;
    }
    yield* execute(translated.value);
    yield { kind: 'command', name: 'guest command', index: this.#head, done: true };
    this.#head = (this.#head + 1) % this.slots;
    return true;
  }
}

function readWordAt(memory: PhysicalMemory, address: number): bigint {
  const halves: EntryHalves = { lo: 0, hi: 0 };
  readEntry(memory, frameNumber(Math.floor(address / FRAME_BYTES)), (address % FRAME_BYTES) / 8, halves);
  return joinHalves(halves.lo, halves.hi);
}
