/** VT-d first-stage translation with four and five levels: VT-d 4.1 §3.6, §9.7, faults §7.1.3. */
import { type BuiltImage, type Expectation } from '../built';
import { type Asker, asker, at, fault, faults, mapped, type Page } from './cases';
import { addressOf, bit, Frames } from './frames';
import { reservedBitCases } from './reservedBits';
import { spanOf, Tree } from './tree';
import { PasidTables, pasidEntry, PGTT, ScalableRoot, scalableContext } from './vtdDirectory';
import { cap, ECAP_SCALABLE, registers, TTM } from './vtdEntries';
import { X86, x86Entries, x86Leaf, x86Shapes } from './x86Entries';

const REQUESTER = 0x0318;
const WHO = asker(REQUESTER);
/** A request with PASID, which reaches the same tables. */
const WITH_PASID = asker(REQUESTER, 5);
const TARGET = 0x7_0000_0000n;

interface FirstStage {
  readonly frames: Frames;
  readonly tree: Tree;
  readonly levels: 4 | 5;
  readonly cases: Expectation[];
}

/** A first-stage image of four or five levels. */
export function firstStage(levels: 4 | 5): BuiltImage {
  const bench = open(levels);
  const { frames, tree, cases } = bench;
  leaves(bench);
  permissions(bench);
  absences(bench);
  window(bench);
  const section = 'VT-d 4.1 §9.7';
  cases.push(...reservedBitCases(frames, tree, x86Entries, x86Shapes(levels), WHO, section));
  return close(bench, `vt-d first stage: ${levels} levels`, cap());
}

function open(levels: 4 | 5): FirstStage {
  const frames = new Frames();
  return { frames, tree: new Tree(frames, levels, x86Entries.pointer), levels, cases: [] };
}

function close({ frames, tree, levels, cases }: FirstStage, name: string, capability: bigint): BuiltImage {
  const tables = new PasidTables(frames, 0);
  const entry = { pgtt: PGTT.first, domain: 4, first: addressOf(tree.root), fspm: levels - 4 };
  tables.set(0, pasidEntry(entry));
  tables.set(5, pasidEntry(entry));
  const roots = new ScalableRoot(frames);
  roots.set(REQUESTER, scalableContext(tables));
  return {
    name,
    kind: 'vt-d',
    registers: registers({ root: roots.root, ttm: TTM.scalable, cap: capability, ecap: ECAP_SCALABLE }),
    frames: frames.map,
    expectations: cases,
  };
}

/** Maps a page and expects it. */
function put(
  { tree, cases }: FirstStage,
  page: Page,
  level: number,
  change: (word: bigint) => bigint,
  why: string,
): void {
  tree.set(page.iova, level, change(x86Leaf(page.paddr, level)));
  cases.push(...mapped(WHO, page, `${why}, §9.7`));
}

/** Start of the upper, sign-extended half. */
const upperHalf = (levels: number): bigint => (1n << 64n) - spanOf(levels + 1) / 2n;

const same = (word: bigint): bigint => word;
const readOnly = (word: bigint): bigint => word & ~(X86.write | X86.dirty);

