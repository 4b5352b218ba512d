import { type WritableMemory } from '../memory/writableMemory';
import { READ, WRITE } from '../pageTable/entryClass';
import { type CacheOperation, type DeviceTlbOperation } from './cacheOperation';
import { type Command } from './commands';
import { positionsOf, slotAddress, type FaultLog } from './faultLog';
import { type HardwareStep } from './hardwareStep';
import { readWords } from './ringMemory';
import { type CommandError, type IommuVendor, type RegisterFile } from './vendor';

/**
 * A device as queues know it: takes invalidations of its TLB and answers them later. Several queues may ask, so that each
 * answer goes to who asked.
 */
export interface InvalidatedDevice {
  /** `completed` is called once, from `complete`; never, when the device does not answer. */
  invalidate(operation: DeviceTlbOperation, completed: () => void): void;
  /** Sends the answers that can be sent by now. */
  complete(): void;
}

/** What commands act on. */
export interface QueueSurroundings {
  readonly vendor: IommuVendor;
  readonly memory: WritableMemory;
  readonly registers: RegisterFile;
  readonly log: FaultLog;
  /** Stores the completion of a wait at the address that its command says; false: that leads nowhere. */
  store(address: number, value: bigint, bytes: 4 | 8): boolean;
  /** Removes from the caches of the IOMMU what an operation selects. */
  apply(operation: CacheOperation): void;
  device(requester: number): InvalidatedDevice | undefined;
  readonly inFlight: RequestsInFlight;
  /** Whether waits wait for requests on their way, where they ask for it. */
  readonly drains: boolean;
}

/** Requests that are translated, and whose data has not landed. */
export interface RequestsInFlight {
  /** Names those of this moment. */
  readonly now: number;
  /** Whether one of these directions (READ | WRITE) that was on its way at `mark` still is. */
  hasOlder(mark: number, access: number): boolean;
}

/** Invalidations of device TLBs that may be on their way at a time: PCIe has 5-bit tags (ITag, PCIe 6.0 §10.3.1). */
const TAGS = 32;
/** Attempts of a command after which a device that has not answered is taken not to answer any more. */
const PATIENCE = 256;

const directions = (reads: boolean, writes: boolean): number => (reads ? READ : 0) | (writes ? WRITE : 0);

/** An invalidation that its device has not answered; undefined: there is no such device, and no answer will come. */
interface OpenInvalidation {
  readonly device: InvalidatedDevice | undefined;
}

type Wait = Extract<Command, { readonly kind: 'wait' }>;

/** The consumer of an invalidation queue: each call of `runOne` does one command, or finds that it has to wait. */
export class CommandQueue {
  readonly #around: QueueSurroundings;
  readonly #open = new Set<OpenInvalidation>();
  #attempts = 0;
  /** A device has not answered, and the next wait has to say so. */
  #timedOut = false;
  /** READ | WRITE that the next wait has to drain, as commands before it say; and what was in flight when it came. */
  #drains = 0;
  #mark: number | undefined;
  #interrupts = 0;
  #done = 0;

  constructor(around: QueueSurroundings) {
    this.#around = around;
  }

  /** Interrupts for completed waits, and commands done, since the queue was made. */
  get interrupts(): number {
    return this.#interrupts;
  }

  get done(): number {
    return this.#done;
  }

  /** Invalidations that devices have not completed. */
  get pendingInvalidations(): number {
    return this.#open.size;
  }

  /** Undefined: the queue is empty, off, stopped by an error, or at a command that has to wait. */
  runOne(): HardwareStep | undefined {
    const { vendor, registers, memory } = this.#around;
    const { commands } = vendor;
    const ring = commands.ring(registers);
    if (!ring.enabled || commands.isStopped(registers)) return undefined;
    const head = commands.head.position(registers);
    if (head === commands.tail.position(registers)) return undefined;
    const index = head % ring.slots;
    const address = slotAddress(ring, head);
    const words = readWords(memory, address, ring.slotBytes / 8);
    if (!words) {
      this.#refuse('fetch', address);
      return { kind: 'command', name: 'fetch', index, done: false };
    }
    const command = commands.decode(words, registers);
    const outcome = this.#carryOut(command, address);
    if (outcome === 'waits') return undefined;
    if (outcome !== 'stays') {
      const next = (head + 1) % positionsOf(ring);
      registers.set(commands.head.register, commands.head.value(registers, next));
      this.#attempts = 0;
      this.#mark = undefined;
    }
    if (outcome === 'done') this.#done++;
    return { kind: 'command', name: command.name, index, done: outcome === 'done' };
  }

