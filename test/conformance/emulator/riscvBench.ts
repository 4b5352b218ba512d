/** An IOMMU as the test program of the riscv-iommu reference model sets it up: three levels of DDT, device 0x012345. */
import assert from 'node:assert/strict';
import { type HardwareStep } from '../../../src/engine/iommu/hardwareStep';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { readWords, writeWords } from '../../../src/engine/iommu/ringMemory';
import { READ, WRITE } from '../../../src/engine/pageTable/entryClass';
import { type DmaRequest, type RequestOutcome } from '../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../src/engine/iommu/rules';
import { type DecodedFault } from '../../../src/engine/iommu/vendor';
import { runCommands } from '../../../src/engine/machine/runDriver';
import { Arena } from '../../../src/engine/memory/arena';
import { type EntryHalves } from '../../../src/engine/memory/words';
import { runSteps, type Steps } from '../../../src/engine/steps';
import { SeededRandom } from '../../../src/engine/random';
import { frameNumber, pasid as pasidOf, requesterId, type FrameNumber } from '../../../src/engine/values';

export const bit = (place: number): bigint => 1n << BigInt(place);
const range = (high: number, low: number): bigint => (bit(high - low + 1) - 1n) << BigInt(low);

/** Sv39 to Sv57 and x4, MSI_FLAT, AMO_HWAD, ATS, T2GPA, PAS 50, PD8 to PD20, Svrsw60t59b. */
export const CAPABILITIES =
  0x10n | range(11, 9) | range(19, 17) | bit(14) | bit(22) | range(26, 24) | (50n << 32n) | range(40, 38);
export const DEVICE = requesterId(0x012345);
/** 1024 commands and as many faults. */
const COMMANDS = 0x10_0000;
const FAULTS = 0x20_0000;
const ROOT = 0x30;
const CONTEXT_TABLE = 0x32;
/** Context 5 of its table: DDI[0] of the device. */
const CONTEXT = CONTEXT_TABLE * 4096 + 5 * 64;
/** The entry of the directory's root that leads to the device: DDI[2]. */
export const ENTRY_OF_ROOT = ROOT * 4096 + 2 * 8;

/** Memory one word of which may be out of reach. */
class FaultyMemory extends Arena {
  /** Byte address of the word; -1: every word can be reached. */
  violation = -1;

  override readEntry(frame: FrameNumber, index: number, into: EntryHalves): boolean {
    return frame * 4096 + index * 8 !== this.violation && super.readEntry(frame, index, into);
  }

  override writeEntry(frame: FrameNumber, index: number, lo: number, hi: number): boolean {
    return frame * 4096 + index * 8 !== this.violation && super.writeEntry(frame, index, lo, hi);
  }

  /** Directories are read by frames. */
  override readFrame(frame: FrameNumber): Uint32Array | undefined {
    return Math.floor(this.violation / 4096) === frame ? undefined : super.readFrame(frame);
  }
}

export class RiscvBench {
  readonly memory = new FaultyMemory();
  readonly iommu: Iommu;
  readonly contextAddress = CONTEXT;
  #nextFrame = 0x1000;

  constructor(rules: Partial<HardwareRules> = {}) {
    const registers = new Map([['capabilities', CAPABILITIES]]);
    this.iommu = new Iommu({
      name: 'iommu0',
      kind: 'riscv',
      memory: this.memory,
      registers,
      rules: { ...DEFAULT_RULES, ...rules },
      random: new SeededRandom(1),
      observer: { wrote: () => undefined, read: () => undefined },
    });
    for (let frame = 0; frame < 4; frame++) this.frame(COMMANDS / 4096 + frame);
    for (let frame = 0; frame < 8; frame++) this.frame(FAULTS / 4096 + frame);
    this.write('cqb', (BigInt(COMMANDS >> 12) << 10n) | 9n);
    this.write('cqcsr', 3n);
    this.write('fqb', (BigInt(FAULTS >> 12) << 10n) | 9n);
    this.write('fqcsr', 3n);
    for (const frame of [ROOT, ROOT + 1, CONTEXT_TABLE]) this.frame(frame);
    // 0x012345: DDI[2] 2, DDI[1] 0x8d, DDI[0] 5.
    this.put(ENTRY_OF_ROOT, pointer(ROOT + 1));
    this.put((ROOT + 1) * 4096 + 0x8d * 8, pointer(CONTEXT_TABLE));
    this.write('ddtp', 4n | (BigInt(ROOT) << 10n));
  }

  frame(number: number): void {
    assert.ok(this.memory.addFrame(frameNumber(number)));
  }