function leaves(bench: FirstStage): void {
  const { levels, cases } = bench;
  const top = upperHalf(levels);
  const places: readonly (readonly [string, bigint])[] = [
    ['lower half', spanOf(levels) * 200n],
    ['upper half, sign-extended', top + spanOf(levels) * 9n],
  ];
  for (const [half, base] of places) {
    for (const level of [1, 2, 3]) {
      const size = spanOf(level);
      const iova = base + spanOf(level + 1) * 17n + size * 33n;
      const page = { iova, paddr: TARGET + size * 3n - (TARGET % size), size, perm: 'RW', level } as const;
      put(bench, page, level, same, `${half}: leaf of level ${level}`);
      const next = { ...page, iova: iova + size, paddr: page.paddr + 11n * size, perm: 'R' } as const;
      put(bench, next, level, readOnly, `${half}: read-only leaf of level ${level}`);
      cases.push(...mapped(WITH_PASID, page, `${half}: leaf of level ${level}, request with PASID`));
      const absent = iova + 2n * size;
      cases.push(...faults(WHO, absent, 'not-present', `${half}: P = 0 in level ${level}, §9.7`, { level }));
    }
  }
  const last = (1n << 64n) - 4096n;
  const page = { iova: last, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  put(bench, page, 1, same, 'last page of all');
  const end = spanOf(levels + 1) / 2n - 4096n;
  put(bench, { ...page, iova: end, paddr: TARGET + 0x9000n }, 1, same, 'last page of the lower half');
  for (const iova of [end + 4096n, top - 4096n, 1n << 63n, bit(levels * 9 + 12)]) {
    const why = `not canonical for ${levels} levels, §3.6`;
    cases.push(...faults(WHO, iova, 'address-width', why), ...faults(WITH_PASID, iova, 'address-width', why));
  }
}

function permissions(bench: FirstStage): void {
  const { tree, levels } = bench;
  const root = spanOf(levels);
  for (let level = 2; level <= levels; level++) {
    // A branch of its own: entries above this level stay as they are.
    const iova = 90n * root + BigInt(level) * (level === levels ? root : spanOf(level) * 21n) + 0x5000n;
    const page = { iova, paddr: TARGET + 0x55_5000n, size: 4096n, perm: 'R', level: 1 } as const;
    put(bench, page, 1, same, `RW = 0 in the table entry of level ${level} makes the page read-only`);
    tree.change(iova, level, (word) => word & ~X86.write);
    const dark = iova + (level === levels ? 40n * root : spanOf(level));
    put(bench, { ...page, iova: dark, perm: 'RW' }, 1, same, `XD in the table entry of level ${level}`);
    tree.change(dark, level, (word) => word | X86.executeDisable);
  }
  const free = 60n * root;
  const page = { iova: free, paddr: TARGET + 0x66_6000n, size: 4096n, perm: 'RW', level: 1 } as const;
  const variants: readonly (readonly [string, (word: bigint) => bigint])[] = [
    ['XD on a leaf', (word) => word | X86.executeDisable],
    ['A = D = 0 are set by hardware, no fault', (word) => word & ~(X86.accessed | X86.dirty)],
    ['G and PAT (bit 7) of a 4K leaf', (word) => word | X86.global | bit(7)],
    ['PWT and PCD', (word) => word | bit(3) | bit(4)],
    ['ignored bits 11:9', (word) => word | (7n << 9n)],
    ['ignored bits 62:52', (word) => word | (0x7ffn << 52n)],
  ];
  variants.forEach(([why, change], index) => {
    put(bench, { ...page, iova: free + BigInt(index) * 4096n }, 1, change, why);
  });
  const size = spanOf(2);
  const large = { iova: free + spanOf(3), paddr: 5n * size, size, perm: 'RW', level: 2 } as const;
  put(bench, large, 2, (word) => word | X86.patLarge, 'bit 12 of a 2M leaf is PAT');
  const supervisor = free + 0x10_0000n;
  tree.set(supervisor, 1, x86Leaf(TARGET, 1) & ~X86.user);
  for (const access of ['read', 'write'] as const) {
    const why = 'U/S = 0 and no supervisor privilege, §3.6.1';
    bench.cases.push(fault(WHO, supervisor + 8n, access, `${access}-denied`, why));
  }
}

function absences(bench: FirstStage): void {
  const { frames, tree, levels, cases } = bench;
  for (let level: number = levels; level >= 1; level--) {
    const iova = 70n * spanOf(levels) + 3n * spanOf(level) + 0x123n * (level === levels ? 0n : 1n);
    tree.set(iova, level, x86Leaf(TARGET, 1) & ~X86.present);
    const why = `P = 0 in level ${level}, other bits do not matter, §9.7`;
    cases.push(...faults(WHO, iova, 'not-present', why, { level }));
    if (level === 1) continue;
    const lost = iova + spanOf(level);
    tree.set(lost, level, x86Entries.pointer(frames.absent(), level));
    cases.push(...faults(WHO, lost, 'table-unreadable', `the table below level ${level} is not in memory`));
  }
}

/** The interrupt address range 0xfee00000-0xfeefffff: §3.14. */
function window(bench: FirstStage): void {
  const { tree, cases } = bench;
  for (const iova of [0xfedf_f000n, 0xfee0_0000n, 0xfee0_1000n, 0xfeef_f000n, 0xfef0_0000n]) {
    const page = { iova, paddr: TARGET + iova, size: 4096n, perm: 'RW', level: 1 } as const;
    tree.set(iova, 1, x86Leaf(page.paddr, 1));
    cases.push(at(WITH_PASID, page, 0x10n, 'write', 'requests with PASID are translated there too, §3.14'));
    const inside = iova >= 0xfee0_0000n && iova < 0xfef0_0000n;
    if (inside) cases.push(...faults(WHO, iova + 0x10n, 'interrupt-window', 'interrupt range, §3.14'));
    else cases.push(...mapped(WHO, page, 'beside the interrupt range, §3.14'));
  }
  const out = 0x4_4444_4000n;
  tree.set(out, 1, x86Leaf(0xfee0_5000n, 1));
  for (const who of [WHO, WITH_PASID] satisfies Asker[]) {
    cases.push(...faults(who, out, 'interrupt-output', 'the result lies in the interrupt range, §3.14'));
  }
}

/** CAP.FS1GP = 0: PS of a page-directory-pointer entry is reserved. */
export function firstStageWithout1G(): BuiltImage {
  const bench = open(4);
  const { tree, cases } = bench;
  const size = spanOf(2);
  put(bench, { iova: size * 5n, paddr: size * 9n, size, perm: 'RW', level: 2 }, 2, same, '2M leaf');
  const iova = spanOf(3) * 5n;
  tree.set(iova, 3, x86Leaf(0n, 3));
  cases.push(...faults(WHO, iova, 'entry-reserved', 'PS of level 3 while CAP.FS1GP = 0, §9.7', { level: 3 }));
  return close(bench, 'vt-d first stage: no 1G leaves', cap({ firstStage1G: false }));
}
