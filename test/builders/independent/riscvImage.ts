/** The RISC-V IOMMU's registers and contexts (RISC-V IOMMU 1.0, chapters 2 and 5) and page tables (Privileged specification 1.12). */
import { type BuiltImage } from '../built';
import { Cases } from './armRiscvCases';
import { Memory, type Space, Swapped } from './armRiscvMemory';
import { RadixTree } from './armRiscvRadix';

/** capabilities (IOMMU 1.0 section 5.3). */
export const CAP = {
  sv39: 1n << 9n,
  sv48: 1n << 10n,
  sv57: 1n << 11n,
  svrsw60t59b: 1n << 14n,
  svpbmt: 1n << 15n,
  sv39x4: 1n << 17n,
  sv48x4: 1n << 18n,
  sv57x4: 1n << 19n,
  msiFlat: 1n << 22n,
  amoHwad: 1n << 24n,
  ats: 1n << 25n,
  t2gpa: 1n << 26n,
  end: 1n << 27n,
  pd8: 1n << 38n,
  pd17: 1n << 39n,
  pd20: 1n << 40n,
} as const;

/** Version 1.0, 56-bit physical addresses, every page-table and directory mode, A and D by hardware. */
export const CAPABILITIES =
  0x10n |
  (56n << 32n) |
  CAP.sv39 |
  CAP.sv48 |
  CAP.sv57 |
  CAP.sv39x4 |
  CAP.sv48x4 |
  CAP.sv57x4 |
  CAP.amoHwad |
  CAP.pd8 |
  CAP.pd17 |
  CAP.pd20;

/** ddtp.iommu_mode. */
export const DDT = { off: 0n, bare: 1n, oneLevel: 2n, twoLevel: 3n, threeLevel: 4n } as const;

/** tc bits of a device context. */
export const TC = {
  V: 1n,
  PDTV: 1n << 5n,
  GADE: 1n << 7n,
  SADE: 1n << 8n,
  DPE: 1n << 9n,
  SBE: 1n << 10n,
} as const;

/** fsc.MODE, with the levels and the width of each; iohgatp.MODE has the same codes for the x4 modes. */
export interface Mode {
  readonly name: string;
  readonly code: bigint;
  readonly levels: number;
  readonly width: number;
}
export const SV39: Mode = { name: 'Sv39', code: 8n, levels: 3, width: 39 };
export const SV48: Mode = { name: 'Sv48', code: 9n, levels: 4, width: 48 };
export const SV57: Mode = { name: 'Sv57', code: 10n, levels: 5, width: 57 };
export const MODES: readonly Mode[] = [SV39, SV48, SV57];
export const SV39X4: Mode = { name: 'Sv39x4', code: 8n, levels: 3, width: 41 };
export const SV48X4: Mode = { name: 'Sv48x4', code: 9n, levels: 4, width: 50 };
export const SV57X4: Mode = { name: 'Sv57x4', code: 10n, levels: 5, width: 59 };
export const MODES_X4: readonly Mode[] = [SV39X4, SV48X4, SV57X4];

/** Bits of a page-table entry. */
export const PTE = {
  V: 1n,
  R: 1n << 1n,
  W: 1n << 2n,
  X: 1n << 3n,
  U: 1n << 4n,
  G: 1n << 5n,
  A: 1n << 6n,
  D: 1n << 7n,
  N: 1n << 63n,
} as const;

/** A leaf as an operating system writes it for a device: readable, writable, user, accessed, dirty. */
export const LEAF = PTE.V | PTE.R | PTE.W | PTE.U | PTE.A | PTE.D;

export const ppn = (address: bigint): bigint => (address >> 12n) << 10n;
export const leafTo = (address: bigint, flags = LEAF): bigint => ppn(address) | flags;

