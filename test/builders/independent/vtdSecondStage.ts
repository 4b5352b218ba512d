/** VT-d second-stage translation, scalable and legacy: VT-d 4.1 §3.7, §9.1, §9.3, §9.8, faults §7.1.3. */
import { type BuiltImage, type Expectation } from '../built';
import { asker, at, type Asker, fault, faults, mapped, passed, type Page, type Perm } from './cases';
import { addressOf, bit, Frames } from './frames';
import { bits, reservedBitCases } from './reservedBits';
import { spanOf, Tree } from './tree';
import {
  legacyContext,
  LegacyRoot,
  PasidTables,
  pasidEntry,
  PGTT,
  scalableContext,
  ScalableRoot,
} from './vtdDirectory';
import {
  cap,
  type CapOptions,
  ECAP,
  ECAP_LEGACY,
  ECAP_SCALABLE,
  registers,
  SS,
  ssEntries,
  ssLeaf,
  ssPointer,
  ssShapes,
  TTM,
} from './vtdEntries';

const REQUESTER = 0x00a8;
const WHO = asker(REQUESTER);
const TARGET = 0x6_0000_0000n;

interface SecondStage {
  readonly frames: Frames;
  readonly tree: Tree;
  readonly levels: 3 | 4 | 5;
  readonly cases: Expectation[];
}

const open = (levels: 3 | 4 | 5): SecondStage => {
  const frames = new Frames();
  return { frames, tree: new Tree(frames, levels, ssEntries.pointer), levels, cases: [] };
};

/** Puts the tables behind a scalable context. */
function scalable(
  { frames, tree, levels, cases }: SecondStage,
  name: string,
  options?: CapOptions,
): BuiltImage {
  const tables = new PasidTables(frames, 0);
  const entry = { pgtt: PGTT.second, domain: 4, second: addressOf(tree.root), aw: levels - 2 };
  tables.set(0, pasidEntry(entry));
  tables.set(5, pasidEntry(entry));
  const roots = new ScalableRoot(frames);
  roots.set(REQUESTER, scalableContext(tables));
  const unit = { root: roots.root, ttm: TTM.scalable, cap: cap(options), ecap: ECAP_SCALABLE };
  return { name, kind: 'vt-d', registers: registers(unit), frames: frames.map, expectations: cases };
}

/** Puts the tables behind a legacy context. */
function legacy(
  { frames, tree, levels, cases }: SecondStage,
  name: string,
  ecap: bigint,
  options?: CapOptions,
): BuiltImage {
  const roots = new LegacyRoot(frames);
  roots.set(REQUESTER, ...legacyContext(0, tree.root, levels - 2, 8));
  const unit = { root: roots.root, ttm: TTM.legacy, cap: cap(options), ecap };
  return { name, kind: 'vt-d', registers: registers(unit), frames: frames.map, expectations: cases };
}

function put(bench: SecondStage, page: Page, level: number, word: bigint, why: string): void {
  bench.tree.set(page.iova, level, word);
  bench.cases.push(...mapped(WHO, page, `${why}, §9.8`));
}

