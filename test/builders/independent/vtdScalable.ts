/** VT-d scalable mode above the page tables: VT-d 4.1 §3.4.3, §9.2, §9.4-§9.6, faults §7.1.3. */
import { type BuiltImage, type Expectation } from '../built';
import { type Asker, asker, fault, faults, mapped, passed } from './cases';
import { addressOf, bit, Frames } from './frames';
import { bits } from './reservedBits';
import { Tree } from './tree';
import { PasidTables, pasidEntry, PGTT, ScalableRoot, scalableContext } from './vtdDirectory';
import { AW, ECAP_SCALABLE, registers, ssEntries, ssLeaf, TTM } from './vtdEntries';
import { x86Entries, x86Leaf } from './x86Entries';

const IOVA = 0x12_3456_7000n;
const TARGET = 0x9_8765_4000n;

/** A directory with one first-stage and one second-stage table that both map one page. */
class Bench {
  readonly frames = new Frames();
  readonly roots = new ScalableRoot(this.frames);
  readonly cases: Expectation[] = [];
  private readonly first = new Tree(this.frames, 4, x86Entries.pointer);
  private readonly second = new Tree(this.frames, 4, ssEntries.pointer);

  constructor() {
    this.first.set(IOVA, 1, x86Leaf(TARGET, 1));
    this.second.set(IOVA, 1, ssLeaf(TARGET + 0x1000n, 1));
  }

  firstOnly(domain = 7): bigint[] {
    return pasidEntry({ pgtt: PGTT.first, domain, first: addressOf(this.first.root) });
  }

  secondOnly(domain = 9): bigint[] {
    return pasidEntry({ pgtt: PGTT.second, domain, second: addressOf(this.second.root), aw: AW[48] });
  }

  /** The page as the first-stage table maps it. */
  seesFirst(who: Asker, why: string): void {
    this.cases.push(...mapped(who, { iova: IOVA, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 }, why));
  }

  seesSecond(who: Asker, why: string): void {
    const page = { iova: IOVA, paddr: TARGET + 0x1000n, size: 4096n, perm: 'RW', level: 1 } as const;
    this.cases.push(...mapped(who, page, why));
  }

  faults(who: Asker, code: string, why: string): void {
    this.cases.push(...faults(who, IOVA, code, why));
  }

  image(name: string, options: { ttm?: number; enabled?: boolean } = {}): BuiltImage {
    const { ttm = TTM.scalable, enabled = true } = options;
    return {
      name,
      kind: 'vt-d',
      registers: registers({ root: this.roots.root, ttm, enabled, ecap: ECAP_SCALABLE }),
      frames: this.frames.map,
      expectations: this.cases,
    };
  }
}

