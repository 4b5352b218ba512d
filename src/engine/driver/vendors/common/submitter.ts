import { type IommuPort } from '../../../iommu/iommuPort';
import { type CommandSide } from '../../../iommu/vendor';
import { type Steps } from '../../../steps';
import { type DriverPolicy } from '../../driverFaults';
import { done, refused, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';
import { type StructureMemory } from './structureMemory';
import { type EncodedCommand } from './encodedCommand';

/** Looks at hardware that are made before a wait is given up. */
const MOST_POLLS = 1000;

/** A wait that is about to take a place in the queue. */
export interface Wait {
  readonly command: EncodedCommand;
  /** Whether it has completed. `isPassed`: hardware has taken it from the queue. */
  isDone(isPassed: boolean): boolean;
}

/** Makes a wait; `slot`: where it stands in the ring. */
export type WaitMaker = (slot: number) => Wait;

/** Puts commands into the queue and waits for their completion. */
export class Submitter {
  readonly #port: IommuPort;
  readonly #queue: CommandSide;
  readonly #makeWait: WaitMaker;
  readonly #memory: StructureMemory;
  readonly #policy: DriverPolicy;
  /** Commands that were submitted ever: tells how far the head is. */
  #submitted = 0;

  constructor(
    port: IommuPort,
    queue: CommandSide,
    makeWait: WaitMaker,
    memory: StructureMemory,
    policy: DriverPolicy,
  ) {
    this.#port = port;
    this.#queue = queue;
    this.#makeWait = makeWait;
    this.#memory = memory;
    this.#policy = policy;
  }

  /** Why hardware does not take a command, which would stop the queue for everybody who uses it; undefined: it does. */
  problem({ name, words }: EncodedCommand): string | undefined {
    const { registers } = this.#port;
    const decoded = this.#queue.decode(this.#padded(words), registers);
    return decoded.kind === 'illegal' ? `hardware does not take ${name}: ${decoded.why}` : undefined;
  }

  /** Submits commands, and waits until they are completed. Without commands there is nothing to wait for. */
  *run(commands: readonly EncodedCommand[]): Steps<SoftwareStep, Outcome<null>> {
    if (commands.length === 0) return done(null);
    for (const command of commands) {
      const room = yield* this.#room();
      if (!room.ok) return room;
      yield this.#submit(command);
    }
    return yield* this.#sync();
  }

  /** Commands for the IOMMU's caches and, when they are completed, those for device TLBs: they fill from the IOMMU's. */
  *flush(
    translations: readonly EncodedCommand[],
    devices: readonly EncodedCommand[],
  ): Steps<SoftwareStep, Outcome<null>> {
    const [first, second] = this.#policy.iotlbFirst ? [translations, devices] : [devices, translations];
    const outcome = yield* this.run(first);
    return outcome.ok ? yield* this.run(second) : outcome;
  }

  *#sync(): Steps<SoftwareStep, Outcome<null>> {
    const room = yield* this.#room();
    if (!room.ok) return room;
    const wait = this.#makeWait(this.#tail() % this.#slots());
    if (!this.#policy.numbersWaitsInOrder) {
      yield { kind: 'software', name: 'take the number of a completion wait' };
      const again = yield* this.#room();
      if (!again.ok) return again;
    }
    const number = this.#submitted;
    yield this.#submit(wait.command);
    return yield* this.#poll(`${wait.command.name} completes`, () => wait.isDone(this.#taken() > number));
  }

  /** Waits until there is a free slot: one is always left, so that a full ring is never taken for an empty one. */
  *#room(): Steps<SoftwareStep, Outcome<null>> {
    const isFree = () => this.#waiting() < this.#slots() - 1;
    if (isFree()) return done(null);
    return yield* this.#poll('the queue has room', isFree);
  }

  *#poll(name: string, isDone: () => boolean): Steps<SoftwareStep, Outcome<null>> {
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      const finished = isDone();
      yield { kind: 'poll', name, done: finished };
      if (finished) return done(null);
      if (this.#queue.isStopped(this.#port.registers)) {
        return refused(
          'EIO',
          `the invalidation queue of ${this.#port.name} is stopped by an error: ${name} never`,
        );
      }
    }
    return refused(
      'ETIMEDOUT',
      `${name}: looked ${MOST_POLLS} times at the queue of ${this.#port.name}, in vain`,
    );
  }

  #submit({ name, words }: EncodedCommand): SoftwareStep {
    const { registers } = this.#port;
    const { baseAddress, slots, slotBytes, wraps } = this.#queue.ring(registers);
    const tail = this.#tail();
    this.#memory.put(baseAddress + (tail % slots) * slotBytes, this.#padded(words));
    const next = (tail + 1) % (wraps ? 2 * slots : slots);
    this.#port.writeRegister(this.#queue.tail.register, this.#queue.tail.value(registers, next));
    this.#submitted++;
    return { kind: 'submit', name: 'submit', command: name };
  }

  /** As long as a slot of the queue. */
  #padded(words: readonly bigint[]): bigint[] {
    const { slotBytes } = this.#queue.ring(this.#port.registers);
    return Array.from({ length: slotBytes / 8 }, (_, index) => words[index] ?? 0n);
  }

  #tail(): number {
    return this.#queue.tail.position(this.#port.registers);
  }

  #slots(): number {
    return this.#queue.ring(this.#port.registers).slots;
  }

  /** Commands that hardware has not taken yet. */
  #waiting(): number {
    const { registers } = this.#port;
    const { slots, wraps } = this.#queue.ring(registers);
    const positions = wraps ? 2 * slots : slots;
    return (this.#tail() - this.#queue.head.position(registers) + positions) % positions;
  }

  /** Commands that it has taken ever. */
  #taken(): number {
    return this.#submitted - this.#waiting();
  }
}
