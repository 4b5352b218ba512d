/** VT-d nested translation: every first-stage access goes through the second stage: VT-d 4.1 §3.8, §9.6. */
import { type BuiltImage, type Expectation } from '../built';
import { type Access, asker, at, fault, faults, mapped, type Page } from './cases';
import { addressOf, bit, Frames } from './frames';
import { GuestSpace } from './guestSpace';
import { spanOf, Tree } from './tree';
import { PasidTables, pasidEntry, PGTT, ScalableRoot, scalableContext } from './vtdDirectory';
import { cap, ECAP_SCALABLE, registers, SS, ssEntries, ssLeaf, TTM } from './vtdEntries';
import { X86, x86Leaf, x86Pointer } from './x86Entries';

const REQUESTER = 0x1240;
const WHO = asker(REQUESTER, 77);
const ROOT_LOST = asker(REQUESTER, 78);

class Nested {
  readonly frames = new Frames();
  readonly cases: Expectation[] = [];
  readonly second: Tree;
  readonly guest: GuestSpace;
  readonly first: Tree;

  constructor(
    readonly firstLevels: 4 | 5,
    readonly secondLevels: 3 | 4 | 5,
  ) {
    this.second = new Tree(this.frames, secondLevels, ssEntries.pointer);
    this.guest = new GuestSpace(this.frames, (guest, real) => this.second.set(guest, 1, ssLeaf(real, 1)));
    const pointer = (frame: number): bigint => x86Pointer(this.guest.addressOf(frame));
    this.first = new Tree(this.frames, firstLevels, pointer, () => this.guest.table());
  }

  /** Changes the second-stage entry that maps the first-stage table of `level` on the way of `iova`. */
  changeTable(iova: bigint, level: number, change: (word: bigint) => bigint): void {
    const guest = this.guest.addressOf(this.first.table(iova, level));
    this.second.change(guest, 1, change);
  }

  image(): BuiltImage {
    const { frames, firstLevels, secondLevels } = this;
    const tables = new PasidTables(frames, 1);
    const entry = {
      pgtt: PGTT.nested,
      domain: 6,
      first: this.guest.addressOf(this.first.root),
      fspm: firstLevels - 4,
      second: addressOf(this.second.root),
      aw: secondLevels - 2,
    };
    tables.set(77, pasidEntry(entry));
    tables.set(78, pasidEntry({ ...entry, first: 0x77_0000_0000n }));
    const roots = new ScalableRoot(frames);
    roots.set(REQUESTER, scalableContext(tables));
    return {
      name: `vt-d nested: ${firstLevels} levels over ${secondLevels}`,
      kind: 'vt-d',
      registers: registers({ root: roots.root, ttm: TTM.scalable, cap: cap(), ecap: ECAP_SCALABLE }),
      frames: frames.map,
      expectations: this.cases,
    };
  }
}

/** First-stage tables of one depth over second-stage tables of another. */
export function nested(firstLevels: 4 | 5, secondLevels: 3 | 4 | 5): BuiltImage {
  const bench = new Nested(firstLevels, secondLevels);
  smallPages(bench);
  largeOverSmall(bench);
  smallOverLarge(bench);
  walkFaults(bench);
  finalFaults(bench);
  return bench.image();
}

const IOVA = 0x7f12_3450_0000n;

/** A first-stage 4K leaf over a second-stage 4K leaf, each with its own permission. */
function smallPages({ first, second, cases }: Nested): void {
  const rows = [
    ['RW', 3n, true],
    ['R', 3n, false],
    ['R', 1n, true],
    ['R', 1n, false],
    ['W', 2n, true],
  ] as const;
  rows.forEach(([perm, granted, writable], index) => {
    const iova = IOVA + BigInt(index) * 4096n;
    const guest = 0x12_0000_0000n + BigInt(index) * 0x20_3000n;
    const paddr = 0x3_3330_0000n - BigInt(index) * 0x1000n;
    first.set(iova, 1, x86Leaf(guest, 1) & ~(writable ? 0n : X86.write | X86.dirty));
    second.set(guest, 1, (ssLeaf(paddr, 1) & ~3n) | granted);
    const page: Page = { iova, paddr, size: 4096n, perm, level: 1 };
    const why = `first stage ${writable ? 'RW' : 'R'}, second stage ${granted.toString(2)}b, §3.8`;
    cases.push(...mapped(WHO, page, why));
  });
  const denied: readonly (readonly [number, Access, 1 | 2])[] = [
    [1, 'write', 1],
    [2, 'write', 2],
    [4, 'read', 2],
  ];
  for (const [index, access, stage] of denied) {
    const iova = IOVA + BigInt(index) * 4096n + 0x40n;
    cases.push(
      fault(WHO, iova, access, `${access}-denied`, `stage ${stage} denies the ${access}, §3.8`, { stage }),
    );
  }
}

