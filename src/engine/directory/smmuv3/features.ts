import { bits } from '../../bits/bitFields';
import { type ArmGranule } from '../../formats/arm';

/** Bits of an address by its code in IDR5.OAS, CD.IPS and STE.S2PS (IHI 0070 6.3.6, 5.4, 5.2). */
const ADDRESS_SIZES = [32, 36, 40, 42, 44, 48, 52, 56];

/** Tables of 64-bit descriptors give at most 52 bits, whatever a size field says. */
const MOST_BITS = 52;

/** What the registers say of the SMMU; undefined: the register is not given, so the permissive reading. */
export interface SmmuFeatures {
  readonly stage1: boolean | undefined;
  readonly stage2: boolean | undefined;
  /** VMSAv8-32 and VMSAv8-64 tables. */
  readonly tables32: boolean | undefined;
  readonly tables64: boolean | undefined;
  /** 0: hardware marks nothing, 1: accessed, 2 and 3: dirty too. */
  readonly marks: number | undefined;
  readonly hypervisor: boolean | undefined;
  readonly ats: boolean | undefined;
  readonly splitStageAts: boolean | undefined;
  readonly asid16: boolean | undefined;
  readonly vmid16: boolean | undefined;
  readonly twoLevelContexts: boolean | undefined;
  readonly twoLevelStreams: boolean | undefined;
  readonly bigEndian: boolean | undefined;
  readonly littleEndian: boolean | undefined;
  /** 0: software chooses, 1: no stalls, 2: stalls only. */
  readonly stallModel: number | undefined;
  /** A terminated transaction is always aborted. */
  readonly abortsOnly: boolean | undefined;
  readonly streamIdBits: number | undefined;
  readonly substreamIdBits: number | undefined;
  readonly overridesPrivilege: boolean | undefined;
  readonly hierarchyCanBeOff: boolean | undefined;
  readonly smallTables: boolean | undefined;
  readonly stage2MemoryType: boolean | undefined;
  readonly deniesUnprivileged: boolean | undefined;
  /** Indirect permissions of stage 1 and of stage 2. */
  readonly indirect1: boolean | undefined;
  readonly indirect2: boolean | undefined;
  readonly overlay2: boolean | undefined;
  /** Descriptor bits 62:59 for hardware (PBHA), and device permission tables. */
  readonly hardwareAttributes: boolean | undefined;
  readonly permissionTable: boolean | undefined;
  /** Bits of a physical address, at most 52. */
  readonly outputBits: number | undefined;
  readonly granules: Readonly<Record<ArmGranule, boolean>> | undefined;
  /** 52-bit addresses with the 4K and 16K granules. */
  readonly wideSmallGranules: boolean | undefined;
  readonly wideInput: boolean | undefined;
  /** EL2 with two address ranges and two privileges. */
  readonly hostMode: boolean | undefined;
}

/** What IDR0, IDR1, IDR3, IDR5 and CR2 say. */
export function smmuFeatures(values: ReadonlyMap<string, bigint>): SmmuFeatures {
  const reader = (name: string) => {
    const value = values.get(name);
    return {
      flag: (bit: number) => (value === undefined ? undefined : bits(value, bit) === 1n),
      number: (high: number, low: number) =>
        value === undefined ? undefined : Number(bits(value, high, low)),
    };
  };
  const idr0 = reader('IDR0');
  const idr1 = reader('IDR1');
  const idr3 = reader('IDR3');
  const idr5 = reader('IDR5');
  const endian = idr0.number(22, 21);
  const streamLevels = idr0.number(28, 27);
  const inputs = idr5.number(11, 10);
  const noSplitAts = idr0.flag(11);
  const granule = (bit: number) => idr5.flag(bit) ?? true;
  return {
    stage2: idr0.flag(0),
    stage1: idr0.flag(1),
    tables32: idr0.flag(2),
    tables64: idr0.flag(3),
    marks: idr0.number(7, 6),
    hypervisor: idr0.flag(9),
    ats: idr0.flag(10),
    splitStageAts: noSplitAts === undefined ? undefined : !noSplitAts,
    asid16: idr0.flag(12),
    vmid16: idr0.flag(18),
    twoLevelContexts: idr0.flag(19),
    littleEndian: endian === undefined ? undefined : endian !== 3,
    bigEndian: endian === undefined ? undefined : endian !== 2,
    stallModel: idr0.number(25, 24),
    abortsOnly: idr0.flag(26),
    twoLevelStreams: streamLevels === undefined ? undefined : streamLevels !== 0,
    streamIdBits: idr1.number(5, 0),
    substreamIdBits: idr1.number(10, 6),
    overridesPrivilege: idr1.flag(26),
    hierarchyCanBeOff: idr3.flag(2),
    stage2MemoryType: idr3.flag(8),
    smallTables: idr3.flag(9),
    deniesUnprivileged: idr3.flag(13),
    indirect1: idr3.flag(18),
    indirect2: idr3.flag(19),
    overlay2: idr3.flag(20),
    hardwareAttributes: idr3.flag(3),
    permissionTable: idr3.flag(15),
    outputBits: values.has('IDR5') ? addressSize(idr5.number(2, 0) ?? 0) : undefined,
    granules: values.has('IDR5') ? { '4K': granule(4), '16K': granule(5), '64K': granule(6) } : undefined,
    wideSmallGranules: idr5.flag(7),
    wideInput: inputs === undefined ? undefined : inputs !== 0,
    hostMode: reader('CR2').flag(0),
  };
}

/** Bits of an address that a size field stands for. */
export function addressSize(code: number): number {
  return Math.min(ADDRESS_SIZES[code] ?? MOST_BITS, MOST_BITS);
}

/** Bits of an intermediate address that the SMMU can handle (IHI 0070 3.4). */
export function intermediateBits({ outputBits, tables32 }: SmmuFeatures): number | undefined {
  if (outputBits === undefined) return undefined;
  return tables32 === false ? outputBits : Math.max(40, outputBits);
}
