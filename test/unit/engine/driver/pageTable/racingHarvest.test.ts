/** Harvesting and unmapping while a device writes: which orders lose a page, and that the default ones do not. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Outcome } from '../../../../../src/engine/driver/errno';
import { type HarvestProtocol } from '../../../../../src/engine/driver/pageTable/protocols/harvest';
import { type UnmapProtocol } from '../../../../../src/engine/driver/pageTable/protocols/unmapReporting';
import { READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../../src/engine/steps';
import { KINDS, makeTables, valueOf, type DomainKind } from './domains';
import { CLEAN } from './leaves';
import { RacingHardware } from './racingHardware';

/** AMD v1, whose pages of 2M and 512K keep operations short. */
const AMD = ((): DomainKind => {
  const [kind] = KINDS;
  assert.ok(kind);
  return kind;
})();
const LARGE = 21;
const SMALL = 19;
const PAGES = 2 ** (LARGE - 12);

/** What hardware does, in which quarter of the page, and how many steps of software go before. */
const moves = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('write', 'begin', 'finish', 'prefetch', 'evict'),
    fc.integer({ min: 0, max: 3 }),
  ),
  { maxLength: 16 },
);
interface Course {
  readonly update: 'compare' | 'blind';
  readonly dirty: boolean;
  readonly moves: readonly (readonly [number, 'write' | 'begin' | 'finish' | 'prefetch' | 'evict', number])[];
}
const coursesOf = (update: 'compare' | 'blind') =>
  fc.record({ update: fc.constant(update), dirty: fc.boolean(), moves });

/** Pages whose last write is later than their last copy. */
class Behind extends Set<number> {
  copied(startPage: number, pages: number): void {
    for (const page of this) if (page >= startPage && page < startPage + pages) this.delete(page);
  }
}

/** A domain of one large leaf, the operation on it, and after a harvest a last one with the device quiet: the pages that are lost. */
function lostBy({ update, dirty, moves: all }: Course, protocol: HarvestProtocol | UnmapProtocol): number {
  const behind = new Behind();
  const hardware = new RacingHardware(update, behind);
  const { flusher } = hardware;
  const { tables, frames } = makeTables(AMD, { marks: CLEAN, flusher, pageShifts: [SMALL, LARGE], bbml: 2 });
  hardware.watch(tables, frames);
  valueOf(runSteps(tables.map(PAGES, 0, PAGES, READ_WRITE)));
  if (dirty) hardware.write(PAGES + 1);
  const copy = behind.copied.bind(behind);
  const whole = { startPage: PAGES, pages: PAGES, copy };
  const isUnmap = (id: string): id is UnmapProtocol => id.startsWith('unmap.');
  const part = protocol === 'harvest.sub-range' ? PAGES / 2 : PAGES;
  const operation = isUnmap(protocol)
    ? tables.unmapReporting({ ...whole, sink: () => undefined }, protocol)
    : tables.harvest({ ...whole, pages: part, splitShift: SMALL }, protocol);
  let outcome: Outcome<unknown> | undefined;
  const advance = (): boolean => {
    const step = operation.next();
    if (step.done === true) outcome ??= step.value;
    return step.done !== true;
  };
  for (const [pace, action, quarter] of all) {
    for (let step = 0; step < pace; step++) advance();
    const page = PAGES + (quarter * PAGES) / 4;
    if (action === 'finish' || action === 'evict') hardware[action]();
    else hardware[action](page);
  }
  hardware.finish();
  while (advance());
  assert.ok(outcome?.ok);
  hardware.finish();
  if (!isUnmap(protocol)) valueOf(runSteps(tables.harvest(whole)));
  return behind.size;
}

describe('Harvesting and unmapping under DMA', () => {
  for (const update of ['compare', 'blind'] as const) {
    it(`harvest.clear-flush-copy and harvest.plain-clear lose nothing: ${update}`, () => {
      fc.assert(
        fc.property(coursesOf(update), (course) => {
          assert.equal(lostBy(course, 'harvest.clear-flush-copy'), 0);
          assert.equal(lostBy(course, 'harvest.plain-clear'), 0);
        }),
        { numRuns: 60 },
      );
    });
  }

  it('harvest.split-concurrent, harvest.full-flush-split and unmap.xchg-report lose nothing where marks compare', () => {
    fc.assert(
      fc.property(coursesOf('compare'), (course) => {
        assert.equal(lostBy(course, 'harvest.split-concurrent'), 0);
        assert.equal(lostBy(course, 'harvest.full-flush-split'), 0);
        assert.equal(lostBy(course, 'unmap.xchg-report'), 0);
      }),
      { numRuns: 40 },
    );
  });

  for (const [protocol, update] of [
    ['harvest.flush-clear-copy', 'compare'],
    ['harvest.clear-copy-flush', 'compare'],
    ['harvest.sub-range', 'compare'],
    ['unmap.read-store', 'compare'],
    ['unmap.xchg-report', 'blind'],
  ] as const) {
    it(`${protocol} loses a page in some order of events: ${update}`, () => {
      const all = fc.sample(coursesOf(update), { numRuns: 400, seed: 9 });
      assert.ok(all.some((course) => lostBy(course, protocol) > 0));
    });
  }
});
