import assert from 'node:assert/strict';
import { CommandQueue, type InvalidatedDevice } from '../../../../src/engine/iommu/commandQueue';
import { type CacheOperation, type DeviceTlbOperation } from '../../../../src/engine/iommu/cacheOperation';
import { FaultLog, positionsOf } from '../../../../src/engine/iommu/faultLog';
import { readWords, storeValue, writeWords } from '../../../../src/engine/iommu/ringMemory';
import { type EmulatedKind, type FaultReport } from '../../../../src/engine/iommu/vendor';
import { vendorOf } from '../../../../src/engine/iommu/vendors';
import { Arena } from '../../../../src/engine/memory/arena';
import { frameNumber, requesterId } from '../../../../src/engine/values';

/** The command ring is in frame 16, the fault log in frame 32; both take the least that their vendor allows. */
export const COMMANDS = 0x10_000;
export const LOG = 0x20_000;
/** Where completions go. */
export const STATUS = 0x30_000;

const bit = (place: number): bigint => 1n << BigInt(place);

/** Registers and what software writes to them to switch the queues on. */
const STARTS: Readonly<Record<EmulatedKind, readonly (readonly [string, bigint])[]>> = {
  'vt-d': [
    ['IQA', BigInt(COMMANDS)],
    ['GCMD', bit(26) | bit(31)],
  ],
  'amd-vi': [
    ['CmdBufBase', BigInt(COMMANDS) | (8n << 56n)],
    ['EventLogBase', BigInt(LOG) | (8n << 56n)],
    ['Control', bit(0) | bit(2) | bit(3) | bit(4) | bit(12)],
  ],
  smmuv3: [
    ['CMDQ_BASE', BigInt(COMMANDS) | 2n],
    ['EVENTQ_BASE', BigInt(LOG) | 2n],
    ['CR0', bit(0) | bit(2) | bit(3)],
  ],
  riscv: [
    ['cqb', (BigInt(COMMANDS >> 12) << 10n) | 1n],
    ['fqb', (BigInt(LOG >> 12) << 10n) | 1n],
    ['cqcsr', 3n],
    ['fqcsr', 3n],
  ],
};

/** What is fixed of each. */
const FIXED: Readonly<Record<EmulatedKind, readonly (readonly [string, bigint])[]>> = {
  // Four fault recording registers, a device TLB, draining.
  'vt-d': [
    ['CAP', (3n << 40n) | bit(54) | bit(55)],
    ['ECAP', bit(2)],
  ],
  'amd-vi': [['ExtFeat', bit(4) | bit(6)]],
  smmuv3: [
    ['IDR0', bit(0) | bit(1) | bit(10) | bit(13)],
    ['IDR1', 32n | (20n << 6n)],
  ],
  riscv: [['capabilities', bit(25) | bit(40)]],
};

/** A device that answers when it is told to. */
export class SlowDevice implements InvalidatedDevice {
  readonly asked: DeviceTlbOperation[] = [];
  #open: (() => void)[] = [];
  answers = false;

  invalidate(operation: DeviceTlbOperation, completed: () => void): void {
    this.asked.push(operation);
    this.#open.push(completed);
  }

  complete(): void {
    if (!this.answers) return;
    const done = this.#open;
    this.#open = [];
    for (const completed of done) completed();
  }
}

/** A queue and a log without an IOMMU around them. */
export class QueueRig {
  readonly vendor;
  readonly memory = new Arena();
  readonly registers = new Map<string, bigint>();
  readonly log: FaultLog;
  readonly queue: CommandQueue;
  readonly applied: CacheOperation[] = [];
  readonly devices = new Map<number, SlowDevice>();
  /** READ | WRITE of the one request on its way; 0: none. */
  inFlight = 0;

  constructor(kind: EmulatedKind, drains = true) {
    this.vendor = vendorOf(kind);
    for (const address of [COMMANDS, LOG, LOG + 0x1000, STATUS])
      assert.ok(this.memory.addFrame(frameNumber(address >> 12)));
    for (const [name, value] of FIXED[kind]) this.registers.set(name, value);
    for (const [name, value] of STARTS[kind]) this.write(name, value);
    this.log = new FaultLog(this.vendor, this.memory, this.registers);
    const hasOlder = (_: number, access: number): boolean => (this.inFlight & access) !== 0;
    this.queue = new CommandQueue({
      vendor: this.vendor,
      memory: this.memory,
      registers: this.registers,
      log: this.log,
      store: (address, value, bytes) => storeValue(this.memory, address, value, bytes),
      apply: (operation) => this.applied.push(operation),
      device: (requester) => this.devices.get(requester),
      inFlight: { now: 1, hasOlder },
      drains,
    });
  }

  write(name: string, value: bigint): void {
    this.vendor.write(this.registers, name, value);
  }

  read(name: string): bigint {
    return this.registers.get(name) ?? 0n;
  }

  /** Puts commands at the tail and moves it, as software does. */
  submit(...commands: readonly (readonly bigint[])[]): void {
    const { commands: side } = this.vendor;
    for (const words of commands) {
      const ring = side.ring(this.registers);
      const tail = side.tail.position(this.registers);
      const at = ring.baseAddress + (tail % ring.slots) * ring.slotBytes;
      assert.ok(writeWords(this.memory, at, words.slice(0, ring.slotBytes / 8)));
      this.write(side.tail.register, side.tail.value(this.registers, (tail + 1) % positionsOf(ring)));
    }
  }

  /** Runs until nothing is left or something waits; names of what was done, `!` after what was not. */
  run(): string[] {
    const names: string[] = [];
    for (let step = this.queue.runOne(); step; step = this.queue.runOne()) {
      assert.equal(step.kind, 'command');
      names.push(step.done ? step.name : `${step.name}!`);
    }
    return names;
  }

  word(address: number): bigint {
    const [word] = readWords(this.memory, address, 1) ?? [];
    assert.ok(word !== undefined);
    return word;
  }
}

/** A write of device 00:02.0 to 0x12345678 that finds nothing mapped by stage 2. */
export function refusal(
  over: Partial<FaultReport> = {},
  request: Partial<FaultReport['request']> = {},
): FaultReport {
  return {
    request: {
      requester: requesterId(0x10),
      pasid: null,
      addressLo: 0x1234_5678,
      addressHi: 0x7f,
      length: 4,
      access: 'write',
      kind: 'untranslated',
      ...request,
    },
    fault: 'not-present',
    stage: 2,
    depth: 1,
    implicit: false,
    ...over,
  };
}
