import { type WritableMemory } from '../memory/writableMemory';
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
  /** Whether no read (write) that was translated before is on its way. */
  isDrained(reads: boolean, writes: boolean): boolean;
}

/** Invalidations of device TLBs that may be on their way at a time: PCIe has 5-bit tags (ITag, PCIe 6.0 §10.3.1). */
const TAGS = 32;
/** Attempts of a wait after which a device that has not answered is taken not to answer any more. */
const PATIENCE = 256;

type Wait = Extract<Command, { readonly kind: 'wait' }>;

/** The consumer of an invalidation queue: each call of `runOne` does one command, or finds that it has to wait. */
export class CommandQueue {
  readonly #around: QueueSurroundings;
  /** By tag: the device that has not answered yet; undefined: there is no such device, and no answer will come. */
  readonly #open = new Map<number, InvalidatedDevice | undefined>();
  #nextTag = 0;
  #attempts = 0;
  /** What the next wait has to drain, as commands before it say. */
  #drains = { reads: false, writes: false };
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
        if (command.drainsReads === true) this.#drains.reads = true;
        if (command.drainsWrites === true) this.#drains.writes = true;
        return 'done';
      case 'device-tlb':
        return this.#invalidateDevice(command.operation) ? 'done' : 'waits';
      case 'wait':
        return this.#wait(command, address);
    }
  }

  #wait(wait: Wait, address: number): 'done' | 'skipped' | 'stays' | 'waits' {
    const { vendor, registers, memory } = this.#around;
    this.#collect();
    if (this.#open.size > 0) {
      if (++this.#attempts < PATIENCE) return 'waits';
      this.#open.clear();
      this.#attempts = 0;
      this.#refuse('timeout', address);
      const { afterTimeout } = vendor.commands;
      if (afterTimeout !== 'goes-on') return afterTimeout === 'skips' ? 'skipped' : 'stays';
    }
    const reads = wait.drainsReads || this.#drains.reads;
    const writes = wait.drainsWrites || this.#drains.writes;
    if ((reads || writes) && !this.#around.isDrained(reads, writes)) return 'waits';
    const { store } = wait;
    if (store && !storeValue(memory, store.address, store.value, store.bytes)) {
      this.#refuse('store', address);
      if (vendor.commands.isStopped(registers)) return 'stays';
    }
    this.#drains = { reads: false, writes: false };
    if (wait.interrupt) {
      this.#interrupts++;
      vendor.commands.interrupt(registers);
    }
    return 'done';
  }

  /** Sends an invalidation to a device; false when every tag is in use. */
  #invalidateDevice(operation: DeviceTlbOperation): boolean {
    if (this.#open.size >= TAGS) this.#collect();
    if (this.#open.size >= TAGS) return false;
    const device = this.#around.device(operation.requester);
    while (this.#open.has(this.#nextTag)) this.#nextTag = (this.#nextTag + 1) % TAGS;
    const tag = this.#nextTag;
    this.#nextTag = (tag + 1) % TAGS;
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
