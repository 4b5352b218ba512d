import { type PageTableFormat } from '../../formats/pageTableFormat';
import { type NewMarks } from './leafEncoder';

const UNMARKED: NewMarks = { accessed: false, dirty: false };
const MARKED: NewMarks = { accessed: true, dirty: true };
const NOT_GLOBAL = 1n << 11n;
const INNER_SHAREABLE = 3n << 8n;
const WRITE_BACK_1 = 1n << 2n;
const WRITE_BACK_2 = 15n << 2n;

/** Marks that Linux gives new entries, by the beginning of the format's id: hardware then seldom has to write. */
const LINUX_MARKS: readonly (readonly [string, NewMarks])[] = [
  // generic_pt/fmt/amdv1.h, vtdss.h: neither mark.
  ['amd-v1', UNMARKED],
  ['vtd-second-stage', UNMARKED],
  ['ept', UNMARKED],
  // generic_pt/fmt/x86_64.h: A in tables and leaves, D in leaves that may be written.
  ['vtd-first-stage', { ...MARKED, tableBits: 1n << 5n }],
  ['amd-v2', { ...MARKED, tableBits: 1n << 5n }],
  // generic_pt/fmt/riscv.h.
  ['riscv', MARKED],
  // io-pgtable-arm.c: AF always; leaves that may be written begin dirty. Normal memory, inner shareable (AttrIndx 1, MemAttr
  // 1111, SH 11; with 52-bit addresses of small granules SH is address); stage 1 is of its address space only (nG).
  ['arm-stage1-4k-ds', { ...MARKED, leafBits: NOT_GLOBAL | WRITE_BACK_1 }],
  ['arm-stage1-16k-ds', { ...MARKED, leafBits: NOT_GLOBAL | WRITE_BACK_1 }],
  ['arm-stage1', { ...MARKED, leafBits: NOT_GLOBAL | INNER_SHAREABLE | WRITE_BACK_1 }],
  ['arm-stage2-4k-ds', { ...MARKED, leafBits: WRITE_BACK_2 }],
  ['arm-stage2-16k-ds', { ...MARKED, leafBits: WRITE_BACK_2 }],
  ['arm-stage2', { ...MARKED, leafBits: INNER_SHAREABLE | WRITE_BACK_2 }],
];

/** As Linux marks new entries of this format. */
export function linuxMarks({ id }: PageTableFormat): NewMarks {
  return LINUX_MARKS.find(([prefix]) => id.startsWith(prefix))?.[1] ?? MARKED;
}

/**
 * How a dirty mark is taken away: by a read and a plain store of the word, as amdv1.h and vtdss.h do, or by one atomic
 * operation, as io-pgtable-arm.c does; other formats have no such operation in Linux.
 */
export function linuxClearing({ id }: PageTableFormat): 'plain' | 'atomic' {
  return id.startsWith('amd-v1') || id.startsWith('vtd-second-stage') ? 'plain' : 'atomic';
}
