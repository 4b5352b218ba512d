/** Extended page tables, as a format of their own: Intel SDM 3C §29.3 (EPT), misconfigurations §29.3.3.1. */
import { type BuiltImage } from '../built';
import { addressOf, bit, field, Frames } from './frames';
import { bits, type Entries, reservedBitCases, type Shape } from './reservedBits';
import { spanOf, Tree } from './tree';

export interface EptExpectation {
  /** Guest physical address. */
  readonly gpa: bigint;
  readonly access: 'read' | 'write';
  readonly why: string;
  readonly answer:
    | {
        readonly ok: true;
        readonly paddr: bigint;
        readonly size: bigint;
        readonly perm: 'R' | 'RW';
        readonly execute: boolean;
        /** Memory type of the leaf: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB. */
        readonly memoryType: number;
        readonly level: number;
      }
    /** `entry-reserved` stands for every EPT misconfiguration. */
    | { readonly ok: false; readonly fault: string; readonly level?: number };
}

/** Tables without an IOMMU: the frame of the root table and how many levels it has. */
export interface BuiltEpt {
  readonly name: string;
  readonly root: number;
  readonly levels: 4 | 5;
  readonly frames: ReadonlyMap<number, BigUint64Array>;
  readonly expectations: readonly EptExpectation[];
}

const READ = bit(0);
const WRITE = bit(1);
const EXECUTE = bit(2);
const PAGE_SIZE = bit(7);
const RWX = READ | WRITE | EXECUTE;
const WRITE_BACK = 6;
const TARGET = 0x4_0000_0000n;

const leaf = (paddr: bigint, level: number, rights = RWX, memoryType = WRITE_BACK): bigint =>
  paddr | rights | field(3, memoryType) | (level > 1 ? PAGE_SIZE : 0n);
const pointer = (frame: number): bigint => addressOf(frame) | RWX;

interface Ept {
  readonly frames: Frames;
  readonly tree: Tree;
  readonly levels: 4 | 5;
  readonly cases: EptExpectation[];
}

/** EPT tables of four or five levels. */
export function builtEpt(levels: 4 | 5 = 4): BuiltEpt {
  const frames = new Frames();
  const bench: Ept = { frames, tree: new Tree(frames, levels, pointer), levels, cases: [] };
  leaves(bench);
  memoryTypes(bench);
  permissions(bench);
  misconfigurations(bench);
  absences(bench);
  reservedBits(bench);
  const { tree, cases } = bench;
  return { name: `EPT: ${levels} levels`, root: tree.root, levels, frames: frames.map, expectations: cases };
}

/** The same as images: EPTP (SDM 3C §25.6.11) with write-back tables, and any requester for the guest. */
export function eptImages(): BuiltImage[] {
  return ([4, 5] as const).map((levels) => {
    const { name, root, frames, expectations } = builtEpt(levels);
    const eptp = addressOf(root) | field(3, levels - 1) | field(0, WRITE_BACK);
    return {
      name,
      kind: 'ept',
      registers: { EPTP: eptp },
      frames,
      expectations: expectations.map(({ gpa, access, why, answer }, index) => ({
        requester: index % 3,
        pasid: null,
        iova: gpa,
        access,
        why,
        answer: answer.ok
          ? { ok: true, paddr: answer.paddr, size: answer.size, perm: answer.perm, level: answer.level }
          : answer,
      })),
    };
  });
}

interface Page {
  readonly gpa: bigint;
  readonly paddr: bigint;
  readonly level: number;
  readonly perm: 'R' | 'RW';
  readonly execute: boolean;
  readonly memoryType: number;
}

function expectPage(cases: EptExpectation[], page: Page, why: string): void {
  const { gpa, paddr, level, perm, execute, memoryType } = page;
  const size = spanOf(level);
  for (const offset of [0n, size / 2n + 0x123n, size - 1n]) {
    const answer = { ok: true, paddr: paddr + offset, size, perm, execute, memoryType, level } as const;
    cases.push({ gpa: gpa + offset, access: 'read', why, answer });
    if (perm === 'RW') cases.push({ gpa: gpa + offset, access: 'write', why, answer });
  }
  if (perm === 'R') {
    cases.push({ gpa: gpa + 8n, access: 'write', why, answer: { ok: false, fault: 'write-denied' } });
  }
}

function expectFault(cases: EptExpectation[], gpa: bigint, fault: string, why: string, level?: number): void {
  const answer = { ok: false, fault, ...(level === undefined ? {} : { level }) } as const;
  for (const access of ['read', 'write'] as const) cases.push({ gpa, access, why, answer });
}

function leaves({ tree, levels, cases }: Ept): void {
  const rows: readonly (readonly [bigint, 'R' | 'RW', boolean])[] = [
    [READ, 'R', false],
    [READ | WRITE, 'RW', false],
    [READ | EXECUTE, 'R', true],
    [RWX, 'RW', true],
  ];
  for (const level of [1, 2, 3]) {
    const size = spanOf(level);
    rows.forEach(([rights, perm, execute], index) => {
      const gpa = spanOf(levels) * 20n + spanOf(level + 1) * 17n + size * BigInt(33 + index);
      const paddr = TARGET - (TARGET % size) + size * BigInt(3 + 2 * index);
      tree.set(gpa, level, leaf(paddr, level, rights));
      const page = { gpa, paddr, level, perm, execute, memoryType: WRITE_BACK };
      expectPage(cases, page, `a leaf of level ${level} with rights ${rights.toString(2)}b, §29.3.2`);
    });
  }
  const last = spanOf(levels + 1) - 4096n;
  tree.set(last, 1, leaf(TARGET, 1));
  const page = { gpa: last, paddr: TARGET, level: 1, perm: 'RW', execute: true, memoryType: 6 } as const;
  expectPage(cases, page, 'the last page; no sign extension, §29.3.2');
}

