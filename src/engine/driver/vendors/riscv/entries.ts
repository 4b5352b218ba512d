import { mask } from '../../../bits/bitFields';
import { type RiscvCapabilities } from '../../capabilities/riscv';
import { type KernelDomain, type NestedDomain, type TableTop } from '../../iommuDriver';

/** Bits of tc (RISC-V IOMMU 1.0 §2.1.3.1). */
const TC = { V: 0, EN_ATS: 1, PDTV: 5, GADE: 7, SADE: 8, DPE: 9 } as const;

const bit = (at: number, on = true): bigint => (on ? 1n << BigInt(at) : 0n);

/** MODE of iosatp and of iohgatp by format. */
const FIRST_STAGE: Readonly<Record<string, number>> = { 'riscv-sv39': 8, 'riscv-sv48': 9, 'riscv-sv57': 10 };
const SECOND_STAGE: Readonly<Record<string, number>> = {
  'riscv-sv39x4': 8,
  'riscv-sv48x4': 9,
  'riscv-sv57x4': 10,
};
/** MODE of pdtp by the bits of a process_id. */
export const PROCESS_MODES: Readonly<Record<number, number>> = { 8: 1, 17: 2, 20: 3 };

interface Tables extends Pick<KernelDomain, 'id' | 'stage'> {
  readonly tables: TableTop;
}

/** Undefined: these are no tables of that stage. */
export const modeOf = ({ stage, tables }: Tables): number | undefined =>
  (stage === 1 ? FIRST_STAGE : SECOND_STAGE)[tables.format.format.id];

/** PPN 43:0, an id in its place, MODE 63:60. */
const pointer = (mode: number, page: number): bigint => (BigInt(mode) << 60n) | BigInt(page);
const firstStage = (domain: Tables): bigint => pointer(modeOf(domain) ?? 0, domain.tables.root);
const secondStage = (domain: KernelDomain): bigint =>
  pointer(modeOf(domain) ?? 0, domain.tables.root) | (BigInt(domain.id) << 44n);
const processId = (id: number): bigint => BigInt(id) << 12n;

/** DC.fsc and ta of a guest's first stage; undefined: these are no such tables. */
export const firstStageWords = (domain: Tables): readonly bigint[] | undefined =>
  modeOf(domain) === undefined ? undefined : [firstStage(domain), processId(domain.id)];

/** Where the process directory of a device is. */
export interface ProcessDirectory {
  /** Byte address. */
  readonly address: number;
  /** Bits of a process_id. */
  readonly bits: number;
}

/** What the words of a device context are made from. */
export interface ContextContents {
  /** Stage 1 of requests without process_id, and stage 2. */
  readonly first?: KernelDomain;
  readonly second?: KernelDomain;
  /** A guest's first stage: DC.fsc and ta. */
  readonly guest?: NestedDomain;
  readonly processes?: ProcessDirectory;
  /** Requests without process_id are of process 0. */
  readonly defaultProcess?: boolean;
  readonly ats: boolean;
}

/** PSCID of ta. */
const GUEST_ATTRIBUTES = mask(31, 12);
const PROCESS_POINTERS = Object.values(PROCESS_MODES);

export const guestMode = ({ words: [fsc = 0n] }: NestedDomain): number => Number(fsc >> 60n);
export const isGuestDirectory = (domain: NestedDomain): boolean =>
  PROCESS_POINTERS.includes(guestMode(domain));

/** tc, iohgatp, ta, fsc and, in contexts of 64 bytes, no MSI page table (§2.1.2). */
export function deviceContext(contents: ContextContents, of: RiscvCapabilities): bigint[] {
  const { first, second, guest, processes, defaultProcess = false, ats } = contents;
  const hasFirst = first !== undefined || guest !== undefined || processes !== undefined;
  const directory = processes !== undefined || (guest !== undefined && isGuestDirectory(guest));
  const control =
    bit(TC.V) |
    bit(TC.EN_ATS, ats) |
    bit(TC.PDTV, directory) |
    bit(TC.GADE, of.hardwareMarks && second !== undefined) |
    bit(TC.SADE, of.hardwareMarks && hasFirst) |
    bit(TC.DPE, defaultProcess);
  const [guestFsc = 0n, guestAttributes = 0n] = guest?.words ?? [];
  const attributes = first && !processes ? processId(first.id) : guestAttributes & GUEST_ATTRIBUTES;
  const fsc = processes
    ? pointer(PROCESS_MODES[processes.bits] ?? 0, processes.address / 4096)
    : first
      ? firstStage(first)
      : guestFsc;
  return padded([control, second ? secondStage(second) : 0n, attributes, fsc], of);
}

/** Every request of the device is refused. */
export const noContext = (of: RiscvCapabilities): bigint[] => padded([], of);

function padded(words: readonly bigint[], { msiFlat }: RiscvCapabilities): bigint[] {
  return Array.from({ length: msiFlat ? 8 : 4 }, (_, index) => words[index] ?? 0n);
}

/** A process context (§2.2.3). */
export const processContext = (domain: KernelDomain): bigint[] => [
  1n | processId(domain.id),
  firstStage(domain),
];

/** A directory entry that leads to the next table. */
export const directoryEntry = (address: number): bigint => 1n | (BigInt(address / 4096) << 10n);
export const directoryTarget = (entry: bigint): number | undefined =>
  (entry & 1n) === 0n ? undefined : Number((entry >> 10n) & mask(43, 0)) * 4096;
