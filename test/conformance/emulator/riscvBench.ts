/** An IOMMU as the test program of the riscv-iommu reference model sets it up: three levels of DDT, device 0x012345. */
import assert from 'node:assert/strict';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { readWords, writeWords } from '../../../src/engine/iommu/ringMemory';
import { type DmaRequest, type RequestOutcome } from '../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../src/engine/iommu/rules';
import { type DecodedFault } from '../../../src/engine/iommu/vendor';
import { runCommands } from '../../../src/engine/machine/runDriver';
import { Arena } from '../../../src/engine/memory/arena';
import { type EntryHalves } from '../../../src/engine/memory/words';
import { SeededRandom } from '../../../src/engine/random';
import { frameNumber, requesterId, type FrameNumber } from '../../../src/engine/values';

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
}

export class RiscvBench {
  readonly memory = new FaultyMemory();
  readonly iommu: Iommu;

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
    this.put(ROOT * 4096 + 2 * 8, pointer(ROOT + 1));
    this.put((ROOT + 1) * 4096 + 0x8d * 8, pointer(CONTEXT_TABLE));
    this.write('ddtp', 4n | (BigInt(ROOT) << 10n));
  }

  frame(number: number): void {
    assert.ok(this.memory.addFrame(frameNumber(number)));
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

  request(iova: bigint, access: DmaRequest['access']): DmaRequest {
    return {
      requester: DEVICE,
      pasid: null,
      addressLo: Number(iova & 0xffff_ffffn),
      addressHi: Number(iova >> 32n),
      length: 1,
      access,
      kind: 'untranslated',
    };
  }

  translate(iova: bigint, access: DmaRequest['access'] = 'read'): RequestOutcome {
    return this.iommu.run(this.request(iova, access));
  }

  passes(iova: bigint, access: DmaRequest['access'] = 'read'): void {
    assert.equal(this.translate(iova, access).ok, true);
  }

  /** The request is refused and recorded once, with this cause and iotval2; takes the record. */
  faults(iova: bigint, access: DmaRequest['access'], cause: number, iotval2 = 0n): void {
    assert.equal(this.translate(iova, access).ok, false);
    const records = this.records();
    assert.equal(records.length, 1);
    const [first = 0n, , iotval, second] = records[0]?.words ?? [];
    assert.equal(Number(first & 0xfffn), cause);
    assert.equal(first >> 40n, BigInt(DEVICE));
    assert.equal(iotval, iova);
    assert.equal(second, iotval2);
    this.write('fqh', this.read('fqt'));
  }

  records(): DecodedFault[] {
    return [...this.iommu.faults.entries()];
  }
}

/** A valid pointer of a directory or a page table to a frame. */
export const pointer = (frame: number): bigint => (BigInt(frame) << 10n) | 1n;
