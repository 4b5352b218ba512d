/** AMD guest tables (v2) behind GCR3 tables, without a host stage: 48882 rev 3.10 §2.2.6. */
import { type BuiltImage, type Expectation } from '../built';
import { DeviceTable, deviceEntry, v1Leaf, v1Link } from './amdEntries';
import { type Asker, asker, fault, faults, mapped, type Page, passed } from './cases';
import { addressOf, bit, Frames } from './frames';
import { reservedBitCases } from './reservedBits';
import { spanOf, Tree } from './tree';
import { X86, x86Entries, x86Leaf, x86Shapes } from './x86Entries';

const SECTION = '48882 §2.2.6';
const TARGET = 0x8_0000_0000n;
const IOVA = 0x12_3456_7000n;

/** A GCR3 table of 1 to 3 levels of 9 PASID bits; `addressIn` gives the address that its entries use. */
export class Gcr3Table {
  readonly root: number;
  private readonly children = new Map<string, number>();

  constructor(
    private readonly frames: Frames,
    readonly glx: number,
    private readonly newTable: () => number = () => frames.add(),
    private readonly addressIn: (frame: number) => bigint = addressOf,
  ) {
    this.root = newTable();
  }

  /** Writes the entry of a PASID in the last level, or in a higher one (counted from 0 at the last). */
  set(pasid: number, entry: bigint, level = 0): void {
    let frame = this.root;
    for (let depth = this.glx; depth > level; depth--) {
      const index = (pasid >> (9 * depth)) & 0x1ff;
      const key = `${depth}:${pasid >> (9 * depth)}`;
      let child = this.children.get(key);
      if (child === undefined) {
        child = this.newTable();
        this.children.set(key, child);
        this.frames.set(frame, index, this.addressIn(child) | bit(0));
      }
      frame = child;
    }
    this.frames.set(frame, (pasid >> (9 * level)) & 0x1ff, entry);
  }
}

/** A guest tree with one page, as the entry of a GCR3 table. */
function onePage(frames: Frames, paddr: bigint): bigint {
  const tree = new Tree(frames, 4, x86Entries.pointer);
  tree.set(IOVA, 1, x86Leaf(paddr, 1));
  return addressOf(tree.root) | bit(0);
}

/** PASIDs through 1, 2 and 3 levels of GCR3 tables, and requests without PASID with and without GIOV. */
export function gcr3Tables(): BuiltImage {
  const frames = new Frames();
  const table = new DeviceTable(frames, 1);
  const cases: Expectation[] = [];
  const sees = (who: Asker, paddr: bigint, why: string): void => {
    const page = { iova: IOVA, paddr, size: 4096n, perm: 'RW', level: 1 } as const;
    cases.push(...mapped(who, page, `${why}, ${SECTION}`));
  };
  const expectFault = (who: Asker, code: string, why: string): void => {
    cases.push(...faults(who, IOVA, code, `${why}, ${SECTION}`));
  };
  const pasids = [
    [0, 1, 0x1ff],
    [0, 0x1ff, 0x200, 0x3_ffff],
    [0, 0x3_ffff, 0x4_0000, 0xf_ffff],
  ];
  pasids.forEach((held, glx) => {
    const gcr3 = new Gcr3Table(frames, glx);
    held.forEach((pasid, index) => gcr3.set(pasid, onePage(frames, TARGET + BigInt(index) * 0x1000n)));
    const guest = { gcr3: addressOf(gcr3.root), glx };
    const plain = 0x10 + glx;
    const giov = 0x20 + glx;
    table.set(plain, deviceEntry({ guest }));
    table.set(giov, deviceEntry({ guest: { ...guest, giov: true } }));
    held.forEach((pasid, index) => {
      sees(asker(plain, pasid), TARGET + BigInt(index) * 0x1000n, `PASID ${pasid}, GLX ${glx}`);
      sees(asker(giov, pasid), TARGET + BigInt(index) * 0x1000n, `PASID ${pasid}, GLX ${glx}, GIOV`);
    });
    sees(asker(giov), TARGET, 'GIOV: a request without PASID uses PASID 0');
    cases.push(passed(asker(plain), IOVA, 'read', `GIOV = 0, Mode 0: not translated, ${SECTION}`));
    expectFault(asker(plain, 0x155), 'process-entry-not-present', 'V = 0 in the GCR3 entry');
    if (glx > 0) {
      expectFault(asker(plain, 0x2_0000), 'process-entry-not-present', 'V = 0 in a higher GCR3 level');
      gcr3.set(0x1_0000, addressOf(frames.absent()) | bit(0), 1);
      expectFault(asker(plain, 0x1_0000), 'process-entry-unreadable', 'a GCR3 table is not in memory');
    }
    if (glx < 2) {
      const first = 2 ** (9 * (glx + 1));
      expectFault(asker(plain, first), 'pasid-out-of-range', `PASID beyond the ${glx + 1} levels of GLX`);
      expectFault(asker(plain, 0xf_ffff), 'pasid-out-of-range', `PASID beyond the ${glx + 1} levels of GLX`);
    }
    gcr3.set(0x33, addressOf(frames.absent()) | bit(0));
    expectFault(asker(plain, 0x33), 'table-unreadable', 'the guest root table is not in memory');
  });
  hostBeside(frames, table, cases);
  return {
    name: 'amd-vi guest tables: GCR3 of 1, 2 and 3 levels',
    kind: 'amd-vi',
    registers: table.registers(),
    frames: frames.map,
    expectations: cases,
  };
}