/** One first-stage leaf of 2M or 1G over scattered second-stage 4K pages. */
function largeOverSmall({ first, second, cases }: Nested): void {
  for (const level of [2, 3]) {
    const size = spanOf(level);
    const iova = level === 2 ? 0x6000_0020_0000n : 0x6080_4000_0000n;
    const guest = size * 21n + (level === 3 ? 0n : 0x40_0000_0000n);
    first.set(iova, level, x86Leaf(guest, level));
    const offsets = [0n, 0x3000n, size / 2n, size - 4096n];
    offsets.forEach((offset, index) => {
      const paddr = 0x5_5550_0000n - BigInt(index * level) * 0x7000n;
      second.set(guest + offset, 1, ssLeaf(paddr, 1));
      for (const [access, inside] of [
        ['read', 0n],
        ['write', 0xffcn],
      ] as const) {
        const page = { iova, paddr: paddr - offset, size, perm: 'RW', level } as const;
        const why = `a first-stage leaf of level ${level} over second-stage 4K leaves, §3.8`;
        cases.push(at(WHO, page, offset + inside, access, why));
      }
    });
    const why = `a hole of the second stage within a first-stage leaf of level ${level}, §3.8`;
    cases.push(...faults(WHO, iova + 0x1000n, 'not-present', why, { stage: 2 }));
  }
}

/** First-stage 4K leaves over one second-stage leaf of 2M or 1G. */
function smallOverLarge({ first, second, cases }: Nested): void {
  for (const level of [2, 3]) {
    const size = spanOf(level);
    const guest = 0x20_0000_0000n + size * 4n;
    const real = size * 40n;
    second.set(guest, level, ssLeaf(real, level));
    [0n, 0x1_3000n, size - 4096n].forEach((offset, index) => {
      const iova = 0x5000_0000_0000n + spanOf(3) * BigInt(level) + BigInt(index) * 4096n;
      first.set(iova, 1, x86Leaf(guest + offset, 1));
      const page = { iova, paddr: real + offset, size: 4096n, perm: 'RW', level: 1 } as const;
      cases.push(...mapped(WHO, page, `first-stage 4K over a second-stage leaf of level ${level}, §3.8`));
    });
  }
}

/** Second-stage faults while a first-stage table is read. */
function walkFaults(bench: Nested): void {
  const { first, second, cases, firstLevels } = bench;
  for (let level = firstLevels - 1; level >= 1; level--) {
    const branch = BigInt(level) * 8n * spanOf(firstLevels);
    const changes: readonly (readonly [string, (word: bigint) => bigint, string])[] = [
      ['not-present', (word) => word & ~3n, 'R = W = 0'],
      ['read-denied', (word) => word & ~SS.read, 'R = 0'],
    ];
    changes.forEach(([code, change, what], index) => {
      const iova = branch + BigInt(index) * spanOf(firstLevels) + 0x9000n;
      first.set(iova, 1, x86Leaf(0x12_0000_0000n, 1));
      bench.changeTable(iova, level, change);
      const why = `${what} in the second-stage leaf of the first-stage table of level ${level}, §3.8`;
      cases.push(fault(WHO, iova, 'read', code, why, { stage: 2 }));
    });
    const iova = branch + 2n * spanOf(firstLevels) + 0x9000n;
    first.set(iova, level + 1, x86Pointer(0x76_0000_0000n + BigInt(level) * 0x1000n));
    const unmapped = `the first-stage table of level ${level} has no second-stage mapping, §3.8`;
    cases.push(...faults(WHO, iova, 'not-present', unmapped, { stage: 2 }));
    const absent = branch + 3n * spanOf(firstLevels);
    first.set(absent, level + 1, 0n);
    const why = `P = 0 in first-stage level ${level + 1}, §9.7`;
    cases.push(...faults(WHO, absent, 'not-present', why, { level: level + 1, stage: 1 }));
  }
  cases.push(
    ...faults(ROOT_LOST, IOVA, 'not-present', 'FSPTPTR has no second-stage mapping, §3.8', { stage: 2 }),
    ...faults(WHO, bit(63), 'address-width', 'not canonical, §3.6'),
  );
  const reserved = 0x4000_0000_0000n;
  first.set(reserved, 1, x86Leaf(0x12_0000_0000n, 1));
  first.change(reserved, 4, (word) => word | X86.pageSize);
  const why = 'PS in a first-stage PML4 entry, §9.7';
  cases.push(...faults(WHO, reserved, 'entry-reserved', why, { level: 4, stage: 1 }));
  second.set(0x2f_4000_0000n, 3, ssLeaf(0n, 3) | bit(29));
}

/** Second-stage faults at the final address. */
function finalFaults({ first, cases, secondLevels }: Nested): void {
  const rows: readonly (readonly [bigint, string, string])[] = [
    [0x75_0000_0000n, 'not-present', 'no second-stage mapping of the final address, §3.8'],
    [0x2f_4000_0000n, 'entry-reserved', 'a misaligned second-stage 1G leaf, §9.8'],
    [spanOf(secondLevels + 1), 'address-width', 'beyond the second-stage width, §3.7'],
  ];
  rows.forEach(([guest, code, why], index) => {
    if (guest >= bit(52)) return;
    const iova = 0x3000_0000_0000n + BigInt(index) * 4096n;
    first.set(iova, 1, x86Leaf(guest, 1));
    cases.push(...faults(WHO, iova + 8n, code, why, { stage: 2 }));
  });
}
