/** A guest of 2 TB, mapped by the smallest pages, under a device that writes all over it. */
import assert from 'node:assert/strict';
import { registersOf } from '../../../../src/engine/driver/capabilities';
import { VTD_DEFAULTS } from '../../../../src/engine/driver/capabilities/vtd';
import { type KernelDomain } from '../../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../../src/engine/driver/pageTable/domainTables';
import { vtdDriver } from '../../../../src/engine/driver/vendors/vtd';
import { vtdSecondStage } from '../../../../src/engine/formats/vtdSecondStage';
import { Iommu } from '../../../../src/engine/iommu/iommu';
import { DEFAULT_RULES } from '../../../../src/engine/iommu/rules';
import { runDriver } from '../../../../src/engine/machine/runDriver';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { SeededRandom } from '../../../../src/engine/random';
import { frameHalves, requesterId } from '../../../../src/engine/values';

const TB = 2 ** 40;
const PAGES = (2 * TB) / 4096;
/** Where the guest's memory is: its page 0. */
const FIRST_FRAME = 2 ** 30;
const DEVICE = requesterId(0x10);
const WRITES = 1_000_000;
/** Pages of which the first are looked at more than once. */
const PART = PAGES / 64;

/** An IOMMU whose one device has all of the guest's memory, by pages of 4K, and is tracked. */
function largeMachine() {
  const arena = new Arena();
  const frames = new RangeAllocator(arena, 2 ** 20, 2 ** 22);
  const iommu = new Iommu({
    name: 'iommu0',
    kind: 'vt-d',
    memory: arena,
    registers: registersOf(VTD_DEFAULTS),
    rules: DEFAULT_RULES,
    random: new SeededRandom(1),
    observer: { wrote: () => undefined, read: () => undefined },
  });
  const driver = vtdDriver({ port: iommu, memory: arena, frames, capabilities: VTD_DEFAULTS });
  const run = <R>(steps: Parameters<typeof runDriver<R>>[0]): R => runDriver(steps, [iommu]);
  const made = DomainTables.create({
    memory: arena,
    frames,
    format: vtdSecondStage,
    hardware: { setsAccessed: true, setsDirty: true },
    rootDepth: 4,
    pageShifts: [12],
    granularity: 'table',
  });
  assert.ok(made.ok);
  const tables = made.value;
  const domain: KernelDomain = { tables, id: 7, stage: 2, dirtyTracking: true };
  assert.ok(run(driver.initialise()).ok);
  assert.ok(run(driver.attach(DEVICE, null, { kind: 'paging', domain })).ok);
  tables.flusher = driver.flusherOf(domain);
  assert.ok(run(tables.map(0, FIRST_FRAME, PAGES, READ_WRITE)).ok);
  return { arena, frames, iommu, tables, run };
}

type LargeMachine = ReturnType<typeof largeMachine>;

/** One write of a device to a page; it must land where the page is mapped. */
function write({ iommu }: LargeMachine, page: number, offset: number): void {
  const { lo, hi } = frameHalves(page);
  const outcome = iommu.run({
    requester: DEVICE,
    pasid: null,
    addressLo: lo + offset,
    addressHi: hi,
    length: 1,
    access: 'write',
    kind: 'untranslated',
  });
  const output = frameHalves(FIRST_FRAME + page);
  if (!outcome.ok || outcome.outputLo >>> 0 !== output.lo + offset || outcome.outputHi >>> 0 !== output.hi)
    assert.fail(`page ${page}: ${JSON.stringify(outcome)}`);
}

/** A bit a page. */
const bitmap = (): Uint32Array => new Uint32Array(PAGES / 32);

function setBits(bits: Uint32Array, start: number, count: number): void {
  for (let page = start; page < start + count; page++)
    bits[page >>> 5] = (bits[page >>> 5] ?? 0) | (1 << (page & 31));
}

/** Reads and clears the dirty marks of the guest's first pages: they are those of the model. */
function expectHarvest({ tables, run }: LargeMachine, end: number, model: Uint32Array): void {
  const bits = bitmap();
  const sink = (start: number, count: number): void => {
    setBits(bits, start, count);
  };
  const outcome = run(tables.readAndClearDirty({ startPage: 0, pages: end, clear: true, sink }));
  assert.ok(outcome.ok);
  assert.ok(Buffer.from(bits.buffer).equals(Buffer.from(model.buffer)), 'the pages that were written');
  assert.equal(outcome.value, countOf(model), 'each once');
}

function countOf(bits: Uint32Array): number {
  let count = 0;
  for (const word of bits) for (let left = word; left !== 0; left &= left - 1) count++;
  return count;
}

describe('large domains', () => {
  it('a 2 TB domain by 4K pages takes at most 600 MB', function () {
    this.timeout(240_000);
    const machine = largeMachine();
    const { arena, frames } = machine;
    const tableFrames = PAGES / 512;
    assert.equal(arena.counts.uniform >= tableFrames, true);
    assert.ok(frames.allocated > tableFrames + tableFrames / 512);

    const random = new SeededRandom(2022);
    const written = bitmap();
    const last: number[] = [];
    for (let count = 0; count < WRITES; count++) {
      // The last ones, which the IOTLB still holds, lie in a part that is read again below.
      const isLast = count >= WRITES - 1000;
      const page = random.below(isLast ? PART : PAGES);
      write(machine, page, random.below(4096));
      setBits(written, page, 1);
      if (isLast) last.push(page);
    }
    expectHarvest(machine, PAGES, written);
    // What was read, cleared and flushed is marked again by the next write, and only that.
    expectHarvest(machine, PART, bitmap());
    const again = bitmap();
    for (const page of last) {
      write(machine, page, 0);
      setBits(again, page, 1);
    }
    expectHarvest(machine, PART, again);

    assert.equal(arena.counts.uniform >= tableFrames, true, 'no mark takes a table out of its pattern');
    assert.equal(arena.refusedWrites, 0);
    assert.ok(arena.bytes <= 600e6, `${arena.bytes} bytes`);
  });
});