/** Entries without GCR3 root in memory, without GV, and with host tables for requests without PASID. */
function hostBeside(frames: Frames, table: DeviceTable, cases: Expectation[]): void {
  const host = new Tree(frames, 4, v1Link);
  host.set(IOVA, 1, v1Leaf(TARGET + 0x7000n));
  const root = addressOf(host.root);
  table.set(0x30, deviceEntry({ mode: 4, root }));
  const gcr3 = new Gcr3Table(frames, 0);
  table.set(0x31, deviceEntry({ mode: 4, root, guest: { gcr3: addressOf(gcr3.root), glx: 0 } }));
  table.set(0x32, deviceEntry({ guest: { gcr3: addressOf(frames.absent()), glx: 0, giov: true } }));
  const page = { iova: IOVA, paddr: TARGET + 0x7000n, size: 4096n, perm: 'RW', level: 1 } as const;
  cases.push(
    ...mapped(asker(0x30), page, `GV = 0: host tables, ${SECTION}`),
    ...mapped(asker(0x31), page, `GV = 1, GIOV = 0: requests without PASID use host tables, ${SECTION}`),
    ...faults(asker(0x30, 1), IOVA, 'pasid-not-supported', `request with PASID while GV = 0, ${SECTION}`),
    ...faults(asker(0x32), IOVA, 'process-entry-unreadable', 'the GCR3 table is not in memory'),
  );
}

const WHO = asker(0x0040, 9);

interface Guest {
  readonly frames: Frames;
  readonly tree: Tree;
  readonly levels: 4 | 5;
  readonly cases: Expectation[];
}

function put({ tree, cases }: Guest, page: Page, level: number, word: bigint, why: string): void {
  tree.set(page.iova, level, word);
  cases.push(...mapped(WHO, page, `${why}, ${SECTION}`));
}

/** Four- or five-level guest tables: leaves, permissions, canonical addresses and reserved bits. */
export function guestTables(levels: 4 | 5): BuiltImage {
  const frames = new Frames();
  const bench = { frames, tree: new Tree(frames, levels, x86Entries.pointer), levels, cases: [] };
  leaves(bench);
  permissions(bench);
  const { tree } = bench;
  const cases: Expectation[] = bench.cases;
  cases.push(...reservedBitCases(frames, tree, x86Entries, x86Shapes(levels), WHO, SECTION));
  const table = new DeviceTable(frames, 1);
  const gcr3 = new Gcr3Table(frames, 0);
  gcr3.set(9, addressOf(tree.root) | bit(0));
  table.set(WHO.requester, deviceEntry({ guest: { gcr3: addressOf(gcr3.root), glx: 0, levels } }));
  return {
    name: `amd-vi guest tables: ${levels} levels`,
    kind: 'amd-vi',
    registers: table.registers(),
    frames: frames.map,
    expectations: cases,
  };
}

function leaves(bench: Guest): void {
  const { levels, cases, tree, frames } = bench;
  const top = (1n << 64n) - spanOf(levels + 1) / 2n;
  for (const base of [spanOf(levels) * 200n, top + spanOf(levels) * 9n]) {
    for (const level of [1, 2, 3]) {
      const size = spanOf(level);
      const iova = base + spanOf(level + 1) * 17n + size * 33n;
      const page = { iova, paddr: TARGET + 3n * size, size, perm: 'RW', level } as const;
      put(bench, page, level, x86Leaf(page.paddr, level), `a leaf of level ${level}`);
      const absent = iova + size;
      cases.push(...faults(WHO, absent, 'not-present', `P = 0 in level ${level}, ${SECTION}`, { level }));
      const lost = iova + 2n * size;
      if (level === 1) continue;
      tree.set(lost, level, x86Entries.pointer(frames.absent(), level));
      cases.push(...faults(WHO, lost, 'table-unreadable', `the table below level ${level} is not in memory`));
    }
  }
  const page = { iova: (1n << 64n) - 4096n, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  put(bench, page, 1, x86Leaf(TARGET, 1), 'last page of all');
  const end = spanOf(levels + 1) / 2n;
  for (const iova of [end, top - 4096n, bit(63)]) {
    const why = `not canonical for ${levels} levels, ${SECTION}`;
    cases.push(...faults(WHO, iova, 'address-width', why));
  }
}

function permissions(bench: Guest): void {
  const { tree, levels, cases } = bench;
  const readOnly = x86Leaf(TARGET, 1) & ~(X86.write | X86.dirty);
  const base = spanOf(levels) * 60n;
  const page = { paddr: TARGET, size: 4096n, level: 1 } as const;
  put(bench, { ...page, iova: base, perm: 'R' }, 1, readOnly, 'RW = 0 in a leaf');
  const dark = base + 4096n;
  put(bench, { ...page, iova: dark, perm: 'RW' }, 1, x86Leaf(TARGET, 1) | X86.executeDisable, 'NX in a leaf');
  for (let level = 2; level <= levels; level++) {
    const iova = spanOf(levels) * 90n + BigInt(level) * spanOf(level) + 0x5000n;
    put(
      bench,
      { ...page, iova, perm: 'R' },
      1,
      x86Leaf(TARGET, 1),
      `RW = 0 in a table entry of level ${level}`,
    );
    tree.change(iova, level, (word) => word & ~X86.write);
  }
  cases.push(fault(WHO, base + 8n, 'write', 'write-denied', `RW = 0 in a leaf, ${SECTION}`));
}
