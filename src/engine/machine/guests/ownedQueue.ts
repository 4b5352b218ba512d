import { done, refused } from '../../driver/errno';
import { GuestQueue } from '../../driver/iommufd/guestQueue';
import { type HardwareQueue } from '../../driver/iommufd/hardwareQueue';
import { type Handled } from '../../driver/iommufd/platform';
import { type VirtualIommu } from '../../driver/iommufd/viommu';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type EncodedCommand } from '../../driver/vendors/common/encodedCommand';
import { type HardwareStep } from '../../iommu/hardwareStep';
import { type Iommu } from '../../iommu/iommu';
import { type WritableMemory } from '../../memory/writableMemory';
import { type Steps } from '../../steps';
import { type PutWords } from './words';

/** Looks at the head of a queue that a guest makes before it gives up. */
const MOST_POLLS = 1000;
const COMMAND_BYTES = 16;

/** A queue of a guest's that hardware reads, and the guest's side of it. */
export class OwnedQueue {
  readonly #hardware: GuestQueue;
  readonly #put: PutWords;
  readonly #base: number;
  readonly #slots: number;
  #tail = 0;

  /** `memory`: as software sees it; `put`: writes to it so that hardware sees it. */
  constructor(queue: HardwareQueue<VirtualIommu>, iommu: Iommu, memory: WritableMemory, put: PutWords) {
    this.#hardware = new GuestQueue(queue, iommu, memory);
    this.#put = put;
    this.#base = queue.base;
    this.#slots = Number(queue.range.end - queue.range.start) / COMMAND_BYTES;
  }

  /** Hardware's side: does one command; undefined: there is none, or it has to wait. */
  runCommand(): HardwareStep | undefined {
    return this.#hardware.runCommand();
  }

  /** Puts commands in and waits for them. What hardware stops at is taken back, with what stands behind it: EIO. */
  *give(commands: readonly EncodedCommand[]): Steps<SoftwareStep, Handled> {
    let handled = 0;
    for (const { name, words } of commands) {
      const next = (this.#tail + 1) % this.#slots;
      const isFree = (): boolean => next !== this.#hardware.head;
      if (!isFree()) {
        const room = yield* this.#poll('the guest’s queue has room', isFree);
        if (room !== undefined) break;
      }
      this.#put(this.#base + this.#tail * COMMAND_BYTES, words);
      this.#tail = next;
      this.#hardware.setTail(next);
      handled++;
      yield { kind: 'submit', name: 'submit to the guest’s queue', command: name };
    }
    const why = yield* this.#poll('the guest’s queue is empty', () => this.#hardware.head === this.#tail);
    if (why === undefined) return { handled, outcome: done(null) };
    const { head } = this.#hardware;
    handled -= (this.#tail - head + this.#slots) % this.#slots;
    this.#tail = head;
    this.#hardware.setTail(head);
    return { handled: Math.max(0, handled), outcome: refused('EIO', why) };
  }

  /** Undefined: it is done; a text: why it never will be. */
  *#poll(name: string, isDone: () => boolean): Steps<SoftwareStep, string | undefined> {
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      const finished = isDone();
      yield { kind: 'poll', name, done: finished };
      if (finished) return undefined;
      if (this.#hardware.error !== undefined)
        return `hardware stopped the guest’s queue: ${this.#hardware.error}`;
    }
    return `${name}: looked ${MOST_POLLS} times, in vain`;
  }
}
