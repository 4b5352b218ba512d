import { Iommu } from '../../../../src/engine/iommu/iommu';
import { type DmaRequest, type RequestOutcome } from '../../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../../src/engine/iommu/rules';
import { type EmulatedKind, type RegisterFile } from '../../../../src/engine/iommu/vendor';
import { type HardwareStep } from '../../../../src/engine/iommu/hardwareStep';
import { type WritableMemory } from '../../../../src/engine/memory/writableMemory';
import { SeededRandom } from '../../../../src/engine/random';
import { requesterId } from '../../../../src/engine/values';
import { at } from '../../../builders/tables';
import { WritableFrames } from '../../../builders/writableFrames';
import { ask, drain } from './oneSpace';

export const bit = (place: number): bigint => 1n << BigInt(place);

/** The only device. */
export const ONLY = requesterId(0);
/** Root of its (last) page tables; the tables of the levels below follow, and lead to DATA. */
export const ROOT = 0x10;
export const DATA = 0x80;
/** Root of the tables of a stage 2 below a stage 1. */
export const BELOW = 0x20;

/** An IOMMU with one device, whose structures and tables were written by hand. */
export class RealUnit {
  readonly iommu: Iommu;
  readonly memory: WritableFrames;
  readonly observed: string[] = [];

  constructor(
    kind: EmulatedKind,
    memory: WritableFrames,
    registers: Readonly<Record<string, bigint>>,
    rules: Partial<HardwareRules> = {},
    seen: WritableMemory = memory,
  ) {
    this.memory = memory;
    const told = (what: string, frame: number, offset: number): void => {
      this.observed.push(`${what} 0x${(frame * 4096 + offset).toString(16)}`);
    };
    const file: RegisterFile = new Map(Object.entries(registers));
    this.iommu = new Iommu({
      name: 'iommu0',
      kind,
      memory: seen,
      registers: file,
      rules: { ...DEFAULT_RULES, ...rules },
      random: new SeededRandom(7),
      observer: {
        wrote: (writer, _page, frame, offset) => {
          told(writer.kind === 'walker' ? 'mark' : 'write', frame, offset);
        },
        read: (_reader, _page, frame, offset) => {
          told('read', frame, offset);
        },
      },
    });
  }

  run(
    address: bigint,
    access: DmaRequest['access'],
    more: Partial<DmaRequest> = {},
  ): { readonly steps: HardwareStep[]; readonly outcome: RequestOutcome } {
    return drain(this.iommu.request(ask(address, access, { requester: ONLY, ...more })));
  }
}

/** Frames of structures and tables, zeroed. */
export function frames(): WritableFrames {
  const memory = new WritableFrames();
  for (let frame = 1; frame < 0x40; frame++) memory.frame(frame);
  return memory;
}

/** A chain of tables from a root on, by entry 0 of each; the last one is not written. Returns its frame. */
export function chain(
  memory: WritableFrames,
  root: number,
  levels: number,
  word: (frame: number, depth: number) => bigint,
): number {
  for (let depth = levels; depth > 1; depth--)
    memory.set(root + levels - depth, 0, word(root + levels - depth + 1, depth));
  return root + levels - 1;
}

/** CAP: 48-bit tables, 2M and 1G pages, 16-bit DIDs. ECAP of scalable mode. */
const VTD_CAP = (7n << 0n) | (4n << 8n) | (47n << 16n) | (3n << 34n) | bit(39) | bit(56) | (18n << 48n);
const VTD_ECAP =
  bit(1) | bit(2) | bit(6) | bit(26) | (19n << 35n) | bit(40) | bit(43) | bit(45) | bit(46) | bit(47);

export interface VtdOptions {
  readonly type: 'first' | 'second' | 'nested';
  readonly ssade?: boolean;
  /** ECAP.SMPWCS and PWSNP. */
  readonly coherent?: boolean;
  readonly ats?: boolean;
  readonly rules?: Partial<HardwareRules>;
  readonly seen?: (memory: WritableFrames) => WritableMemory;
}

/** VT-d scalable mode: DID 5, RID_PASID 0. */
export function vtdUnit({
  type,
  ssade = false,
  coherent = true,
  ats = false,
  rules = {},
  seen,
}: VtdOptions): RealUnit {
  const memory = frames();
  memory.set(1, 0, at(2) | 1n);
  memory.set(2, 0, at(3) | 1n | (ats ? bit(2) : 0n));
  memory.set(3, 0, at(4) | 1n);
  const pgtt = { first: 1n, second: 2n, nested: 3n }[type];
  const second = type === 'nested' ? BELOW : ROOT;
  memory.set(
    4,
    0,
    1n | (2n << 2n) | (pgtt << 6n) | (ssade ? bit(9) : 0n) | (type === 'first' ? 0n : at(second)),
  );
  memory.set(4, 1, 5n | (coherent ? bit(23) : 0n));
  if (type !== 'second') memory.set(4, 2, at(ROOT));
  const registers = {
    CAP: VTD_CAP,
    ECAP: VTD_ECAP | (coherent ? bit(48) : 0n),
    GSTS: bit(31),
    RTADDR: at(1) | bit(10),
  };
  return new RealUnit('vt-d', memory, registers, rules, seen?.(memory));
}