  /** done, or skipped: the head goes on; stays: an error; waits: nothing was done yet. */
  #carryOut(command: Command, address: number): 'done' | 'skipped' | 'stays' | 'waits' {
    switch (command.kind) {
      case 'illegal':
        this.#refuse('illegal', address);
        return 'stays';
      case 'other':
        return 'done';
      case 'invalidate':
        for (const operation of command.operations) this.#around.apply(operation);
        this.#drains |= directions(command.drainsReads === true, command.drainsWrites === true);
        return 'done';
      case 'device-tlb':
        return this.#invalidateDevice(command.operation, address);
      case 'wait':
        return this.#wait(command, address);
    }
  }

  #wait(wait: Wait, address: number): 'done' | 'skipped' | 'stays' | 'waits' {
    const { vendor, registers, inFlight } = this.#around;
    this.#mark ??= inFlight.now;
    this.#collect();
    if (this.#open.size > 0 && !this.#givesUp()) return 'waits';
    if (this.#timedOut) {
      this.#timedOut = false;
      this.#refuse('timeout', address);
      const { afterTimeout } = vendor.commands;
      if (afterTimeout !== 'goes-on') return afterTimeout === 'skips' ? 'skipped' : 'stays';
    }
    if (!this.#isDrained(wait)) return 'waits';
    const { store } = wait;
    if (store && !this.#around.store(store.address, store.value, store.bytes)) {
      this.#refuse('store', address);
      if (vendor.commands.isStopped(registers)) return 'stays';
    }
    this.#drains = 0;
    if (wait.interrupt) {
      this.#interrupts++;
      vendor.commands.interrupt(registers);
    }
    return 'done';
  }

  #isDrained({ drainsReads, drainsWrites }: Wait): boolean {
    const { inFlight, drains } = this.#around;
    const access = this.#drains | directions(drainsReads, drainsWrites);
    return !drains || access === 0 || !inFlight.hasOlder(this.#mark ?? inFlight.now, access);
  }

  /** Sends an invalidation to a device, when a tag is free. */
  #invalidateDevice(operation: DeviceTlbOperation, address: number): 'done' | 'stays' | 'waits' {
    const { vendor, registers } = this.#around;
    if (this.#open.size >= TAGS) this.#collect();
    if (this.#open.size >= TAGS) {
      if (!this.#givesUp()) return 'waits';
      // Arm and RISC-V tell it at the next wait (IHI 0070 CERROR_ATC_INV_SYNC, RISC-V IOMMU 1.0 §3.1.4 cmd_to).
      if (vendor.commands.afterTimeout !== 'repeats') {
        this.#timedOut = false;
        this.#refuse('timeout', address);
        if (vendor.commands.isStopped(registers)) return 'stays';
      }
    }
    const device = this.#around.device(operation.requester);
    // An answer that comes after its time-out finds nothing to take away.
    const open = { device };
    this.#open.add(open);
    device?.invalidate(operation, () => this.#open.delete(open));
    return 'done';
  }

  /** One attempt more; true: those that have not answered by now will not. */
  #givesUp(): boolean {
    if (++this.#attempts < PATIENCE) return false;
    this.#open.clear();
    this.#attempts = 0;
    return (this.#timedOut = true);
  }

  #collect(): void {
    for (const device of new Set([...this.#open].map((each) => each.device))) device?.complete();
  }

  #refuse(error: CommandError, address: number): void {
    const { vendor, registers, log } = this.#around;
    const record = vendor.commands.refuse(registers, error, address);
    if (record) log.write(record);
  }
}
