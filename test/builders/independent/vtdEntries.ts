/** Registers and second-stage entries of an Intel VT-d unit: VT-d 4.1 §9.8, §11.4. */
import { addressOf, bit, field } from './frames';
import { bits, type Entries, type Shape } from './reservedBits';

/** Adjusted guest address width, as coded in context and PASID entries. */
export const AW = { 39: 1, 48: 2, 57: 3 } as const;

export interface CapOptions {
  /** Supported adjusted widths. */
  readonly widths?: readonly (39 | 48 | 57)[];
  /** Maximum guest address width in bits. */
  readonly mgaw?: number;
  readonly large2M?: boolean;
  readonly large1G?: boolean;
  readonly firstStage1G?: boolean;
  readonly firstStage5Level?: boolean;
}

/** Capability Register: SAGAW 12:8, MGAW 21:16, SSLPS 37:34, FS1GP 56, FS5LP 60. */
export function cap(options: CapOptions = {}): bigint {
  const { widths = [39, 48, 57], mgaw = 57 } = options;
  const { large2M = true, large1G = true, firstStage1G = true, firstStage5Level = true } = options;
  const sagaw = widths.reduce((mask, width) => mask | bit(8 + AW[width]), 0n);
  const flags =
    (large2M ? bit(34) : 0n) |
    (large1G ? bit(35) : 0n) |
    (firstStage1G ? bit(56) : 0n) |
    (firstStage5Level ? bit(60) : 0n);
  return field(0, 2) | sagaw | field(16, mgaw - 1) | flags;
}

/** Bits of the Extended Capability Register. */
export const ECAP = {
  coherent: bit(0),
  queued: bit(1),
  deviceTlb: bit(2),
  passThrough: bit(6),
  snoopControl: bit(7),
  nested: bit(26),
  executeRequests: bit(30),
  supervisorRequests: bit(31),
  /** PSS: PASIDs of 20 bits. */
  pasidBits20: field(35, 19),
  pasid: bit(40),
  scalable: bit(43),
  secondStageDirty: bit(45),
  secondStage: bit(46),
  firstStage: bit(47),
  coherentWalk: bit(48),
  /** RPS: without it RID_PASID is reserved. */
  ridPasid: bit(49),
} as const;

/** Everything that scalable mode offers. */
export const ECAP_SCALABLE = Object.values(ECAP).reduce((all, one) => all | one, 0n);
/** A unit without scalable mode and without snoop control. */
export const ECAP_LEGACY = ECAP.coherent | ECAP.queued | ECAP.passThrough | ECAP.deviceTlb;

/** RTADDR.TTM: the translation table mode. */
export const TTM = { legacy: 0, scalable: 1, abort: 3 } as const;

export interface UnitRegisters {
  readonly root: number;
  readonly ttm: number;
  readonly enabled?: boolean;
  readonly cap?: bigint;
  readonly ecap: bigint;
}

/** Registers of a unit; GSTS.TES (31) and RTPS (30). */
export function registers(unit: UnitRegisters): Record<string, bigint> {
  const { root, ttm, enabled = true, ecap } = unit;
  return {
    RTADDR: addressOf(root) | field(10, ttm),
    GSTS: (enabled ? bit(31) : 0n) | bit(30),
    CAP: unit.cap ?? cap(),
    ECAP: ecap,
  };
}

export const SS = { read: bit(0), write: bit(1), pageSize: bit(7), snoop: bit(11) } as const;

export const ssPointer = (address: bigint): bigint => address | SS.read | SS.write;
export const ssLeaf = (address: bigint, level: number): bigint =>
  address | SS.read | SS.write | (level > 1 ? SS.pageSize : 0n);

export const ssEntries: Entries = { leaf: ssLeaf, pointer: (frame) => ssPointer(addressOf(frame)) };

/** Reserved bits of second-stage entries; `snoop`: bit 11 is reserved (legacy mode without snoop control). */
export function ssShapes(levels: number, snoop: boolean): Shape[] {
  const bit11 = snoop ? [11] : [];
  const tables = [5, 4, 3, 2].filter((level) => level <= levels);
  return [
    ...tables.map((level) => ({
      name: 'second-stage table entry',
      level,
      leaf: false,
      reserved: level > 3 ? [7, ...bit11] : bit11,
    })),
    { name: 'second-stage 1G leaf', level: 3, leaf: true, reserved: [...bit11, ...bits(12, 29)] },
    { name: 'second-stage 2M leaf', level: 2, leaf: true, reserved: [...bit11, ...bits(12, 20)] },
    { name: 'second-stage 4K leaf', level: 1, leaf: true, reserved: bit11 },
  ];
}
