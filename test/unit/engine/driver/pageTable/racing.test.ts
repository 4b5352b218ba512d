/** Split and collapse while a device writes: which protocols lose a dirty mark, and that the default ones do not. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  safeCollapse,
  type CollapseProtocol,
} from '../../../../../src/engine/driver/pageTable/protocols/collapse';
import { safeSplit, type SplitProtocol } from '../../../../../src/engine/driver/pageTable/protocols/split';
import { READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../../src/engine/steps';
import { KINDS, makeTables, valueOf, type DomainKind } from './domains';
import { CLEAN, makeDirty, reported } from './leaves';
import { RacingHardware } from './racingHardware';

/** What hardware does between two steps of software, and how far software goes before: to a step of another name, or one. */
const ACTIONS = ['write', 'begin', 'finish', 'prefetch', 'evict'] as const;
const PACES = ['stay', 'step', 'phase', 'phase'] as const;
const moves = fc.array(
  fc.tuple(fc.constantFrom(...PACES), fc.constantFrom(...ACTIONS), fc.integer({ min: 0, max: 3 })),
  { maxLength: 20 },
);

interface Race {
  readonly lost: number;
  readonly faulted: number;
  readonly usedFreed: boolean;
}

interface Course {
  readonly kind: DomainKind;
  readonly update: 'compare' | 'blind';
  /** log2 bytes: of the page, and of its parts. */
  readonly large: number;
  readonly small: number;
  readonly dirty: boolean;
  readonly moves: readonly (readonly [(typeof PACES)[number], (typeof ACTIONS)[number], number])[];
}

/** Runs an operation with hardware's moves between its steps, then one last harvest with the device quiet. */
function race(
  course: Course,
  split: SplitProtocol | null,
  collapse: CollapseProtocol | null,
  bbml: 0 | 1 | 2 = 2,
): Race {
  const hardware = new RacingHardware(course.update);
  const pages = 2 ** (course.large - 12);
  const shift = collapse === null ? course.large : course.small;
  const { tables, frames } = makeTables(course.kind, {
    marks: CLEAN,
    flusher: hardware.flusher,
    pageShifts: [shift],
    bbml,
  });
  hardware.watch(tables, frames);
  valueOf(runSteps(tables.map(pages, 0, pages, READ_WRITE)));
  if (course.dirty) makeDirty(tables, pages + 1);
  const operation =
    collapse === null
      ? tables.split(pages, course.small, split ?? undefined)
      : tables.collapse(pages, course.large, collapse);
  let last: string | undefined;
  for (const [pace, action, place] of course.moves) {
    for (const before = last; pace !== 'stay';) {
      const step = operation.next();
      last = step.done === true ? undefined : step.value.name;
      if (step.done === true || pace === 'step' || last !== before) break;
    }
    const page = pages + Math.floor((place * pages) / 4);
    if (action === 'finish' || action === 'evict') hardware[action]();
    else hardware[action](page);
  }
  hardware.finish();
  for (;;) if (operation.next().done === true) break;
  hardware.finish();
  const seen = reported(tables, pages, pages);
  const isReported = (page: number): boolean =>
    seen.some(([start, count]) => page >= start && page < start + count);
  return {
    lost: [...hardware.written].filter((page) => !isReported(page)).length,
    faulted: hardware.faulted.size,
    usedFreed: hardware.usedFreed,
  };
}

/** Few steps, so that hardware's moves fall between all of them. */
const AMD = KINDS[0];
const ARM = KINDS.find(({ title }) => title === 'Arm stage 1 4K, 48 bits');
assert.ok(AMD && ARM);
const SIZES: readonly (readonly [string, DomainKind, number, number])[] = [
  ['AMD v1, a run of 8', AMD, 15, 12],
  ['AMD v1, 2 M to 512 K', AMD, 21, 19],
  ['Arm stage 1, a run of 16', ARM, 16, 12],
  ['Arm stage 1, 2 M to 64 K', ARM, 21, 16],
];

const courses = (kind: DomainKind, large: number, small: number, updates: readonly ('compare' | 'blind')[]) =>
  fc.record({
    kind: fc.constant(kind),
    update: fc.constantFrom(...updates),
    large: fc.constant(large),
    small: fc.constant(small),
    dirty: fc.boolean(),
    moves,
  });

describe('Split and collapse under DMA', () => {
  for (const [title, kind, large, small] of SIZES) {
    it(`the default split loses nothing and faults nothing: ${title}`, () => {
      // Hardware that marks without looking cannot be told from hardware that did not mark where a mark clears a bit.
      const updates = kind === ARM ? (['compare'] as const) : (['compare', 'blind'] as const);
      fc.assert(
        fc.property(courses(kind, large, small, updates), (course) => {
          assert.deepEqual(race(course, safeSplit(2, false), null), {
            lost: 0,
            faulted: 0,
            usedFreed: false,
          });
        }),
        { numRuns: 40 },
      );
    });

    it(`the default collapse loses nothing and faults nothing: ${title}`, () => {
      fc.assert(
        fc.property(courses(kind, large, small, ['compare']), (course) => {
          assert.deepEqual(race(course, null, safeCollapse(2)), { lost: 0, faulted: 0, usedFreed: false });
        }),
        { numRuns: 40 },
      );
    });
  }

  it('with BBML 0 and 1 pages may fault while they are away, and nothing is lost', () => {
    for (const bbml of [0, 1] as const) {
      for (const isRun of [false, true]) {
        const [large, small] = isRun ? [16, 12] : [21, 16];
        fc.assert(
          fc.property(courses(ARM, large, small, ['compare']), (course) => {
            const split = race(course, safeSplit(bbml, isRun), null, bbml);
            assert.equal(split.lost, 0);
            if (bbml === 1 && !isRun) assert.equal(split.faulted, 0);
            assert.equal(race(course, null, safeCollapse(bbml), bbml).lost, 0);
          }),
          { numRuns: 15 },
        );
      }
    }
  });

  for (const protocol of ['split.cut-2024', 'split.snapshot-store', 'split.nt-2021'] as const) {
    it(`${protocol} loses a mark in some order of events`, () => {
      const course = fc.sample(courses(ARM, 21, 19 - 3, ['compare']), { numRuns: 400, seed: 5 });
      assert.ok(course.some((each) => race(each, protocol, null).lost > 0));
    });
  }

  it('split.xchg-sprinkle loses what hardware that does not look marks in the slot, where the -slot one does not', () => {
    const all = fc.sample(courses(AMD, 21, 19, ['blind']), { numRuns: 300, seed: 6 });
    assert.ok(all.some((each) => race(each, 'split.xchg-sprinkle', null).lost > 0));
    assert.ok(all.every((each) => race(each, 'split.xchg-sprinkle-slot', null).lost === 0));
  });

  for (const [protocol, what] of [
    ['collapse.or-cas', 'lost'],
    ['collapse.leaf-only-flush', 'usedFreed'],
  ] as const) {
    it(`${protocol} goes wrong in some order of events`, () => {
      const all = fc.sample(courses(AMD, 21, 19, ['compare']), { numRuns: 400, seed: 7 });
      assert.ok(
        all.some((each) => {
          const { lost, usedFreed } = race(each, null, protocol);
          return what === 'lost' ? lost > 0 : usedFreed || lost > 0;
        }),
      );
    });
  }
});
