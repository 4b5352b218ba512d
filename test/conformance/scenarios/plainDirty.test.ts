/** Random tables that a device writes, on every IOMMU that marks: what is dirty, reported, over-reported and lost. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type EngineClient } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../../unit/inspection/inProcess';
import { LARGE, PAGE, PlainSpace, type Range } from './plainDirty';

const VENDORS = ['vt-d', 'amd-vi', 'smmuv3', 'riscv'] as const;
/** Of the address space that is used; guest physical addresses are lower by this much. */
const BASE = 4 * LARGE;
const SLOTS = 6;

const hex = (value: number): string => `0x${value.toString(16)}`;
const within = ({ start, end }: Range): string => `iova: ${hex(start)}, length: ${String(end - start)}`;

/** Five numbers that choose what is done, where there is something to do it with. */
const choices = fc.array(
  fc.record({
    what: fc.constantFrom(
      ...['map', 'map', 'dma', 'dma', 'dma', 'dma', 'read', 'read', 'split', 'split', 'collapse'],
      ...['unmap', 'nothing-there'],
    ),
    where: fc.nat(1e6),
    pages: fc.nat(1e6),
    how: fc.nat(1e6),
  }),
  { minLength: 10, maxLength: 40, size: 'max' },
);
type Choice = typeof choices extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

interface Played {
  readonly steps: readonly string[];
  readonly space: PlainSpace;
  readonly faults: number;
}

const expectation = (space: PlainSpace, ranges?: readonly Range[]): string => {
  const sums = [
    `lost: ${String(space.lost())}`,
    `written: ${String(space.written.size * PAGE)}`,
    `reported: ${String(space.reported)}`,
    `over: ${String(space.over)}`,
  ];
  if (ranges) {
    const all = ranges.map(({ start, end }) => `{ start: ${hex(start)}, end: ${hex(end)} }`);
    sums.push(`dirty: { ranges: [${all.join(', ')}] }`);
  }
  return `expect: { ${sums.join(', ')} }`;
};

/** Steps and what must be so after each. `unmapReports`: nothing is unmapped without a last report. */
function play(vendor: string, chosen: readonly Choice[], unmapReports: boolean): Played {
  const space = new PlainSpace(vendor === 'smmuv3' || vendor === 'riscv');
  const steps: string[] = [];
  let faults = 0;
  // Gone from the tables, and still areas of iommufd.
  const dead: Range[] = [];
  const pick = <T>(from: readonly T[], by: number): T | undefined => from[by % Math.max(1, from.length)];
  const full = (): Range[] =>
    Array.from({ length: SLOTS }, (_, slot) => ({
      start: BASE + slot * LARGE,
      end: BASE + (slot + 1) * LARGE,
    }));
  const free = (): Range[] =>
    full().filter(
      (slot) => ![...space.areas, ...dead].some(({ start, end }) => start < slot.end && end > slot.start),
    );
  // There is something from the start: a large page, and two in one area.
  const first = [1, 2].map((how) => ({ what: 'map', where: 0, pages: 0, how }));
  for (const { what, where, pages, how } of [...first, ...chosen]) {
    const area = pick(space.areas, where);
    if (what === 'map') {
      const slot = pick(free(), where);
      if (!slot) continue;
      const next = { start: slot.end, end: slot.end + LARGE };
      const mine =
        how % 3 > 0
          ? {
              start: slot.start,
              end: how % 3 === 2 && free().some(({ start }) => start === next.start) ? next.end : slot.end,
            }
          : { start: slot.start + (pages % 64) * PAGE, end: slot.start + (65 + (how % 64)) * PAGE };
      space.map(mine);
      steps.push(`map: { ${within(mine)}, to: ${hex(mine.start - BASE)} }`);
    } else if (what === 'nothing-there') {
      const slot = pick(free(), where);
      if (!slot) continue;
      steps.push(`dma: { iova: ${hex(slot.start + (pages % 512) * PAGE)}, refused: not-present }`);
      faults++;
    } else if (!area) {
      continue;
    } else if (what === 'dma') {
      const size = area.end - area.start;
      const start = area.start + ((pages * 64) % size);
      const length = Math.min(how % 2 ? 64 : 1 + (how % 9000), area.end - start);
      const read = how % 5 === 0;
      if (!read) space.write(start, length);
      steps.push(
        `dma: { iova: ${hex(start)}, length: ${String(length)}, access: ${read ? 'read' : 'write'}, lands: ${hex(start - BASE)} }`,
      );
      const leaf = space.leafAt(start);
      assert.ok(leaf);
      const entry = `iova: ${hex(start)}, size: ${String(leaf.size)}, dirty: ${String(leaf.dirty)}`;
      steps.push(`expect: { entries: [{ ${entry} }] }`);
    } else if (what === 'split') {
      const mine = pick(
        space.leaves.filter(({ size }) => size === LARGE),
        where,
      );
      if (!mine) continue;
      const range = { start: mine.start, end: mine.start + LARGE };
      space.split(range);
      steps.push(`split: { ${within(range)}, size: 4K }`);
    } else if (what === 'collapse') {
      const whole = full().filter(
        (slot) =>
          space.leafAt(slot.start)?.size === PAGE &&
          space.areas.some(({ start, end }) => start <= slot.start && end >= slot.end),
      );
      const mine = pick(whole, where);
      if (!mine) continue;
      space.collapse(mine.start);
      steps.push(`collapse: { ${within(mine)}, size: 2M }`);
    } else if (what === 'read') {
      const size = (area.end - area.start) / PAGE;
      const begin = how % 3 === 0 ? pages % size : 0;
      const range = {
        start: area.start + begin * PAGE,
        end: how % 3 === 0 ? area.start + (begin + 1 + (where % (size - begin))) * PAGE : area.end,
      };
      const aligned = range.start % LARGE === 0 && range.end % LARGE === 0;
      const unit = aligned && how % 2 === 1 ? LARGE : PAGE;
      const clear = how % 7 > 0;
      const { ranges } = space.harvest(range, unit, clear);
      steps.push(
        `readDirty: { ${within(range)}, pageSize: ${String(unit)}, clear: ${String(clear)} }`,
        expectation(space, ranges),
      );
    } else {
      // By tables with its last report, by iommufd after one, or just so.
      const way = how % (unmapReports ? 2 : 3);
      if (way === 0) dead.push(area);
      if (way === 1) {
        const { ranges } = space.harvest(area, PAGE, true);
        steps.push(`readDirty: { ${within(area)} }`, expectation(space, ranges));
      }
      space.unmap(area, way === 0);
      const through = way === 0 ? ', through: tables, protocol: unmap.xchg-report' : '';
      steps.push(`unmap: { ${within(area)}${through} }`, expectation(space));
    }
  }
  return { steps: [...steps, expectation(space)], space, faults };
}