/** Halves of root entries, RID_PASID, PASIDs at the edges of directories, and what is absent. */
export function scalableDirectory(): BuiltImage {
  const bench = new Bench();
  const { frames, roots } = bench;
  const small = new PasidTables(frames, 0);
  small.set(0, bench.firstOnly());
  small.set(63, bench.secondOnly());
  small.set(64, bench.firstOnly(12));
  small.set(8191, bench.secondOnly(13));
  small.set(65, pasidEntry({ pgtt: PGTT.pass, domain: 3, aw: AW[57] }));
  const large = new PasidTables(frames, 7);
  large.set(0x1234, bench.secondOnly());
  large.set(0xfffff, bench.firstOnly());

  for (const requester of [0x0000, 0x007f, 0x0080, 0x00ff, 0x3a08, 0x3afa, 0xffff]) {
    roots.set(requester, scalableContext(small));
    const half = (requester & 0xff) < 128 ? 'lower' : 'upper';
    bench.seesFirst(asker(requester), `${half} half of the root entry, RID_PASID 0, §9.2 §9.4`);
  }
  const low = 0x3a08;
  bench.seesSecond(asker(low, 63), 'last entry of the first PASID table, §9.6');
  bench.seesFirst(asker(low, 64), 'first entry of the second PASID table, §9.5');
  bench.seesSecond(asker(low, 8191), 'last PASID that 128 directory entries hold (PDTS 0), §9.4');
  bench.faults(asker(low, 8192), 'pasid-out-of-range', 'PASID beyond 2^(PDTS + 13), §9.4');
  bench.faults(asker(low, 0xfffff), 'pasid-out-of-range', 'PASID beyond 2^(PDTS + 13), §9.4');
  bench.faults(asker(low, 1), 'process-entry-not-present', 'P = 0 in the PASID-table entry, §9.6');
  bench.faults(asker(low, 0x200), 'process-entry-not-present', 'P = 0 in the directory entry, §9.5');
  for (const access of ['read', 'write'] as const) {
    bench.cases.push(passed(asker(low, 65), IOVA, access, 'PGTT 100b passes through, §9.6'));
  }

  roots.set(0x4101, scalableContext(large, { ridPasid: 0x1234 }));
  bench.seesSecond(asker(0x4101), 'RID_PASID is the PASID of requests without one, §9.4');
  bench.seesFirst(asker(0x4101, 0xfffff), 'a directory of 32 frames (PDTS 7), §9.4');
  bench.faults(asker(0x4101, 0), 'process-entry-not-present', 'PASID 0 is not RID_PASID here, §9.4');
  roots.set(0x4102, scalableContext(small, { ridPasid: 63, pasids: false }));
  bench.seesSecond(asker(0x4102), 'PASIDE = 0 leaves requests without PASID alone, §9.4');
  bench.faults(asker(0x4102, 64), 'pasid-not-supported', 'request with PASID while PASIDE = 0, §9.4');
  roots.set(0x4103, scalableContext(small, { ridPasid: 8192 }));
  bench.faults(asker(0x4103), 'context-entry-invalid', 'RID_PASID beyond the directory, SCT.4.2 of §7.1.3');

  bench.faults(asker(0x4104), 'context-entry-not-present', 'P = 0 in the context entry, §9.4');
  bench.faults(asker(0x4184), 'root-entry-not-present', 'UP = 0: the upper half has no table, §9.2');
  bench.faults(asker(0x5000), 'root-entry-not-present', 'LP = 0: the lower half has no table, §9.2');
  roots.set(0x5180, scalableContext(small));
  bench.faults(asker(0x5100), 'root-entry-not-present', 'LP = 0 while UP = 1, §9.2');
  bench.seesFirst(asker(0x5180), 'UP = 1 while LP = 0, §9.2');

  const rootSlot = roots.rootSlot(0x6000);
  frames.set(rootSlot.frame, rootSlot.index, addressOf(frames.absent()) | bit(0));
  bench.faults(asker(0x6000), 'context-entry-unreadable', 'the context table is not in memory');
  const lost = new PasidTables(frames, 0);
  roots.set(0x6101, scalableContext(lost));
  frames.set(lost.root, 0, addressOf(frames.absent()) | bit(0));
  bench.faults(asker(0x6101), 'process-entry-unreadable', 'the PASID table is not in memory');
  roots.set(0x6102, [addressOf(frames.absent()) | bit(3) | bit(0), 0n, 0n, 0n]);
  bench.faults(asker(0x6102), 'process-entry-unreadable', 'the PASID directory is not in memory');
  small.set(66, pasidEntry({ pgtt: PGTT.first, domain: 3, first: addressOf(frames.absent()) }));
  bench.faults(asker(low, 66), 'table-unreadable', 'the first-stage root is not in memory');
  small.set(67, pasidEntry({ pgtt: PGTT.second, domain: 3, second: addressOf(frames.absent()), aw: AW[48] }));
  bench.faults(asker(low, 67), 'table-unreadable', 'the second-stage root is not in memory');
  return bench.image('vt-d scalable: directory');
}

/** Each reserved bit of root, context and PASID entries alone, and field values without meaning. */
export function scalableReserved(): BuiltImage {
  const bench = new Bench();
  const { frames, roots } = bench;
  const tables = new PasidTables(frames, 0);
  tables.set(0, bench.firstOnly());
  roots.set(0x0000, scalableContext(tables));
  roots.set(0x0080, scalableContext(tables));
  for (const flip of bits(1, 11)) {
    for (const half of [0x00, 0x80]) {
      const requester = (flip << 8) | half;
      const good = roots.rootSlot(half);
      const bad = roots.rootSlot(requester);
      frames.set(bad.frame, bad.index, frames.get(good.frame, good.index) ^ bit(flip));
      bench.faults(
        asker(requester),
        'root-entry-reserved',
        `bit ${flip} of half 0x${half.toString(16)}, §9.2`,
      );
    }
  }
  bench.seesFirst(asker(0x0000), 'the same lower half without a flipped bit, §9.2');
  bench.seesFirst(asker(0x0080), 'the same upper half without a flipped bit, §9.2');
  contextBits(bench, tables);
  pasidBits(bench, tables);
  return bench.image('vt-d scalable: reserved bits');
}

