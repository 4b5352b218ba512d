import assert from 'node:assert/strict';
import { compileFormat, type CompiledFormat } from '../../../../src/engine/formats/compile';
import { amdV1 } from '../../../../src/engine/formats/amdV1';
import { type PageTableFormat } from '../../../../src/engine/formats/pageTableFormat';
import { sv39 } from '../../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../../src/engine/formats/vtdSecondStage';
import { type CachedTranslation } from '../../../../src/engine/iommu/caches/translationCache';
import { type Writer } from '../../../../src/engine/ledger/accessObserver';
import { type FindingKind } from '../../../../src/engine/ledger/finding';
import { Ledger } from '../../../../src/engine/ledger/ledger';
import { PageBits } from '../../../../src/engine/ledger/pageBits';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { zeroExtended, type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { leafWords, tableWord } from '../../../../src/engine/pageTable/encode';
import { READ, READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { domainId, frameNumber } from '../../../../src/engine/values';

const DEVICE = { iommu: 'iommu0', requester: 0x10, pasid: null } as const;
const NIC: Writer = { kind: 'device', ...DEVICE };
const SHIFT = 0x100;
/** Guest pages 0 to 0x1000 lie in frames 0x100 to 0x1100. */
const guestMemory = [{ startPage: 0, endPage: 0x1000, startFrame: SHIFT }];
const range = (startPage: number, endPage = startPage + 1) => ({ startPage, endPage });

function machine(): Ledger {
  const ledger = new Ledger({ guestMemory });
  ledger.attached(DEVICE, { domain: 1, nested: false });
  ledger.mapped(1, range(0, 0x1000), SHIFT, READ_WRITE);
  return ledger;
}

const writes = (ledger: Ledger, page: number, cached?: CachedTranslation): void =>
  ledger.wrote(NIC, page, page + SHIFT, 0, 64, cached);

const kinds = (ledger: Ledger): FindingKind[] => ledger.findings.all().map(({ kind }) => kind);

const cachedLine = (page: number): CachedTranslation => ({
  tag: { vm: 1, space: -1 },
  global: false,
  page,
  shift: 12,
  outputPage: page + SHIFT,
  permission: READ_WRITE,
  accessedDone: true,
  dirtyDone: true,
  stage1Shift: 0,
  stage2Shift: 12,
  guestPage: page,
  stage1Leaf: -1,
  stage2Leaf: 0x5000_0028,
});

describe('The ledger: lost dirty bits', () => {
  it('names a page that was written after its last copy and reported by no harvest', () => {
    const ledger = machine();
    writes(ledger, 5);
    ledger.harvested([range(5)]);
    ledger.copied(range(5));
    ledger.hardwareStep({ kind: 'command', name: 'iotlb_inv', index: 0, done: true });
    writes(ledger, 5, cachedLine(5));
    ledger.finish();
    const [finding] = ledger.findings.of('lost-dirty');
    assert.ok(finding);
    assert.deepEqual([finding.startPage, finding.endPage, finding.of, finding.step], [5, 6, 'guest', 1]);
    assert.equal(finding.entry, 0x5000_0028);
    assert.equal(finding.cached?.dirtyDone, true);
    assert.equal(finding.command, 'iotlb_inv');
    assert.match(
      finding.why,
      /written by device 00:02\.0 behind iommu0, through a cached translation that says D is set/,
    );
  });

  it('finds nothing when the write is reported and copied', () => {
    const ledger = machine();
    writes(ledger, 5);
    ledger.copied(range(0, 0x1000));
    writes(ledger, 5);
    ledger.harvested([range(5)]);
    ledger.copied(range(5));
    ledger.finish();
    assert.deepEqual(kinds(ledger), []);
  });

  it('tells a page that was reported and copied too early from one that was never reported', () => {
    const early = machine();
    writes(early, 7);
    early.copied(range(7));
    writes(early, 7);
    early.harvested([range(7)]);
    early.finish();
    assert.match(early.findings.of('lost-dirty')[0]?.why ?? '', /reported, but not copied after that/);
    const never = machine();
    writes(never, 7);
    never.finish();
    assert.match(never.findings.of('lost-dirty')[0]?.why ?? '', /reported by no harvest, and not copied/);
  });

  it('tells neighbours that were lost alike as one range, and counts all pages', () => {
    const ledger = machine();
    for (let page = 8; page < 24; page++) writes(ledger, page);
    ledger.wrote({ kind: 'host', name: 'vhost' }, 24, 24 + SHIFT, 0, 1);
    ledger.finish();
    assert.deepEqual(
      ledger.findings.of('lost-dirty').map(({ startPage, endPage }) => [startPage, endPage]),
      [
        [8, 24],
        [24, 25],
      ],
    );
    assert.deepEqual(ledger.findings.count('lost-dirty'), { findings: 2, pages: 17 });
    assert.equal(ledger.findings.errors, 2);
  });

  it('takes no write to memory that is not the guest’s for one', () => {
    const ledger = new Ledger({ guestMemory });
    ledger.wrote({ kind: 'host', name: 'kernel' }, 0, SHIFT - 1, 0, 8);
    ledger.finish();
    assert.deepEqual(kinds(ledger), []);
  });

  it('counts a walker’s own A and D updates of tables in guest memory as writes', () => {
    const ledger = machine();
    ledger.wrote({ kind: 'walker', iommu: 'iommu0' }, 3, 3 + SHIFT, 8, 8);
    ledger.finish();
    assert.match(ledger.findings.of('lost-dirty')[0]?.why ?? '', /the walker of iommu0/);
  });

  it('reports by IOVA where that is not the guest’s address', () => {
    const ledger = new Ledger({ guestMemory });
    ledger.attached(DEVICE, { domain: 2, nested: false });
    ledger.mapped(2, range(0x8000, 0x8010), SHIFT + 0x20, READ_WRITE);
    ledger.wrote(NIC, 0x8003, SHIFT + 0x23, 0, 1);
    assert.deepEqual(ledger.guestRanges(2, range(0x8003)), [range(0x23)]);
    ledger.harvested([range(0x8003)], 2);
    assert.deepEqual(ledger.unaccounted(new PageBits()), []);
    ledger.copied(range(0x23));
    ledger.finish();
    assert.deepEqual(kinds(ledger), []);
  });
});

describe('The ledger: stale use', () => {
  it('names a write through a mapping whose invalidation is complete, and not one before', () => {
    const ledger = machine();
    ledger.unmapBegins(1, range(5));
    writes(ledger, 5);
    assert.deepEqual(kinds(ledger), []);
    ledger.softwareStep({ kind: 'submit', name: 'flush', command: 'iotlb_inv' });
    ledger.invalidationDone(1, range(0, 16), 'iotlb_inv');
    writes(ledger, 5, cachedLine(5));
    const [finding] = ledger.findings.of('stale-use');
    assert.equal(finding?.command, 'iotlb_inv');
    assert.equal(finding.cached?.page, 5);
    assert.match(finding.why, /took the mapping away at step 0, and iotlb_inv was complete at step 1/);
    writes(ledger, 6);
    assert.equal(ledger.findings.count('stale-use').findings, 1);
  });

  it('names a use after an operation that returned without any invalidation', () => {
    const ledger = machine();
    ledger.unmapBegins(1, range(5));
    ledger.invalidationDone(1, range(5));
    ledger.read(NIC, 5, 5 + SHIFT, 0, 4);
    assert.match(
      ledger.findings.of('stale-use')[0]?.why ?? '',
      /^A read .* returned without an invalidation/,
    );
  });

  it('keeps apart what an invalidation covered and what it did not', () => {
    const ledger = machine();
    ledger.unmapBegins(1, range(8, 16));
    ledger.invalidationDone(1, range(8, 12), 'iotlb_inv');
    writes(ledger, 13);
    assert.deepEqual(kinds(ledger), []);
    writes(ledger, 11);
    assert.deepEqual(kinds(ledger), ['stale-use']);
  });

  it('names a write after write permission was taken away, and allows reads', () => {
    const ledger = machine();
    ledger.mapped(1, range(5), 5 + SHIFT, READ);
    ledger.invalidationDone(1, range(5), 'iotlb_inv');
    ledger.read(NIC, 5, 5 + SHIFT, 0, 4);
    assert.deepEqual(kinds(ledger), []);
    writes(ledger, 5);
    assert.deepEqual(kinds(ledger), ['stale-use']);
  });

  it('allows the old and the new attachment while one replaces the other, then only the new one', () => {
    const ledger = machine();
    ledger.mapped(2, range(5), 0x200, READ_WRITE);
    ledger.attachBegins(DEVICE, { domain: 2, nested: false });
    writes(ledger, 5);
    ledger.wrote(NIC, 5, 0x200, 0, 1);
    assert.deepEqual(kinds(ledger), []);
    ledger.attachEnds(DEVICE);
    ledger.wrote(NIC, 5, 0x200, 0, 1);
    assert.deepEqual(kinds(ledger), []);
    writes(ledger, 5);
    assert.deepEqual(kinds(ledger), ['stale-use']);
    assert.match(ledger.findings.of('stale-use')[0]?.why ?? '', /no mapping that software made leads there/);
  });

  it('judges a nested device by guest physical pages', () => {
    const ledger = machine();
    ledger.attached(DEVICE, { domain: 1, nested: true });
    const line = { ...cachedLine(0x9000), guestPage: 5, outputPage: 5 + SHIFT };
    ledger.wrote(NIC, 0x9000, 5 + SHIFT, 0, 1, line);
    assert.deepEqual(kinds(ledger), []);
    ledger.unmapBegins(1, range(5));
    ledger.invalidationDone(1, range(5), 'iotlb_inv');
    ledger.wrote(NIC, 0x9000, 5 + SHIFT, 0, 1, line);
    assert.deepEqual(
      ledger.findings.of('stale-use').map(({ of, startPage }) => [of, startPage]),
      [['guest', 5]],
    );
  });
});

describe('The ledger: spurious faults', () => {
  it('names a fault on a page that is mapped, not on one that is not, nor for more than it allows', () => {
    const ledger = machine();
    ledger.faulted(DEVICE, 0x1000, true, 'not-present');
    ledger.mapped(1, range(6), 6 + SHIFT, READ);
    ledger.faulted(DEVICE, 6, true, 'write-denied');
    assert.deepEqual(kinds(ledger), []);
    ledger.faulted(DEVICE, 5, true, 'not-present');
    assert.deepEqual(kinds(ledger), ['spurious-fault']);
  });

  it('excuses what began before the mapping was done', () => {
    const ledger = machine();
    ledger.mapBegins(1, range(0x1000), 0x5000, READ_WRITE);
    ledger.softwareStep({ kind: 'software', name: 'leaf' });
    ledger.mapEnds(1, range(0x1000));
    ledger.faulted(DEVICE, 0x1000, false, 'not-present', 0);
    assert.deepEqual(kinds(ledger), []);
    ledger.faulted(DEVICE, 0x1000, false, 'not-present', 1);
    assert.deepEqual(kinds(ledger), ['spurious-fault']);
  });

  it('excuses faults within a declared window, and those of requests that began in it', () => {
    const ledger = machine();
    ledger.softwareStep({ kind: 'software', name: 'break' });
    ledger.faultWindow(1, range(0, 512));
    ledger.faulted(DEVICE, 5, true, 'not-present');
    ledger.softwareStep({ kind: 'software', name: 'make' });
    ledger.faultWindowEnds(1);
    ledger.softwareStep({ kind: 'software', name: 'later' });
    ledger.faulted(DEVICE, 5, true, 'not-present', 2);
    assert.deepEqual(kinds(ledger), []);
    ledger.faulted(DEVICE, 600, true, 'not-present', 2);
    ledger.faulted(DEVICE, 5, true, 'not-present', 3);
    assert.deepEqual(kinds(ledger), ['spurious-fault', 'spurious-fault']);
  });
});

/** A table of one leaf and one pointer, in an arena. */
function tables(format: PageTableFormat, compiled: CompiledFormat) {
  const arena = new Arena(2 ** 24);
  const frames = new RangeAllocator(arena, 0x10, 0x100);
  const [root, middle, leaf] = [frames.allocate(), frames.allocate(), frames.allocate()];
  assert.ok(root !== undefined && middle !== undefined && leaf !== undefined, format.title);
  const put = (frame: number, index: number, word: bigint) =>
    arena.writeEntry(frameNumber(frame), index, Number(word & 0xffffffffn), Number(word >> 32n));
  put(root, 0, tableWord(compiled, 3, middle));
  put(middle, 0, tableWord(compiled, 2, leaf));
  const [word = 0n] = leafWords(compiled, 1, {
    frame: SHIFT,
    pageShift: 12,
    permission: READ_WRITE,
    accessed: true,
    dirty: false,
  });
  put(leaf, 0, word);
  const space: AddressSpace = {
    stage: 2,
    domainId: domainId(1),
    root,
    rootEntry: 0,
    format: compiled,
    ...zeroExtended(compiled.addressBits),
    memory: arena,
    stage2: undefined,
  };
  return { arena, frames, root, middle, leaf, put, space, word };
}

describe('The ledger: use after free', () => {
  const compiled = compileFormat(vtdSecondStage, 3, {});
  const read = (frame: number) =>
    ({ kind: 'read', stage: 2, depth: 1, address: frame * 4096 + 8, lo: 0, hi: 0 }) as const;

  it('names a walk that reads or updates an entry of a freed table, not of one in use', () => {
    const { frames, leaf } = tables(vtdSecondStage, compiled);
    const ledger = new Ledger({ frames });
    ledger.hardwareStep(read(leaf));
    assert.deepEqual(kinds(ledger), []);
    frames.free(leaf);
    ledger.hardwareStep(read(leaf));
    const update = {
      ...read(leaf),
      kind: 'update',
      beforeLo: 0,
      beforeHi: 0,
      afterLo: 0x200,
      afterHi: 0,
    } as const;
    ledger.hardwareStep({ ...update, changed: false });
    assert.deepEqual(
      ledger.findings.of('use-after-free').map(({ startPage, entry, step }) => [startPage, entry, step]),
      [
        [leaf, leaf * 4096 + 8, 2],
        [leaf, leaf * 4096 + 8, 3],
      ],
    );
  });
});

describe('The ledger: corrupt slots', () => {
  it('names a RISC-V table pointer with D, and the step that set it', () => {
    const compiled = compileFormat(sv39, 3, {});
    const { arena, middle, put, space, leaf } = tables(sv39, compiled);
    const ledger = new Ledger();
    ledger.checkSlots(space);
    assert.deepEqual(kinds(ledger), []);
    const pointer = tableWord(compiled, 2, leaf);
    put(middle, 0, pointer | 0x80n);
    const halves = { lo: 0, hi: 0 };
    assert.ok(arena.readEntry(frameNumber(middle), 0, halves));
    ledger.hardwareStep(
      {
        kind: 'update',
        stage: 1,
        depth: 2,
        address: middle * 4096,
        beforeLo: Number(pointer & 0xffffffffn),
        beforeHi: 0,
        afterLo: halves.lo,
        afterHi: halves.hi,
        changed: false,
      },
      () => compiled,
    );
    ledger.softwareStep({ kind: 'software', name: 'later' });
    ledger.checkSlots(space);
    const [finding] = ledger.findings.of('corrupt-slot');
    assert.deepEqual([finding?.entry, finding?.step], [middle * 4096, 1]);
  });

  it('looks at suspects only, once, and forgives what an operation mended', () => {
    const compiled = compileFormat(vtdSecondStage, 3, {});
    const { arena, leaf, put } = tables(vtdSecondStage, compiled);
    for (const mends of [false, true]) {
      const ledger = new Ledger();
      put(leaf, 3, 1n << 9n);
      const words = { beforeLo: 0, beforeHi: 0, afterLo: 1 << 9, afterHi: 0 };
      const step = {
        kind: 'update',
        stage: 2,
        depth: 1,
        address: leaf * 4096 + 24,
        ...words,
        changed: false,
      } as const;
      ledger.hardwareStep(step, () => compiled);
      if (mends) put(leaf, 3, 0n);
      ledger.checkSuspects(arena);
      ledger.checkSuspects(arena);
      assert.deepEqual(kinds(ledger), mends ? [] : ['corrupt-slot']);
    }
  });

  it('names a VT-d second-stage slot that is empty but for D, not one that is empty', () => {
    const compiled = compileFormat(vtdSecondStage, 3, {});
    const { leaf, put, space } = tables(vtdSecondStage, compiled);
    const ledger = new Ledger();
    put(leaf, 1, 0n);
    ledger.checkSlots(space);
    assert.deepEqual(kinds(ledger), []);
    put(leaf, 1, 1n << 9n);
    ledger.checkSlots(space);
    assert.equal(ledger.findings.of('corrupt-slot')[0]?.entry, leaf * 4096 + 8);
  });

  it('takes a stray D in a table pointer of VT-d and AMD for an oddity', () => {
    for (const [format, dirty] of [
      [vtdSecondStage, 1n << 9n],
      [amdV1, 1n << 6n],
    ] as const) {
      const compiled = compileFormat(format, 3, {});
      const { middle, leaf, put, space } = tables(format, compiled);
      put(middle, 0, tableWord(compiled, 2, leaf) | dirty);
      const ledger = new Ledger();
      ledger.checkSlots(space);
      assert.deepEqual(kinds(ledger), [], format.title);
    }
  });
});

describe('The ledger: over-reports', () => {
  it('counts pages that were reported and not written, and whole leaves without a write apart', () => {
    const ledger = machine();
    writes(ledger, 3);
    const tally = ledger.harvested([range(0, 1024)], 1, 21);
    assert.deepEqual(tally, { reported: 1024, overReported: 1023, stray: 512 });
    assert.equal(ledger.findings.count('over-report').pages, 1023);
    assert.equal(ledger.findings.errors, 0);
  });

  it('counts a page again when it is reported twice after one write', () => {
    const ledger = machine();
    writes(ledger, 3);
    assert.equal(ledger.harvested([range(3)]).overReported, 0);
    assert.equal(ledger.harvested([range(3)]).overReported, 1);
  });
});

describe('The ledger: written is within reported or pending', () => {
  it('reads what is pending from the tables, and names what is in neither', () => {
    const compiled = compileFormat(vtdSecondStage, 3, {});
    const { leaf, put, space, word } = tables(vtdSecondStage, compiled);
    const ledger = machine();
    writes(ledger, 0);
    assert.deepEqual(ledger.unaccounted(ledger.pendingIn(space)), [range(0)]);
    put(leaf, 0, word | (1n << 9n));
    assert.deepEqual(ledger.unaccounted(ledger.pendingIn(space)), []);
    assert.deepEqual(ledger.unaccounted(ledger.pendingIn(space, 1)), []);
    put(leaf, 0, word);
    ledger.harvested([range(0)]);
    assert.deepEqual(ledger.unaccounted(ledger.pendingIn(space)), []);
  });

  it('asks for no report of what was written before tracking, only for a copy', () => {
    const ledger = machine();
    writes(ledger, 0);
    ledger.trackingStarted();
    assert.deepEqual(ledger.unaccounted(new PageBits()), []);
    assert.deepEqual(ledger.behind, [range(0)]);
  });
});

describe('The ledger: pages that the guest gave back', () => {
  const host: Writer = { kind: 'host', name: 'balloon' };

  it('are behind when they read as zeros and the destination has what they held', () => {
    const ledger = machine();
    writes(ledger, 5);
    ledger.copied(range(5));
    ledger.discarded(range(4, 6), 'zeros', host);
    assert.deepEqual(ledger.behind, [range(5)]);
  });

  it('are not when nobody minds what they hold', () => {
    const ledger = machine();
    writes(ledger, 5);
    ledger.discarded(range(5), 'anything', host);
    assert.deepEqual(ledger.behind, []);
  });
});
