/** SMMUv3's registers, Stream Table Entries and Context Descriptors, as Arm IHI 0070 5.2, 5.4 and 6.3 lay them out. */
import { type BuiltImage } from '../built';
import { Cases } from './armRiscvCases';
import { Memory } from './armRiscvMemory';

export const CONFIG = { abort: 0n, bypass: 4n, stage1: 5n, stage2: 6n, nested: 7n } as const;

/** Both stages, AArch64 tables, A and D by hardware, two-level tables, little-endian, no stalls. */
export const IDR0 =
  0x3n |
  (2n << 2n) |
  (1n << 4n) |
  (2n << 6n) |
  (1n << 12n) |
  (1n << 18n) |
  (1n << 19n) |
  (2n << 21n) |
  (1n << 24n) |
  (1n << 27n);
/** SMMU_IDR1: attributes may be overridden; 20-bit SubstreamIDs; `sidSize` bits of StreamID. */
export const idr1 = (sidSize: number, ssidSize = 20): bigint =>
  (3n << 26n) | (BigInt(ssidSize) << 6n) | BigInt(sidSize);
export const IDR3_HAD = 1n << 2n;
export const IDR3_STT = 1n << 9n;
/** SMMU_IDR5: every granule; output size code (5 = 48 bits, 6 = 52 bits). */
export const IDR5_48 = (7n << 4n) | 5n;
export const IDR5_52 = (1n << 10n) | (1n << 7n) | (7n << 4n) | 6n;

export interface Stage2Fields {
  readonly t0sz: number;
  readonly sl0: number;
  readonly tg: bigint;
  readonly ttb: bigint;
  /** S2PS: 5 = 48 bits. */
  readonly ps?: bigint;
  readonly affd?: boolean;
  readonly hd?: boolean;
  readonly ha?: boolean;
  readonly ds?: boolean;
  readonly sl0Bit2?: boolean;
  readonly aa64?: boolean;
  /** Big-endian tables. */
  readonly endi?: boolean;
}

export interface SteFields {
  readonly config: bigint;
  readonly valid?: boolean;
  readonly s1Fmt?: bigint;
  readonly contextPtr?: bigint;
  readonly cdMax?: bigint;
  readonly dss?: bigint;
  /** 3: every request counts as privileged. */
  readonly privCfg?: bigint;
  readonly s2?: Stage2Fields;
}

const flag = (set: boolean | undefined, bit: number): bigint => (set ? 1n << BigInt(bit) : 0n);

/** The eight words of a Stream Table Entry (IHI 0070 5.2). */
export function ste(fields: SteFields): readonly bigint[] {
  const {
    config,
    valid = true,
    s1Fmt = 0n,
    contextPtr = 0n,
    cdMax = 0n,
    dss = 0n,
    privCfg = 0n,
    s2,
  } = fields;
  const word0 = flag(valid, 0) | (config << 1n) | (s1Fmt << 4n) | contextPtr | (cdMax << 59n);
  // Write-back cached context descriptors; shareability as it comes.
  const word1 = dss | (1n << 2n) | (1n << 4n) | (3n << 6n) | (1n << 44n) | (privCfg << 48n);
  if (!s2) return [word0, word1, 0n, 0n, 0n, 0n, 0n, 0n];
  const { ps = 5n, aa64 = true } = s2;
  const vmid = 7n;
  const cacheable = (1n << 40n) | (1n << 42n) | (3n << 44n);
  const word2 =
    vmid |
    (BigInt(s2.t0sz) << 32n) |
    (BigInt(s2.sl0) << 38n) |
    cacheable |
    (s2.tg << 46n) |
    (ps << 48n) |
    flag(aa64, 51) |
    flag(s2.endi, 52) |
    flag(s2.affd, 53) |
    flag(s2.hd, 55) |
    flag(s2.ha, 56) |
    flag(true, 58);
  const word3 = s2.ttb | flag(s2.sl0Bit2, 2) | flag(s2.ds, 3);
  return [word0, word1, word2, word3, 0n, 0n, 0n, 0n];
}

export interface HalfFields {
  readonly tsz: number;
  /** TG0 or TG1, each in its own code. */
  readonly tg: bigint;
  readonly ttb: bigint;
  /** Hierarchical attributes disabled: CD.HAD0 or CD.HAD1. */
  readonly had?: boolean;
}

