/** AMD guest tables over host tables: every guest access goes through the host stage: 48882 rev 3.10 §2.2.6, §2.2.7. */
import { type BuiltImage, type Expectation } from '../built';
import { DeviceTable, deviceEntry, IR, IW, PRESENT, v1Leaf, v1Link, v1SizedLeaf } from './amdEntries';
import { Gcr3Table } from './amdGuest';
import { asker, at, faults, fault, mapped, type Page } from './cases';
import { addressOf, bit, Frames } from './frames';
import { GuestSpace } from './guestSpace';
import { spanOf, Tree } from './tree';
import { X86, x86Leaf, x86Pointer } from './x86Entries';

const SECTION = '48882 §2.2.6';
const WHO = asker(0x0050, 3);
const IOVA = 0x7f12_3450_0000n;

interface Nested {
  readonly frames: Frames;
  readonly host: Tree;
  readonly space: GuestSpace;
  readonly guest: Tree;
  readonly cases: Expectation[];
}

/**
 * Guest tables of four or five levels over host tables of four. With `gcr3IsGuest` (GCR3TRPMode) the root of the GCR3
 * table in the device entry is a guest address, else a physical one.
 */
export function nestedGuest(levels: 4 | 5, gcr3IsGuest: boolean): BuiltImage {
  const frames = new Frames();
  const host = new Tree(frames, 4, v1Link);
  const space = new GuestSpace(frames, (guest, real) => host.set(guest, 1, v1Leaf(real)));
  const pointer = (frame: number): bigint => x86Pointer(space.addressOf(frame));
  const guest = new Tree(frames, levels, pointer, () => space.table());
  const bench: Nested = { frames, host, space, guest, cases: [] };
  smallPages(bench);
  mixedSizes(bench);
  walkFaults(bench, levels);
  const table = new DeviceTable(frames, 1);
  gcr3Entries(bench, table, levels, gcr3IsGuest);
  return {
    name: `amd-vi nested: ${levels} levels, GCR3 root ${gcr3IsGuest ? 'a guest' : 'a physical'} address`,
    kind: 'amd-vi',
    registers: table.registers({ gcr3IsGuest }),
    frames: frames.map,
    expectations: bench.cases,
  };
}

function gcr3Entries(bench: Nested, table: DeviceTable, levels: 4 | 5, gcr3IsGuest: boolean): void {
  const { frames, host, space, guest, cases } = bench;
  const tables = gcr3IsGuest ? (): number => space.table() : (): number => frames.add();
  const gcr3 = new Gcr3Table(frames, 0, tables);
  gcr3.set(3, space.addressOf(guest.root) | bit(0));
  gcr3.set(4, 0x76_0000_0000n | bit(0));
  const rootOf = (frame: number): bigint => (gcr3IsGuest ? space.addressOf(frame) : addressOf(frame));
  const hosted = { mode: 4, root: addressOf(host.root) };
  table.set(WHO.requester, deviceEntry({ ...hosted, guest: { gcr3: rootOf(gcr3.root), glx: 0, levels } }));
  const lost = 'the guest root table has no host mapping';
  cases.push(
    ...faults(asker(0x50, 4), IOVA, 'not-present', `${lost}, ${SECTION}`, { stage: 2 }),
    ...faults(asker(0x50, 5), IOVA, 'process-entry-not-present', `V = 0 in the GCR3 entry, ${SECTION}`),
    ...faults(asker(0x50, 0x200), IOVA, 'pasid-out-of-range', `PASID beyond GLX 0, ${SECTION}`),
  );
  host.set(0x1_0000n, 1, v1Leaf(0x4_4444_0000n));
  const page = { iova: 0x1_0000n, paddr: 0x4_4444_0000n, size: 4096n, perm: 'RW', level: 1 } as const;
  cases.push(...mapped(asker(0x50), page, `GIOV = 0: requests without PASID use host tables, ${SECTION}`));
  if (!gcr3IsGuest) return;
  const unmapped = { gcr3: 0x75_0000_0000n, glx: 0, levels };
  table.set(0x51, deviceEntry({ ...hosted, guest: unmapped }));
  const why = `the GCR3 table has no host mapping, ${SECTION}`;
  cases.push(...faults(asker(0x51, 3), IOVA, 'not-present', why, { stage: 2 }));
  const deep = new Gcr3Table(
    frames,
    1,
    () => space.table(),
    (frame) => space.addressOf(frame),
  );
  deep.set(0x1_2345, space.addressOf(guest.root) | bit(0));
  table.set(0x52, deviceEntry({ ...hosted, guest: { gcr3: rootOf(deep.root), glx: 1, levels } }));
  const first = { iova: IOVA, paddr: 0x3_3330_0000n, size: 4096n, perm: 'RW', level: 1 } as const;
  cases.push(...mapped(asker(0x52, 0x1_2345), first, `both GCR3 levels are guest addresses, ${SECTION}`));
}