function memoryTypes({ tree, levels, cases }: Ept): void {
  for (const memoryType of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const gpa = spanOf(levels) * 30n + BigInt(memoryType) * 4096n;
    tree.set(gpa, 1, leaf(TARGET, 1, RWX, memoryType));
    const large = spanOf(levels) * 31n + BigInt(memoryType) * spanOf(2);
    tree.set(large, 2, leaf(TARGET, 2, RWX, memoryType));
    if ([2, 3, 7].includes(memoryType)) {
      const why = `memory type ${memoryType} is reserved, §29.3.3.1`;
      expectFault(cases, gpa, 'entry-reserved', why, 1);
      expectFault(cases, large, 'entry-reserved', why, 2);
      continue;
    }
    const page = { paddr: TARGET, perm: 'RW', execute: true, memoryType } as const;
    expectPage(cases, { ...page, gpa, level: 1 }, `memory type ${memoryType}, §29.3.7`);
    expectPage(cases, { ...page, gpa: large, level: 2 }, `memory type ${memoryType}, §29.3.7`);
  }
}

function permissions({ tree, levels, cases }: Ept): void {
  for (let level = 2; level <= levels; level++) {
    const gpa = spanOf(levels) * 40n + BigInt(level) * spanOf(level) + 0x7000n;
    tree.set(gpa, 1, leaf(TARGET, 1));
    tree.change(gpa, level, (word) => word & ~(WRITE | EXECUTE));
    const page = { gpa, paddr: TARGET, level: 1, perm: 'R', execute: false, memoryType: WRITE_BACK } as const;
    expectPage(cases, page, `rights are ANDed: the table entry of level ${level} grants R, §29.3.3.2`);
  }
  const ignored: readonly (readonly [string, bigint])[] = [
    ['IPAT', bit(6)],
    ['A and D', bit(8) | bit(9)],
    ['user execute (10)', bit(10)],
    ['bit 11', bit(11)],
    ['ignored bits 56:52', 0x1fn << 52n],
    ['suppress #VE (63)', bit(63)],
  ];
  ignored.forEach(([name, extra], index) => {
    const gpa = spanOf(levels) * 50n + BigInt(index) * 4096n;
    tree.set(gpa, 1, leaf(TARGET, 1) | extra);
    const page = { gpa, paddr: TARGET, level: 1, perm: 'RW', execute: true, memoryType: WRITE_BACK } as const;
    expectPage(cases, page, `${name} of a leaf does not matter, §29.3.2`);
  });
}

function misconfigurations({ tree, levels, cases }: Ept): void {
  for (const rights of [WRITE, WRITE | EXECUTE]) {
    for (let level = 1; level <= levels; level++) {
      const why = `W without R (${rights.toString(2)}b) in level ${level}, §29.3.3.1`;
      const gpa = spanOf(levels) * (60n + rights) + BigInt(2 * level) * spanOf(level);
      tree.set(gpa, 1, leaf(TARGET, 1));
      tree.change(gpa, level, (word) => (word & ~RWX) | rights);
      expectFault(cases, gpa, 'entry-reserved', why, level);
      if (level === 1 || level > 3) continue;
      const large = gpa + spanOf(level);
      tree.set(large, level, leaf(0n, level, rights));
      expectFault(cases, large, 'entry-reserved', `${why}, a leaf`, level);
    }
  }
}

function absences({ frames, tree, levels, cases }: Ept): void {
  for (let level: number = levels; level >= 1; level--) {
    const gpa = spanOf(levels) * 80n + 3n * spanOf(level);
    tree.set(gpa, level, leaf(TARGET, 1, 0n));
    expectFault(cases, gpa, 'not-present', `R = W = X = 0 in level ${level}, §29.3.2`, level);
    if (level === 1) continue;
    tree.set(gpa + spanOf(level), level, pointer(frames.absent()));
    const why = `the table below level ${level} is not in memory`;
    expectFault(cases, gpa + spanOf(level), 'table-unreadable', why);
  }
}

const ENTRIES: Entries = { leaf: (paddr, level) => leaf(paddr, level), pointer };

function reservedBits({ frames, tree, levels, cases }: Ept): void {
  const table = (level: number, reserved: readonly number[]): Shape => ({
    name: 'EPT table entry',
    level,
    leaf: false,
    reserved,
  });
  const shapes: Shape[] = [
    ...(levels === 5 ? [table(5, bits(3, 7))] : []),
    table(4, bits(3, 7)),
    table(3, bits(3, 6)),
    table(2, bits(3, 6)),
    { name: 'EPT 1G leaf', level: 3, leaf: true, reserved: bits(12, 29) },
    { name: 'EPT 2M leaf', level: 2, leaf: true, reserved: bits(12, 20) },
  ];
  const who = { requester: 0, pasid: null };
  for (const { iova, access, why, answer } of reservedBitCases(
    frames,
    tree,
    ENTRIES,
    shapes,
    who,
    'SDM 3C §29.3.2',
  )) {
    const common = { gpa: iova, access, why };
    if (!answer.ok) {
      const { fault, level } = answer;
      cases.push({
        ...common,
        answer: { ok: false, fault, ...(typeof level === 'number' ? { level } : {}) },
      });
    } else {
      const { paddr, size } = answer;
      const attributes = { perm: 'RW', execute: true, memoryType: WRITE_BACK } as const;
      cases.push({ ...common, answer: { ok: true, paddr, size, level: answer.level ?? 1, ...attributes } });
    }
  }
}