export interface CdFields {
  /** A half that is absent has its walks disabled (EPD). */
  readonly ttb0?: HalfFields;
  readonly ttb1?: HalfFields;
  readonly valid?: boolean;
  /** IPS: 5 = 48 bits. */
  readonly ips?: bigint;
  readonly affd?: boolean;
  readonly hd?: boolean;
  readonly ha?: boolean;
  readonly tbi0?: boolean;
  readonly tbi1?: boolean;
  /** Big-endian tables. */
  readonly endi?: boolean;
  /** Privileged Access Never. */
  readonly pan?: boolean;
  readonly aa64?: boolean;
  readonly ds?: boolean;
  /** Walks disabled although the half is described. */
  readonly epd0?: boolean;
  readonly epd1?: boolean;
}

/** The eight words of a Context Descriptor (IHI 0070 5.4). */
export function cd(fields: CdFields): readonly bigint[] {
  const { ttb0, ttb1, valid = true, ips = 5n, aa64 = true } = fields;
  const half = (given: HalfFields | undefined, at: bigint): bigint =>
    given ? (BigInt(given.tsz) | (given.tg << 6n) | (1n << 8n) | (1n << 10n) | (3n << 12n)) << at : 0n;
  const word0 =
    half(ttb0, 0n) |
    half(ttb1, 16n) |
    flag(fields.epd0 ?? !ttb0, 14) |
    flag(fields.epd1 ?? !ttb1, 30) |
    flag(valid, 31) |
    (ips << 32n) |
    flag(fields.affd, 35) |
    flag(fields.tbi0, 38) |
    flag(fields.tbi1, 39) |
    flag(fields.endi, 15) |
    flag(fields.pan, 40) |
    flag(aa64, 41) |
    flag(fields.hd, 42) |
    flag(fields.ha, 43) |
    flag(true, 45) |
    flag(true, 46) |
    flag(true, 47) |
    (9n << 48n);
  const word1 = flag(ttb0?.had, 1) | (ttb0?.ttb ?? 0n);
  const word2 = flag(ttb1?.had, 1) | (ttb1?.ttb ?? 0n) | flag(fields.ds, 58);
  return [word0, word1, word2, 0xff44n, 0n, 0n, 0n, 0n];
}

/** An image with a linear stream table of 256 entries, whose streams are added one by one. */
export class SmmuImage {
  readonly memory = new Memory();
  readonly cases = new Cases();
  private readonly streamTable: bigint;
  private streams = 0;

  constructor(
    private readonly name: string,
    private readonly registers: Readonly<Record<string, bigint>> = {},
  ) {
    this.streamTable = this.memory.allocate(256n * 64n, 256n * 64n);
  }

  /** The next StreamID, with this entry. */
  stream(words: readonly bigint[]): number {
    const id = this.streams++;
    putWords(this.memory, this.streamTable + BigInt(id) * 64n, words);
    return id;
  }

  /** A stream with stage 1 alone and one context descriptor. */
  stage1(fields: CdFields, privCfg = 0n): number {
    return this.stream(ste({ config: CONFIG.stage1, contextPtr: this.context(fields), privCfg }));
  }

  /** Address of a context descriptor of its own. */
  context(fields: CdFields): bigint {
    const address = this.memory.allocate(64n);
    putWords(this.memory, address, cd(fields));
    return address;
  }

  stage2(s2: Stage2Fields): number {
    return this.stream(ste({ config: CONFIG.stage2, s2 }));
  }

  build(): BuiltImage {
    return {
      name: this.name,
      kind: 'smmuv3',
      registers: {
        STRTAB_BASE: this.streamTable,
        STRTAB_BASE_CFG: 8n,
        CR0: 1n,
        GBPA: 0n,
        IDR0,
        IDR1: idr1(16),
        IDR3: IDR3_HAD,
        IDR5: IDR5_48,
        ...this.registers,
      },
      frames: this.memory.frames,
      expectations: this.cases.expectations,
    };
  }
}

interface Writable {
  write(address: bigint, word: bigint): void;
}

/** Writes words one after the other. */
export function putWords(space: Writable, address: bigint, words: readonly bigint[]): void {
  words.forEach((word, index) => space.write(address + BigInt(index) * 8n, word));
}
