import { type WritableMemory } from '../memory/writableMemory';
import { READ, WRITE } from '../pageTable/entryClass';
import { type CacheOperation, type DeviceTlbOperation } from './cacheOperation';
import { type Command } from './commands';
import { positionsOf, slotAddress, type FaultLog } from './faultLog';
import { type HardwareStep } from './hardwareStep';
import { readWords, storeValue } from './ringMemory';
import { type CommandError, type IommuVendor, type RegisterFile } from './vendor';

/** A device as the queue knows it: takes invalidations of its TLB and answers them later. */
export interface InvalidatedDevice {
  invalidate(operation: DeviceTlbOperation, tag: number): void;
  /** Tags whose invalidations are complete since the last call. */
  complete(): readonly number[];
}

/** What commands act on. */
export interface QueueSurroundings {
  readonly vendor: IommuVendor;
  readonly memory: WritableMemory;
  readonly registers: RegisterFile;
  readonly log: FaultLog;
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
/** Attempts of a wait after which a device that has not answered is taken not to answer any more. */
const PATIENCE = 256;

const directions = (reads: boolean, writes: boolean): number => (reads ? READ : 0) | (writes ? WRITE : 0);

type Wait = Extract<Command, { readonly kind: 'wait' }>;

/** The consumer of an invalidation queue: each call of `runOne` does one command, or finds that it has to wait. */
export class CommandQueue {
  readonly #around: QueueSurroundings;
  /** By tag: the device that has not answered yet; undefined: there is no such device, and no answer will come. */
  readonly #open = new Map<number, InvalidatedDevice | undefined>();
  #nextTag = 0;
  #attempts = 0;
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
        return this.#invalidateDevice(command.operation) ? 'done' : 'waits';
      case 'wait':
        return this.#wait(command, address);
    }
  }

  #wait(wait: Wait, address: number): 'done' | 'skipped' | 'stays' | 'waits' {
    const { vendor, registers, memory, inFlight } = this.#around;
    this.#mark ??= inFlight.now;
    this.#collect();
    if (this.#open.size > 0) {
      if (++this.#attempts < PATIENCE) return 'waits';
      this.#open.clear();
      this.#attempts = 0;
      this.#refuse('timeout', address);
      const { afterTimeout } = vendor.commands;
      if (afterTimeout !== 'goes-on') return afterTimeout === 'skips' ? 'skipped' : 'stays';
    }
    if (!this.#isDrained(wait)) return 'waits';
    const { store } = wait;
    if (store && !storeValue(memory, store.address, store.value, store.bytes)) {
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

  /** Sends an invalidation to a device; false when every tag is in use. */
  #invalidateDevice(operation: DeviceTlbOperation): boolean {
    if (this.#open.size >= TAGS) this.#collect();
    if (this.#open.size >= TAGS) return false;
    const device = this.#around.device(operation.requester);
    // Never used again: an answer that comes after its time-out must not stand for another one.
    const tag = this.#nextTag++;
    this.#open.set(tag, device);
    device?.invalidate(operation, tag);
    return true;
  }

  #collect(): void {
    const devices = new Set(this.#open.values());
    for (const device of devices) {
      for (const tag of device?.complete() ?? []) if (this.#open.get(tag) === device) this.#open.delete(tag);
    }
  }

  #refuse(error: CommandError, address: number): void {
    const { vendor, registers, log } = this.#around;
    const record = vendor.commands.refuse(registers, error, address);
    if (record) log.write(record);
  }
}