export interface AmdOptions {
  readonly had?: bigint;
  /** HASup and HDSup. */
  readonly marks?: boolean;
  readonly guest?: boolean;
  readonly ats?: boolean;
  readonly rules?: Partial<HardwareRules>;
}

/** AMD: domain 5, 4-level host tables; `guest`: those of PASID 0 as well, at a system address. */
export function amdUnit({
  had = 0n,
  marks = true,
  guest = false,
  ats = false,
  rules = {},
}: AmdOptions): RealUnit {
  const memory = frames();
  const root = guest ? BELOW : ROOT;
  const gcr3 = 3n;
  const low =
    3n |
    (had << 7n) |
    (4n << 9n) |
    at(root) |
    bit(61) |
    bit(62) |
    (guest ? bit(54) | bit(55) | ((gcr3 & 7n) << 58n) : 0n);
  memory.set(1, 0, low);
  memory.set(1, 1, 5n | (ats ? bit(32) : 0n));
  memory.set(3, 0, at(ROOT) | 1n);
  const ExtFeat = bit(3) | bit(4) | (1n << 10n) | (19n << 32n) | bit(48) | (marks ? bit(49) | bit(52) : 0n);
  const registers = { DevTabBase: at(1), Control: 1n | bit(16), ExtFeat };
  return new RealUnit('amd-vi', memory, registers, rules);
}

export interface ArmOptions {
  readonly stages: '1' | '2' | 'nested';
  /** CD.HA, CD.HD, CD.AFFD; STE.S2HA, S2HD, S2AFFD. */
  readonly ha?: boolean;
  readonly hd?: boolean;
  readonly affd?: boolean;
  readonly eats?: bigint;
  readonly rules?: Partial<HardwareRules>;
}

/** SMMUv3: a linear stream table, 39-bit tables of 3 levels with the 4K granule, VMID 6, ASID 9. */
export function armUnit({
  stages,
  ha = false,
  hd = false,
  affd = false,
  eats = 0n,
  rules = {},
}: ArmOptions): RealUnit {
  const memory = frames();
  const config = { '1': 5n, '2': 6n, nested: 7n }[stages];
  const flag = (on: boolean, place: number): bigint => (on ? bit(place) : 0n);
  memory.set(1, 0, 1n | (config << 1n) | (stages === '2' ? 0n : at(2)));
  memory.set(1, 1, eats << 28n);
  if (stages !== '1') {
    const marks = flag(affd, 53) | flag(hd, 55) | flag(ha, 56);
    memory.set(1, 2, 6n | (25n << 32n) | (1n << 38n) | (5n << 48n) | bit(51) | bit(58) | marks);
    memory.set(1, 3, at(stages === '2' ? ROOT : BELOW));
  }
  const cd = 25n | bit(30) | bit(31) | (5n << 32n) | bit(41) | bit(45) | bit(46) | (9n << 48n);
  const marks = stages === '1' ? flag(affd, 35) | flag(hd, 42) | flag(ha, 43) : 0n;
  memory.set(2, 0, cd | marks);
  memory.set(2, 1, at(ROOT));
  const registers = {
    STRTAB_BASE: at(1),
    STRTAB_BASE_CFG: 6n,
    CR0: 1n,
    IDR0: 3n | (2n << 2n) | (2n << 6n) | bit(10) | (2n << 21n),
    IDR1: 16n,
    IDR5: (7n << 4n) | 5n,
  };
  return new RealUnit('smmuv3', memory, registers, rules);
}

export interface RiscvOptions {
  readonly stages: 'first' | 'second' | 'nested';
  /** Further bits of tc: SADE, GADE, EN_ATS, T2GPA. */
  readonly tc?: bigint;
  readonly capabilities?: bigint;
  readonly rules?: Partial<HardwareRules>;
}

export const TC = { EN_ATS: bit(1), T2GPA: bit(3), GADE: bit(7), SADE: bit(8) } as const;
/** AMO_HWAD. */
const RISCV_CAPABILITIES =
  0x10n | (7n << 9n) | (7n << 17n) | bit(24) | bit(25) | bit(26) | (56n << 32n) | (7n << 38n);

/** RISC-V: one directory level, Sv39 (PSCID 9) and Sv39x4 (GSCID 6). */
export function riscvUnit({
  stages,
  tc = 0n,
  capabilities = RISCV_CAPABILITIES,
  rules = {},
}: RiscvOptions): RealUnit {
  const memory = frames();
  const second = stages === 'nested' ? BELOW : ROOT;
  memory.set(1, 0, 1n | tc);
  if (stages !== 'first') memory.set(1, 1, (8n << 60n) | (6n << 44n) | BigInt(second));
  memory.set(1, 2, 9n << 12n);
  if (stages !== 'second') memory.set(1, 3, (8n << 60n) | BigInt(ROOT));
  return new RealUnit('riscv', memory, { ddtp: (1n << 10n) | 2n, capabilities, fctl: 0n }, rules);
}