  /** The first of so many new frames, at a multiple of as many. */
  frames(count = 1): number {
    const first = Math.ceil(this.#nextFrame / count) * count;
    this.#nextFrame = first + count;
    for (let frame = first; frame < first + count; frame++) this.frame(frame);
    return first;
  }

  put(address: number, ...words: readonly bigint[]): void {
    assert.ok(writeWords(this.memory, address, words));
  }

  word(address: number): bigint {
    const [word] = readWords(this.memory, address, 1) ?? [];
    assert.ok(word !== undefined);
    return word;
  }

  /** The device context: tc, iohgatp, ta, fsc. */
  context(...words: readonly bigint[]): void {
    this.put(CONTEXT, ...words);
  }

  read(register: string): bigint {
    return this.iommu.registers.get(register) ?? 0n;
  }

  write(register: string, value: bigint): void {
    this.iommu.writeRegister(register, value);
  }

  /** Puts a command at the tail, and lets hardware do what it can. */
  command(words: readonly bigint[]): void {
    const tail = this.read('cqt');
    this.put(COMMANDS + Number(tail) * 16, ...words);
    this.write('cqt', (tail + 1n) % 1024n);
    this.process();
  }

  process(): void {
    runCommands([this.iommu]);
  }

  /** The byte address of the slot at which the head (tail) stands. */
  slot(register: 'cqh' | 'cqt'): number {
    return COMMANDS + Number(this.read(register)) * 16;
  }

  /** Commands that hardware has not done. */
  get left(): number {
    return Number((this.read('cqt') - this.read('cqh') + 1024n) % 1024n);
  }

  /** Switches the command queue off and on, as the test program does to leave an error. */
  restartCommands(): void {
    this.write('cqcsr', this.read('cqcsr') & ~1n);
    this.write('cqt', 0n);
    assert.equal(this.read('cqcsr') & (1n | bit(16) | bit(17)), 0n);
    this.write('cqcsr', this.read('cqcsr') | 1n);
    assert.equal(this.read('cqcsr') & (1n | bit(16)), 1n | bit(16));
    assert.equal(this.read('cqcsr') & range(11, 8), 0n);
  }

  request(iova: bigint, access: DmaRequest['access'], over: RequestKind = {}): DmaRequest {
    return {
      requester: DEVICE,
      pasid: null,
      addressLo: Number(iova & 0xffff_ffffn),
      addressHi: Number(iova >> 32n),
      length: 1,
      access,
      kind: 'untranslated',
      ...over,
    };
  }

  translate(iova: bigint, access: DmaRequest['access'] = 'read', over: RequestKind = {}): RequestOutcome {
    return this.iommu.run(this.request(iova, access, over));
  }

  /** The request passes, and nothing is recorded; where it comes out, what is granted, and log2 bytes of the answer. */
  passes(iova: bigint, access: DmaRequest['access'] = 'read', over: RequestKind = {}): Passed {
    return this.#passed(this.translate(iova, access, over));
  }

  /** The same of a request that has begun. */
  finish(steps: Steps<HardwareStep, RequestOutcome>): Passed {
    return this.#passed(runSteps(steps));
  }

  #passed(outcome: RequestOutcome): Passed {
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.equal(this.records().length, 0);
    const { outputLo, outputHi, permission, shift } = outcome;
    const output = (BigInt(outputHi >>> 0) << 32n) | BigInt(outputLo >>> 0);
    return { output, reads: (permission & READ) !== 0, writes: (permission & WRITE) !== 0, shift };
  }

  /** The answer to an ATS translation request. */
  asks(iova: bigint, over: RequestKind = {}): Passed {
    return this.passes(iova, 'read', { kind: 'translation', ...over });
  }

  /** The request is refused and recorded once, with this cause and iotval2, and as what it was; takes the record. */
  faults(
    iova: bigint,
    access: DmaRequest['access'],
    cause: number,
    iotval2 = 0n,
    over: RequestKind = {},
  ): void {
    const request = this.request(iova, access, over);
    const said = JSON.stringify(request);
    assert.equal(this.iommu.run(request).ok, false, said);
    const records = this.records();
    assert.equal(records.length, 1, said);
    const [first = 0n, , iotval, second] = records[0]?.words ?? [];
    assert.equal(Number(first & 0xfffn), cause, said);
    assert.equal(first >> 40n, BigInt(DEVICE));
    assert.equal(Number((first >> 34n) & 0x3fn), transactionType(request), said);
    const { pasid } = request;
    const process = (first >> 12n) & ((1n << 22n) - 1n);
    const isPrivileged = request.privileged === true ? bit(21) : 0n;
    assert.equal(process, pasid === null ? 0n : BigInt(pasid) | bit(20) | isPrivileged, said);
    assert.equal(iotval, iova);
    assert.equal(second, iotval2, said);
    this.write('fqh', this.read('fqt'));
  }

  /** The same of another device's read. */
  faultsOf(device: number, iova: bigint, cause: number): void {
    const request = { ...this.request(iova, 'read'), requester: requesterId(device) };
    assert.equal(this.iommu.run(request).ok, false);
    const [record, more] = this.records();
    assert.equal(more, undefined);
    const [first = 0n] = record?.words ?? [];
    assert.equal(Number(first & 0xfffn), cause, `device 0x${device.toString(16)}`);
    assert.equal(first >> 40n, BigInt(device));
    this.write('fqh', this.read('fqt'));
  }

  /** Other capabilities than those of the test program, at once. */
  setCapabilities(value: bigint): void {
    this.iommu.registers.set('capabilities', value);
    // Read-only to software, and looked at again with each access to a register.
    this.write('capabilities', value);
  }

  records(): DecodedFault[] {
    return [...this.iommu.faults.entries()];
  }
}

/** A valid pointer of a directory or a page table to a frame. */
export const pointer = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;

/** What requests may have beside an address and an access. */
export type RequestKind = Partial<Pick<DmaRequest, 'kind' | 'pasid' | 'privileged' | 'execute' | 'noWrite'>>;

interface Passed {
  readonly output: bigint;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly shift: number;
}

/** TTYP. */
function transactionType({ kind, access, execute }: DmaRequest): number {
  if (kind === 'translation') return 8;
  const type = access !== 'read' ? 3 : execute === true ? 1 : 2;
  return kind === 'translated' ? type + 4 : type;
}

/** For every type of transaction of the test program; `write`: it asks for that. */
export function forAllTransactions(does: (access: 'read' | 'write', over: RequestKind) => void): void {
  for (const kind of ['untranslated', 'translation', 'translated'] as const)
    for (const process of [null, 0x99])
      for (const execute of [false, true])
        for (const privileged of [false, true])
          for (const noWrite of [false, true]) {
            const access = noWrite || kind === 'translation' ? 'read' : 'write';
            const pasid = process === null ? null : pasidOf(process);
            does(access, { kind, pasid, execute, privileged, noWrite });
          }
}