/** A guest 4K leaf over a host 4K leaf, each with its own permission. */
function smallPages({ guest, host, cases }: Nested): void {
  const rows = [
    ['RW', IR | IW, true],
    ['R', IR | IW, false],
    ['R', IR, true],
    ['W', IW, true],
  ] as const;
  rows.forEach(([perm, granted, writable], index) => {
    const iova = IOVA + BigInt(index) * 4096n;
    const between = 0x12_0000_0000n + BigInt(index) * 0x20_3000n;
    const paddr = 0x3_3330_0000n - BigInt(index) * 0x1000n;
    guest.set(iova, 1, x86Leaf(between, 1) & ~(writable ? 0n : X86.write | X86.dirty));
    host.set(between, 1, paddr | granted | PRESENT);
    const page: Page = { iova, paddr, size: 4096n, perm, level: 1 };
    cases.push(...mapped(WHO, page, `guest ${writable ? 'RW' : 'R'}, host ${perm}, ${SECTION}`));
  });
  const write = { stage: 1 } as const;
  cases.push(
    fault(WHO, IOVA + 0x1008n, 'write', 'write-denied', `the guest leaf denies the write, ${SECTION}`, write),
    fault(WHO, IOVA + 0x2008n, 'write', 'write-denied', `the host leaf denies the write, ${SECTION}`, {
      stage: 2,
    }),
    fault(WHO, IOVA + 0x3008n, 'read', 'read-denied', `the host leaf denies the read, ${SECTION}`, {
      stage: 2,
    }),
  );
}

/** Leaves of unequal sizes in the two stages. */
function mixedSizes({ guest, host, cases }: Nested): void {
  const size = spanOf(2);
  const iova = 0x6000_0020_0000n;
  const between = 0x40_0000_0000n;
  guest.set(iova, 2, x86Leaf(between, 2));
  [0n, 0x3000n, size - 4096n].forEach((offset, index) => {
    const paddr = 0x5_5550_0000n - BigInt(index) * 0x7000n;
    host.set(between + offset, 1, v1Leaf(paddr));
    const page = { iova, paddr: paddr - offset, size, perm: 'RW', level: 2 } as const;
    cases.push(at(WHO, page, offset + 0xffcn, 'write', `a guest 2M leaf over host 4K leaves, ${SECTION}`));
    cases.push(at(WHO, page, offset, 'read', `a guest 2M leaf over host 4K leaves, ${SECTION}`));
  });
  const hole = `a hole of the host tables within a guest 2M leaf, ${SECTION}`;
  cases.push(...faults(WHO, iova + 0x1000n, 'not-present', hole, { stage: 2 }));
  const sized = 0x10000n;
  const real = 0x6_6660_0000n;
  for (let slot = 0n; slot < 16n; slot++) {
    host.set(0x41_0000_0000n + slot * 4096n, 1, v1SizedLeaf(real, sized));
  }
  host.set(0x42_0000_0000n, 3, v1Leaf(7n * spanOf(3)));
  const rows: readonly (readonly [bigint, bigint, string])[] = [
    [0x41_0000_7000n, real + 0x7000n, 'a host 64K page'],
    [0x42_3456_7000n, 7n * spanOf(3) + 0x3456_7000n, 'a host 1G page'],
  ];
  rows.forEach(([guestPage, paddr, name], index) => {
    const small = iova + spanOf(3) + BigInt(index) * 4096n;
    guest.set(small, 1, x86Leaf(guestPage, 1));
    const page = { iova: small, paddr, size: 4096n, perm: 'RW', level: 1 } as const;
    cases.push(...mapped(WHO, page, `a guest 4K leaf within ${name}, ${SECTION}`));
  });
}

/** Host faults while guest tables are read, guest faults, and host faults at the final address. */
function walkFaults({ guest, host, space, cases }: Nested, levels: 4 | 5): void {
  for (let level: number = levels - 1; level >= 1; level--) {
    const branch = BigInt(level) * 8n * spanOf(levels);
    const changes = [
      ['not-present', PRESENT, 'PR = 0'],
      ['read-denied', IR, 'IR = 0'],
    ] as const;
    changes.forEach(([code, cleared, what], index) => {
      const iova = branch + BigInt(index) * spanOf(levels) + 0x9000n;
      guest.set(iova, 1, x86Leaf(0x12_0000_0000n, 1));
      host.change(space.addressOf(guest.table(iova, level)), 1, (word) => word & ~cleared);
      const why = `${what} in the host leaf of the guest table of level ${level}, ${SECTION}`;
      cases.push(fault(WHO, iova, 'read', code, why, { stage: 2 }));
    });
    const absent = branch + 3n * spanOf(levels);
    guest.set(absent, level + 1, 0n);
    const why = `P = 0 in guest level ${level + 1}, ${SECTION}`;
    cases.push(...faults(WHO, absent, 'not-present', why, { level: level + 1, stage: 1 }));
  }
  guest.set(0x3000_0000_0000n, 1, x86Leaf(0x75_8000_0000n, 1));
  const unmapped = `the final address has no host mapping, ${SECTION}`;
  cases.push(...faults(WHO, 0x3000_0000_0008n, 'not-present', unmapped, { stage: 2 }));
  guest.set(0x3000_0000_1000n, 1, x86Leaf(spanOf(5), 1));
  const wide = `the final guest address has bits that host Mode 4 does not take, ${SECTION}`;
  cases.push(...faults(WHO, 0x3000_0000_1008n, 'address-width', wide, { stage: 2 }));
}