/** Tables of 512 entries; the root of an x4 mode has 2048 and lies in 16 KiB. */
export function pageTable(space: Space, mode: Mode): RadixTree {
  const levels = Array.from({ length: mode.levels }, (_, depth) => {
    const level = mode.levels - 1 - depth;
    const shift = 12 + 9 * level;
    return { level, shift, bits: depth === 0 ? mode.width - shift : 9 };
  });
  return new RadixTree(space, { levels, pointer: (table) => ppn(table) | PTE.V, tableAlignment: 4096n });
}

/** fsc, iosatp, pdtp, iohgatp: a root page number and a mode. */
export const atp = (mode: bigint, root: bigint): bigint => (mode << 60n) | (root >> 12n);

export interface DeviceContext {
  readonly tc?: bigint;
  readonly iohgatp?: bigint;
  readonly ta?: bigint;
  readonly fsc?: bigint;
  readonly msiptp?: bigint;
  readonly msiMask?: bigint;
  readonly msiPattern?: bigint;
  readonly reserved?: bigint;
}

export interface Directory {
  readonly mode?: bigint;
  /** 64-byte device contexts: capabilities.MSI_FLAT. */
  readonly extended?: boolean;
  readonly capabilities?: bigint;
  /** Bit 0: the device directory and the second stage are big-endian. */
  readonly fctl?: bigint;
}

/** An image whose device contexts are put where device_id leads; tables of the directory come into being. */
export class RiscvImage {
  readonly memory = new Memory();
  readonly cases = new Cases();
  readonly directory: RadixTree;
  private readonly extended: boolean;
  private readonly mode: bigint;
  private readonly capabilities: bigint;
  private readonly fctl: bigint;
  private next = 0;

  constructor(
    private readonly name: string,
    { mode = DDT.twoLevel, extended = false, capabilities = CAPABILITIES, fctl = 0n }: Directory = {},
  ) {
    this.mode = mode;
    this.fctl = fctl;
    this.extended = extended;
    this.capabilities = capabilities | (extended ? CAP.msiFlat : 0n);
    // The leaf tables count in 8-byte words here, so DDI[0] covers the words of a context as well.
    const words = extended ? 3 : 2;
    const first = extended ? 6 : 7;
    const all = [
      { level: 2, shift: words + first + 9, bits: extended ? 9 : 8 },
      { level: 1, shift: words + first, bits: 9 },
      { level: 0, shift: 0, bits: words + first },
    ];
    const levels = Number(mode === DDT.threeLevel ? 3n : mode === DDT.twoLevel ? 2n : 1n);
    this.directory = new RadixTree(fctl === 0n ? this.memory : new Swapped(this.memory), {
      levels: all.slice(3 - levels),
      pointer: (table) => ppn(table) | 1n,
      tableAlignment: 4096n,
    });
  }

  /** Input of the directory tree for a word of a device context. */
  at(deviceId: number, word = 0): bigint {
    return (BigInt(deviceId) << (this.extended ? 3n : 2n)) + BigInt(word);
  }

  put(deviceId: number, context: DeviceContext): void {
    const { tc = TC.V, iohgatp = 0n, ta = 0n, fsc = 0n } = context;
    const base = [tc, iohgatp, ta, fsc];
    const { msiptp = 0n, msiMask = 0n, msiPattern = 0n, reserved = 0n } = context;
    const words = this.extended ? [...base, msiptp, msiMask, msiPattern, reserved] : base;
    words.forEach((word, index) => this.directory.set(this.at(deviceId, index), 0, word));
  }

  /** The next free device_id, with this context. */
  device(context: DeviceContext): number {
    const id = this.next++;
    this.put(id, context);
    return id;
  }

  build(ddtp?: bigint): BuiltImage {
    return {
      name: this.name,
      kind: 'riscv',
      registers: {
        ddtp: ddtp ?? ppn(this.directory.root) | this.mode,
        capabilities: this.capabilities,
        fctl: this.fctl,
      },
      frames: this.memory.frames,
      expectations: this.cases.expectations,
    };
  }
}