function contextBits(bench: Bench, tables: PasidTables): void {
  const reserved: readonly (readonly [number, readonly number[]])[] = [
    [0, [7, 8]],
    [1, bits(21, 63)],
    [2, bits(0, 63)],
    [3, bits(0, 63)],
  ];
  let requester = 0x2000;
  for (const [word, flips] of reserved) {
    for (const flip of flips) {
      const words = scalableContext(tables);
      words[word] = (words[word] ?? 0n) ^ bit(flip);
      bench.roots.set(requester, words);
      const why = `bit ${64 * word + flip} of the scalable context entry, §9.4`;
      bench.faults(asker(requester), 'context-entry-reserved', why);
      requester++;
    }
  }
}

function pasidBits(bench: Bench, tables: PasidTables): void {
  const { frames } = bench;
  for (const flip of bits(2, 11)) {
    const pasid = 0x1000 + 64 * flip;
    tables.set(pasid, bench.firstOnly());
    const { frame, index } = tables.directorySlot(pasid);
    frames.set(frame, index, frames.get(frame, index) ^ bit(flip));
    bench.faults(asker(0, pasid), 'process-entry-reserved', `bit ${flip} of the PASID directory entry, §9.5`);
  }
  const reserved: readonly (readonly [number, readonly number[]])[] = [
    [0, [10, 11]],
    [1, bits(16, 22)],
    [2, bits(8, 11)],
    ...[3, 4, 5, 6, 7].map((word) => [word, bits(0, 63)] as const),
  ];
  let pasid = 0x400;
  for (const [word, flips] of reserved) {
    for (const flip of flips) {
      const words = bench.firstOnly();
      words[word] = (words[word] ?? 0n) ^ bit(flip);
      tables.set(pasid, words);
      const why = `bit ${64 * word + flip} of the PASID-table entry, §9.6`;
      bench.cases.push(fault(asker(0, pasid), IOVA, 'read', 'process-entry-reserved', why));
      pasid++;
    }
  }
  for (const pgtt of [0, 5, 6, 7]) {
    tables.set(pasid, pasidEntry({ pgtt, domain: 1, aw: AW[48] }));
    bench.faults(asker(0, pasid++), 'process-entry-invalid', `PGTT ${pgtt} is reserved, §9.6`);
  }
  for (const aw of [0, 4, 5, 6, 7]) {
    const words = bench.secondOnly();
    words[0] = ((words[0] ?? 0n) & ~(7n << 2n)) | (BigInt(aw) << 2n);
    tables.set(pasid, words);
    bench.faults(asker(0, pasid++), 'process-entry-invalid', `AW ${aw} names no width that SAGAW has, §9.6`);
  }
  for (const fspm of [2, 3]) {
    const words = bench.firstOnly();
    words[2] = (words[2] ?? 0n) | (BigInt(fspm) << 2n);
    tables.set(pasid, words);
    bench.faults(asker(0, pasid++), 'process-entry-invalid', `FSPM ${fspm} is reserved, §9.6`);
  }
}

/** Translation off, and the abort mode. */
export function scalableGlobal(): BuiltImage[] {
  const off = new Bench();
  for (const access of ['read', 'write'] as const) {
    off.cases.push(passed(asker(0x0008), IOVA, access, 'GSTS.TES = 0: nothing is translated, §11.4.5'));
  }
  const abort = new Bench();
  abort.roots.set(0x0008, scalableContext(new PasidTables(abort.frames, 0)));
  abort.faults(asker(0x0008), 'translation-blocked', 'RTADDR.TTM = 11b aborts every request, §11.4.6');
  abort.faults(asker(0x7fff, 5), 'translation-blocked', 'RTADDR.TTM = 11b aborts every request, §11.4.6');
  const lost = new Bench();
  lost.frames.map.delete(lost.roots.root);
  lost.faults(asker(0x0008), 'root-entry-unreadable', 'the root table is not in memory');
  return [
    off.image('vt-d scalable: translation off', { enabled: false }),
    abort.image('vt-d scalable: abort mode', { ttm: TTM.abort }),
    lost.image('vt-d scalable: root table lost'),
  ];
}