const textOf = (vendor: string, steps: readonly string[]): string => `version: 2
title: Random tables
machine: { vendor: ${vendor}, memory: 16M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { maps: nothing, pages: [4K, 2M], dirtyTracking: on, devices: [nic] }
steps:
${steps.map((step) => `  - ${step}`).join('\n')}
`;

describe('random tables under DMA', function () {
  this.timeout(120_000);
  let engine: EngineClient;
  before(() => {
    engine = inProcessEngine(0).client;
  });
  after(() => engine.dispose());

  const run = async (text: string) => {
    const file = 'random.iopte.yaml';
    const { outcome } = await engine.request('runScenario', { text, file, variant: null });
    const { seconds, ...rest } = outcome;
    assert.ok(seconds >= 0);
    return rest;
  };

  const check = async (vendor: string, { steps, space, faults }: Played): Promise<void> => {
    const text = textOf(vendor, steps);
    const outcome = await run(text);
    assert.deepEqual(
      outcome.failures.map(({ line, what, expected, actual }) => ({
        ...{ what, expected, actual, step: text.split('\n').slice(0, line).join('\n') },
      })),
      [],
    );
    assert.equal(outcome.passed, true);
    assert.equal(outcome.faults, faults);
    assert.deepEqual(outcome.dirty, {
      written: space.written.size * PAGE,
      reported: space.reported,
      lost: space.lost() * PAGE,
      over: space.over,
    });
  };

  for (const vendor of VENDORS) {
    it(`${vendor}: dirty, reported and over-reported as leaves say, and nothing is lost`, async () => {
      await fc.assert(
        fc.asyncProperty(choices, async (chosen) => {
          const played = play(vendor, chosen, true);
          assert.equal(played.space.lost(), 0);
          await check(vendor, played);
        }),
        { numRuns: 6 },
      );
    });

    it(`${vendor}: what is unmapped without a last report is lost, and no more`, async () => {
      await fc.assert(
        fc.asyncProperty(choices, (chosen) => check(vendor, play(vendor, chosen, false))),
        { numRuns: 4 },
      );
    });
  }

  it('come out alike when they are run twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...VENDORS), choices, async (vendor, chosen) => {
        const text = textOf(vendor, play(vendor, chosen, false).steps);
        assert.deepEqual(await run(text), await run(text));
      }),
      { numRuns: 4 },
    );
  });
});
