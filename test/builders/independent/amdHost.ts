/** AMD host page tables (v1) of one to six levels: 48882 rev 3.10 §2.2.3. */
import { type BuiltImage, type Expectation } from '../built';
import { type Asker, asker, fault, faults, mapped, type Page, type Perm } from './cases';
import {
  DeviceTable,
  deviceEntry,
  FC,
  IR,
  IW,
  PRESENT,
  U,
  v1Leaf,
  v1Limit,
  v1Link,
  v1Pointer,
  v1SizedLeaf,
} from './amdEntries';
import { addressOf, bit, field, Frames } from './frames';
import { bits } from './reservedBits';
import { spanOf, Tree } from './tree';

const DEVICE = 0x0031;
const WHO = asker(DEVICE);
const TARGET = 0x5_0000_0000n;
const SECTION = '48882 §2.2.3';

interface Host {
  readonly frames: Frames;
  readonly tree: Tree;
  readonly mode: number;
  readonly cases: Expectation[];
}

function open(mode: number): Host {
  const frames = new Frames();
  return { frames, tree: new Tree(frames, mode, v1Link), mode, cases: [] };
}

function close({ frames, tree, mode, cases }: Host, name: string): BuiltImage {
  const table = new DeviceTable(frames, 1);
  table.set(DEVICE, deviceEntry({ mode, root: addressOf(tree.root) }));
  // The same tables for devices that may only read, or only write.
  table.set(READER.requester, deviceEntry({ mode, root: addressOf(tree.root), write: false }));
  table.set(WRITER.requester, deviceEntry({ mode, root: addressOf(tree.root), read: false }));
  return { name, kind: 'amd-vi', registers: table.registers(), frames: frames.map, expectations: cases };
}

const READER = asker(0x0032);
const WRITER = asker(0x0033);

function put(bench: Host, page: Page, level: number, word: bigint, why: string, who: Asker = WHO): void {
  bench.tree.set(page.iova, level, word);
  bench.cases.push(...mapped(who, page, `${why}, ${SECTION}`));
}

/** Slots of the root table from here on are used by one group of cases each. */
const rootSlot = (mode: number, slot: number): bigint => BigInt(slot) * spanOf(mode);

/** Default leaves, permissions, ignored and reserved bits of one depth. */
export function hostTables(mode: 1 | 2 | 3 | 4 | 5 | 6): BuiltImage {
  const bench = open(mode);
  defaultLeaves(bench);
  permissions(bench);
  reserved(bench);
  absences(bench);
  const { cases } = bench;
  if (mode < 6) {
    for (const iova of [v1Limit(mode), bit(63), (1n << 64n) - 4096n]) {
      const why = `bits above the ${12 + 9 * mode} that Mode ${mode} takes, ${SECTION}`;
      cases.push(...faults(WHO, iova, 'address-width', why));
    }
  }
  return close(bench, `amd-vi host tables: Mode ${mode}`);
}