function leaves(bench: SecondStage): void {
  const { levels, cases } = bench;
  const root = spanOf(levels);
  for (const level of [1, 2, 3]) {
    const size = spanOf(level);
    const base = root * BigInt(300 + 10 * level);
    const iova = level === levels ? base : base + spanOf(level + 1) * 17n + size * 33n;
    const paddr = TARGET - (TARGET % size) + 7n * size;
    const perms: readonly (readonly [Perm, bigint])[] = [
      ['RW', SS.read | SS.write],
      ['R', SS.read],
      ['W', SS.write],
    ];
    perms.forEach(([perm, granted], index) => {
      const page = { iova: iova + BigInt(index) * size, paddr, size, perm, level };
      const word = (ssLeaf(paddr, level) & ~3n) | granted;
      put(bench, page, level, word, `leaf of level ${level} that grants ${perm}`);
    });
    const none = iova + 3n * size;
    bench.tree.set(none, level, ssLeaf(paddr, level) & ~3n);
    cases.push(...faults(WHO, none, 'not-present', `R = W = 0 in level ${level}, §9.8`, { level }));
    const empty = iova + 4n * size;
    cases.push(...faults(WHO, empty, 'not-present', `an empty entry of level ${level}, §9.8`, { level }));
  }
  const end = spanOf(levels + 1) - 4096n;
  const last = { iova: end, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  put(bench, last, 1, ssLeaf(TARGET, 1), `last page of ${levels} levels; no sign extension`);
}

function permissions(bench: SecondStage): void {
  const { tree, levels } = bench;
  for (let level = 2; level <= levels; level++) {
    const granted: readonly (readonly [Perm, bigint])[] = [
      ['R', SS.read],
      ['W', SS.write],
    ];
    granted.forEach(([perm, bitOf], index) => {
      const iova = 90n * spanOf(levels) + BigInt(3 + 7 * index) * spanOf(level) + 0x8000n;
      const page = { iova, paddr: TARGET + 0x5000n, size: 4096n, perm, level: 1 };
      put(
        bench,
        page,
        1,
        ssLeaf(page.paddr, 1),
        `R and W are ANDed: the entry of level ${level} has ${perm} only`,
      );
      tree.change(iova, level, (word) => (word & ~3n) | bitOf);
    });
  }
  const free = 60n * spanOf(levels);
  const ignored: readonly (readonly [string, bigint])[] = [
    ['A and D', bit(8) | bit(9)],
    ['memory type and IPAT are not for the IOMMU', (6n << 3n) | bit(6)],
    ['bit 7 of a 4K leaf', bit(7)],
    ['bit 10', bit(10)],
    ['ignored bits 60:52', 0x1ffn << 52n],
    ['ignored bit 63', bit(63)],
  ];
  ignored.forEach(([why, extra], index) => {
    const page = { iova: free + BigInt(index) * 4096n, paddr: TARGET + 0x6000n, size: 4096n, level: 1 };
    put(bench, { ...page, perm: 'RW' }, 1, ssLeaf(page.paddr, 1) | extra, `${why} of a leaf`);
  });
}

function absences(bench: SecondStage): void {
  const { frames, tree, levels, cases } = bench;
  for (let level = levels; level >= 2; level--) {
    const lost = 70n * spanOf(levels) + 3n * spanOf(level);
    tree.set(lost, level, ssPointer(addressOf(frames.absent())));
    cases.push(...faults(WHO, lost, 'table-unreadable', `the table below level ${level} is not in memory`));
  }
}

/** Interrupt range as input and as output: §3.14. */
function windows(bench: SecondStage, withPasid: Asker | null): void {
  const { tree, cases } = bench;
  for (const iova of [0xfedf_f000n, 0xfee0_0000n, 0xfeef_f000n, 0xfef0_0000n]) {
    const page = { iova, paddr: TARGET + iova, size: 4096n, perm: 'RW', level: 1 } as const;
    tree.set(iova, 1, ssLeaf(page.paddr, 1));
    if (iova >= 0xfee0_0000n && iova < 0xfef0_0000n) {
      cases.push(...faults(WHO, iova + 4n, 'interrupt-window', 'interrupt range, §3.14'));
    } else cases.push(...mapped(WHO, page, 'beside the interrupt range, §3.14'));
    if (withPasid) cases.push(at(withPasid, page, 4n, 'write', 'translated for requests with PASID, §3.14'));
  }
  tree.set(0x4_4444_4000n, 1, ssLeaf(0xfeef_f000n, 1));
  const why = 'the result lies in the interrupt range, §3.14';
  cases.push(...faults(WHO, 0x4_4444_4008n, 'interrupt-output', why));
}

function tooWide({ levels, cases }: SecondStage): void {
  for (const iova of [spanOf(levels + 1), bit(60), bit(63), (1n << 64n) - 4096n]) {
    cases.push(...faults(WHO, iova, 'address-width', `beyond the width of ${levels} levels, §3.7`));
  }
}

/** Second stage by itself, reached through scalable mode. */
export function secondStageScalable(levels: 3 | 4 | 5): BuiltImage {
  const bench = open(levels);
  leaves(bench);
  permissions(bench);
  absences(bench);
  windows(bench, asker(REQUESTER, 5));
  tooWide(bench);
  const { frames, tree, cases } = bench;
  const shapes = ssShapes(levels, false);
  cases.push(...reservedBitCases(frames, tree, ssEntries, shapes, WHO, 'VT-d 4.1 §9.8'));
  return scalable(bench, `vt-d second stage: scalable, ${levels} levels`);
}

/** Second stage in legacy mode without snoop control: bit 11 is reserved everywhere. */
export function secondStageLegacy(levels: 3 | 4 | 5): BuiltImage {
  const bench = open(levels);
  leaves(bench);
  permissions(bench);
  absences(bench);
  windows(bench, null);
  tooWide(bench);
  const { frames, tree, cases } = bench;
  const shapes = ssShapes(levels, true);
  cases.push(...reservedBitCases(frames, tree, ssEntries, shapes, WHO, 'VT-d 4.1 §9.8'));
  const why = 'legacy mode takes no requests with PASID, §3.4.2';
  cases.push(...faults(asker(REQUESTER, 5), 0x1000n, 'pasid-not-supported', why));
  return legacy(bench, `vt-d second stage: legacy, ${levels} levels`, ECAP_LEGACY);
}

/** Capabilities that narrow what the same entries mean. */
export function secondStageCapabilities(): BuiltImage[] {
  const snooping = open(4);
  const word = ssLeaf(TARGET, 1) | SS.snoop;
  put(
    snooping,
    { iova: 0x7000n, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 },
    1,
    word,
    'SNP with ECAP.SC',
  );
  const narrow = open(4);
  const page = { iova: bit(39) - 4096n, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  put(narrow, page, 1, ssLeaf(TARGET, 1), 'last page within MGAW');
  narrow.tree.set(bit(39), 1, ssLeaf(TARGET, 1));
  narrow.cases.push(...faults(WHO, bit(39), 'address-width', 'beyond MGAW, which is less than AW, §3.7'));
  return [
    legacy(snooping, 'vt-d second stage: snoop control', ECAP_LEGACY | ECAP.snoopControl),
    legacy(narrow, 'vt-d second stage: MGAW 39, AW 48', ECAP_LEGACY, { widths: [48], mgaw: 39 }),
    withoutLarge(3),
    withoutLarge(2),
  ];
}

/** SSLPS without the leaf size of a level: PS is reserved there. */
function withoutLarge(level: 2 | 3): BuiltImage {
  const bench = open(4);
  const other = level === 2 ? 3 : 2;
  const size = spanOf(other);
  const page = { iova: size * 6n, paddr: size * 5n, size, perm: 'RW', level: other } as const;
  put(bench, page, other, ssLeaf(page.paddr, other), 'the leaf size that SSLPS names');
  const iova = spanOf(4) + spanOf(level) * 3n;
  bench.tree.set(iova, level, ssLeaf(0n, level));
  const why = `PS of level ${level} without its SSLPS bit, §9.8`;
  bench.cases.push(fault(WHO, iova, 'read', 'entry-reserved', why, { level }));
  const options = level === 2 ? { large2M: false } : { large1G: false };
  return scalable(bench, `vt-d second stage: no leaves of level ${level}`, options);
}

/** Legacy root and context entries: translation types, widths, and each reserved bit alone. */
export function legacyDirectory(): BuiltImage {
  const bench = open(4);
  const { frames, tree, cases } = bench;
  const iova = 0x12_3456_7000n;
  tree.set(iova, 1, ssLeaf(TARGET, 1));
  const page = { iova, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  const roots = new LegacyRoot(frames);
  const good = legacyContext(0, tree.root, 2, 8);
  const expectFault = (requester: number, code: string, why: string): void => {
    cases.push(...faults(asker(requester), iova, code, `${why}, VT-d 4.1 §9.1 §9.3`));
  };
  roots.set(0x0000, ...good);
  roots.set(0x00ff, ...good);
  roots.set(0xffff, ...legacyContext(1, tree.root, 2, 8));
  for (const requester of [0x0000, 0x00ff]) cases.push(...mapped(asker(requester), page, 'TT 00b, §9.3'));
  cases.push(...mapped(asker(0xffff), page, 'TT 01b with ECAP.DT, §9.3'));
  roots.set(0x0001, ...legacyContext(2, 0, 3, 9));
  for (const access of ['read', 'write'] as const) {
    cases.push(passed(asker(0x0001), iova, access, 'TT 10b passes through, §9.3'));
  }
  roots.set(0x0002, ...legacyContext(3, tree.root, 2, 8));
  expectFault(0x0002, 'context-entry-invalid', 'TT 11b is reserved');
  [0, 4, 5, 6, 7].forEach((aw, index) => {
    roots.set(0x0003 + index, ...legacyContext(0, tree.root, aw, 8));
    expectFault(0x0003 + index, 'context-entry-invalid', `AW ${aw} names no width that SAGAW has`);
  });
  expectFault(0x0010, 'context-entry-not-present', 'P = 0 in the context entry');
  expectFault(0x0110, 'root-entry-not-present', 'P = 0 in the root entry');
  roots.set(0x0012, good[0] | bit(1), good[1] | (0xfn << 3n));
  cases.push(...mapped(asker(0x0012), page, 'FPD and the bits 70:67 left to software, §9.3'));
  let requester = 0x0200;
  for (const flip of [...bits(4, 11), 71, ...bits(88, 127)]) {
    const words = flip < 64 ? [good[0] ^ bit(flip), good[1]] : [good[0], good[1] ^ bit(flip - 64)];
    roots.set(requester, words[0] ?? 0n, words[1] ?? 0n);
    expectFault(requester++, 'context-entry-reserved', `bit ${flip} of the context entry is reserved`);
  }
  const table = roots.contextTable(0);
  let bus = 0x10;
  for (const flip of [...bits(1, 11), ...bits(64, 127)]) {
    const { frame, index } = roots.rootSlot(bus);
    const low = addressOf(table) | bit(0);
    frames.set(frame, index, flip < 64 ? low | bit(flip) : low);
    frames.set(frame, index + 1, flip < 64 ? 0n : bit(flip - 64));
    expectFault(bus++ << 8, 'root-entry-reserved', `bit ${flip} of the root entry is reserved`);
  }
  frames.set(roots.root, 0xf0 * 2, addressOf(frames.absent()) | bit(0));
  expectFault(0xf000, 'context-entry-unreadable', 'the context table is not in memory');
  const unit = { root: roots.root, ttm: TTM.legacy, ecap: ECAP_LEGACY };
  const name = 'vt-d legacy: directory';
  return { name, kind: 'vt-d', registers: registers(unit), frames: frames.map, expectations: cases };
}