function defaultLeaves(bench: Host): void {
  const { mode } = bench;
  for (const level of [1, 2, 3, 5].filter((one) => one <= Math.min(mode, 5))) {
    const size = spanOf(level);
    const base = rootSlot(mode, 40 + level);
    const iova = level === mode ? base : base + 37n * size;
    const paddr = level === 5 ? 5n * size : TARGET - (TARGET % size) + 3n * size;
    const page = { iova, paddr, size, perm: 'RW', level } as const;
    put(bench, page, level, v1Leaf(paddr), `NextLevel 0 at level ${level}`);
  }
  const last = v1Limit(mode) - 4096n;
  const page = { iova: last, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  put(bench, page, 1, v1Leaf(TARGET), 'the last page; no sign extension');
}

function permissions(bench: Host): void {
  const { tree, mode, cases } = bench;
  const base = rootSlot(mode, 50);
  const granted: readonly (readonly [Perm, bigint])[] = [
    ['RW', IR | IW],
    ['R', IR],
    ['W', IW],
  ];
  granted.forEach(([perm, bitsOf], index) => {
    const page = { iova: base + BigInt(index) * 4096n, paddr: TARGET + 0x8000n, size: 4096n, perm, level: 1 };
    put(bench, page, 1, page.paddr | bitsOf | PRESENT, `a leaf that grants ${perm}`);
    cases.push(...masked(READER, page, 'R'), ...masked(WRITER, page, 'W'));
  });
  const none = base + 3n * 4096n;
  tree.set(none, 1, TARGET | PRESENT);
  const why = `PR = 1, IR = IW = 0, ${SECTION}`;
  cases.push(fault(WHO, none, 'read', 'read-denied', why), fault(WHO, none, 'write', 'write-denied', why));
  for (let level = 2; level <= mode; level++) {
    granted.slice(1).forEach(([perm, bitsOf], index) => {
      const iova = rootSlot(mode, 60) + BigInt(level + 10 * index) * spanOf(level) + 0x6000n;
      const page = { iova, paddr: TARGET + 0x9000n, size: 4096n, perm, level: 1 };
      put(bench, page, 1, v1Leaf(page.paddr), `IR and IW are ANDed: level ${level} grants ${perm}`);
      tree.change(iova, level, (word) => (word & ~(IR | IW)) | bitsOf);
    });
  }
  const ignored: readonly (readonly [string, bigint])[] = [
    ['U', U],
    ['FC', FC],
    ['A and D', bit(5) | bit(6)],
    ['ignored bits 4:1', 0x1en],
    ['ignored bits 8:7', field(7, 3)],
    ['ignored bit 63', bit(63)],
  ];
  ignored.forEach(([name, extra], index) => {
    const iova = base + BigInt(16 + index) * 4096n;
    const page = { iova, paddr: TARGET + 0x7000n, size: 4096n, perm: 'RW', level: 1 } as const;
    put(bench, page, 1, v1Leaf(page.paddr) | extra, `${name} of a leaf`);
  });
}

/** What a device with fewer rights gets of a page. */
function masked(who: Asker, page: Page, right: 'R' | 'W'): Expectation[] {
  const why = `a device entry that grants ${right} over a leaf that grants ${page.perm}, ${SECTION}`;
  if (page.perm.includes(right)) return mapped(who, { ...page, perm: right }, why);
  return [
    fault(who, page.iova, 'read', 'read-denied', why),
    fault(who, page.iova, 'write', 'write-denied', why),
  ];
}

function reserved(bench: Host): void {
  const { tree, mode, cases } = bench;
  const base = rootSlot(mode, 80);
  for (const flip of bits(52, 56)) {
    const iova = base + BigInt(flip) * 4096n;
    tree.set(iova, 1, v1Leaf(TARGET) ^ bit(flip));
    const why = `bit ${flip} of a leaf is reserved, ${SECTION}`;
    cases.push(...faults(WHO, iova, 'entry-reserved', why, { level: 1 }));
    for (let level = 2; level <= mode; level++) {
      const way = level === mode ? rootSlot(mode, flip + 40) : base + spanOf(level) * BigInt(flip);
      tree.set(way, 1, v1Leaf(TARGET));
      tree.change(way, level, (word) => word ^ bit(flip));
      const whyTable = `bit ${flip} of a table entry of level ${level} is reserved, ${SECTION}`;
      cases.push(...faults(WHO, way, 'entry-reserved', whyTable, { level }));
    }
  }
}

function absences(bench: Host): void {
  const { frames, tree, mode, cases } = bench;
  for (let level = mode; level >= 1; level--) {
    const iova = rootSlot(mode, 20) + 3n * spanOf(level);
    tree.set(iova, level, v1Leaf(TARGET) & ~PRESENT);
    const why = `PR = 0 in level ${level}, ${SECTION}`;
    cases.push(...faults(WHO, iova, 'not-present', why, { level }));
    if (level === 1) continue;
    const lost = iova + spanOf(level);
    tree.set(lost, level, v1Link(frames.absent(), level));
    cases.push(...faults(WHO, lost, 'table-unreadable', `the table below level ${level} is not in memory`));
  }
}

/** NextLevel 7: every size of every level, replicated in each slot that it covers. */
export function hostPageSizes(): BuiltImage {
  const bench = open(6);
  const sizes: readonly (readonly [number, number, number])[] = [
    [1, 13, 20],
    [2, 22, 29],
    [3, 31, 38],
    [4, 40, 47],
    [5, 49, 51],
  ];
  for (const [level, from, to] of sizes) {
    for (const lg2 of bits(from, to)) {
      const size = bit(lg2);
      const iova = BigInt(level) * spanOf(6) + BigInt(lg2) * (level === 5 ? spanOf(6) : spanOf(level + 1));
      const paddr = lg2 === 51 ? size : 3n * size;
      for (let slot = 1n; slot < size / spanOf(level); slot++) {
        bench.tree.set(iova + slot * spanOf(level), level, v1SizedLeaf(paddr, size));
      }
      const page = { iova, paddr, size, perm: 'RW', level } as const;
      const why = `NextLevel 7 at level ${level}: 2^${lg2} bytes by trailing ones`;
      put(bench, page, level, v1SizedLeaf(paddr, size), why);
    }
  }
  const small = { iova: spanOf(6) * 90n, paddr: TARGET, size: 0x4000n, level: 1 } as const;
  const rights: readonly (readonly [Perm, bigint])[] = [
    ['R', IR],
    ['W', IW],
  ];
  rights.forEach(([perm, granted], index) => {
    const iova = small.iova + BigInt(index) * 0x4000n;
    const word = (v1SizedLeaf(TARGET, small.size) & ~(IR | IW)) | granted;
    for (const slot of [1n, 2n, 3n]) bench.tree.set(iova + slot * 4096n, 1, word);
    put(bench, { ...small, iova, perm }, 1, word, `a 16K page that grants ${perm}`);
  });
  return close(bench, 'amd-vi host tables: page sizes by trailing ones');
}

/** NextLevel that jumps over levels, and that does not go down. */
export function hostLevelSkips(mode: 3 | 4 | 6): BuiltImage {
  const bench = open(mode);
  const { frames, tree, cases } = bench;
  for (let level = 3; level <= mode; level++) {
    for (let next = 1; next < level - 1; next++) skip(bench, level, next);
  }
  for (let level = 1; level <= mode; level++) {
    for (let next = level; next <= 6; next++) {
      const below = rootSlot(mode, 70) + BigInt(level * 10 + next) * spanOf(level);
      const iova = level === mode ? rootSlot(mode, 80 + next) : below;
      tree.set(iova, level, v1Pointer(addressOf(frames.add()), next));
      const why = `NextLevel ${next} at level ${level} does not go down, ${SECTION}`;
      cases.push(...faults(WHO, iova, 'level-skip', why, { level }));
    }
  }
  return close(bench, `amd-vi host tables: level skips, Mode ${mode}`);
}

/** An entry of `level` that points to a table of `next`; the input bits between must be zero. */
function skip(bench: Host, level: number, next: number): void {
  const { frames, tree, mode, cases } = bench;
  const below = new Tree(frames, next, v1Link);
  const iova = rootSlot(mode, 10) + BigInt(10 * level + next) * spanOf(level);
  tree.set(iova, level, v1Pointer(addressOf(below.root), next));
  const inside = 7n * spanOf(next) + (next > 1 ? 0x3000n : 0n);
  below.set(inside, 1, v1Leaf(TARGET));
  const page = { iova: iova + inside, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  cases.push(...mapped(WHO, page, `level ${level} skips to level ${next}, ${SECTION}`));
  if (next > 1) {
    const size = spanOf(2);
    const large = { iova: iova + spanOf(next) * 9n, paddr: 5n * size, size, perm: 'RW', level: 2 } as const;
    below.set(spanOf(next) * 9n, 2, v1Leaf(large.paddr));
    cases.push(...mapped(WHO, large, `a 2M leaf below a skip from ${level} to ${next}, ${SECTION}`));
  }
  for (let between = next + 1; between < level; between++) {
    const why = `level ${between} is skipped, but its address bits are not zero, ${SECTION}`;
    cases.push(...faults(WHO, page.iova + 5n * spanOf(between), 'level-skip', why));
  }
}
