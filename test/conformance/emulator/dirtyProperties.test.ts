/**
 * Dirty marks against a model, for each format whose D hardware sets: at every fence each page that was written since the last
 * harvest is either reported by it or still marked in the tables; what is reported beside is never more than the leaf that was
 * written through; after a harvest and its flush the next write marks again. For pages of one entry and of many (AMD v1
 * up to 256 copies, Arm contiguous, RISC-V NAPOT), with device TLBs, and with a second IOMMU over the same tables.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { registersOf } from '../../../src/engine/driver/capabilities';
import { type Flusher } from '../../../src/engine/driver/flusher';
import { type IommuDriver, type KernelDomain } from '../../../src/engine/driver/iommuDriver';
import { type DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { linuxMarks } from '../../../src/engine/driver/pageTable/linuxChoices';
import { makeDriver } from '../../../src/engine/driver/vendors';
import { AtsDevice } from '../../../src/engine/iommu/device/atsDevice';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { type DmaAccess } from '../../../src/engine/iommu/request';
import { DEFAULT_RULES } from '../../../src/engine/iommu/rules';
import { runDriver } from '../../../src/engine/machine/runDriver';
import { TABLE_CHOICES, type TableChoice } from '../../../src/engine/machine/tableChoices';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { SeededRandom } from '../../../src/engine/random';
import { frameHalves } from '../../../src/engine/values';
import { type Steps } from '../../../src/engine/steps';
import { type SoftwareStep } from '../../../src/engine/driver/softwareStep';
import { DEVICE, InvalidationBench, valueOf, type Conditions } from './invalidationBench';
import { type GuestKind } from '../../../src/engine/driver/guest/guestKind';
import { GUEST_KINDS } from '../../../src/engine/driver/guest/index';
import { NestedBench, type NestedConditions } from './nestedBench';

/** Where everything is mapped, in pages of 4K: multiples of each size that is used. */
const START = 0x4_0000;
const FRAME = 0x10_0000;
/** Parts of it, [first page, pages, whether the frames are aligned to the smallest size only]. */
const PARTS = [
  [0, 512, false],
  [512, 512, false],
  [1024, 256, false],
  [1280, 16, false],
  [1296, 16, false],
  [1536, 64, true],
] as const;
const PAGES = 2048;

/** Whose second-stage, or only, tables are looked at. */
abstract class Real {
  abstract readonly tables: DomainTables;
  abstract run<Result>(steps: Steps<SoftwareStep, Result>): Result;
  /** False: refused. `second`: by the device behind the second IOMMU, where there is one. */
  abstract access(page: number, access: DmaAccess, second: boolean): boolean;
  abstract evict(): void;

  mapParts(): void {
    const smallest = 2 ** ((this.tables.sizes.at(-1)?.shift ?? 12) - 12);
    for (const [first, pages, isShifted] of PARTS) {
      const frame = FRAME + first + (isShifted ? PAGES + smallest : 0);
      valueOf(this.run(this.tables.map(START + first, frame, pages, 3)));
    }
  }

  /** Pages that are reported dirty. */
  harvest(startPage: number, pages: number, clear: boolean): Set<number> {
    const found = new Set<number>();
    const sink = (start: number, count: number): void => {
      for (let page = start; page < start + count; page++) found.add(page);
    };
    valueOf(this.run(this.tables.readAndClearDirty({ startPage, pages, clear, sink })));
    return found;
  }

  /** Pages of the leaf that maps this one. */
  leaf(page: number): number {
    const { lo, hi } = frameHalves(page);
    const { outcome } = walkTables(this.tables.space, lo, hi, false);
    return outcome.ok ? 2 ** (outcome.pageShift - 12) : 1;
  }
}

/** A guest's own tables, which name each page by itself, over the kernel's: D of both stages, marked tables included. */
class NestedTracked extends Real {
  readonly nested: NestedBench;

  constructor(kind: GuestKind, given: NestedConditions) {
    super();
    this.nested = new NestedBench(kind, given);
    this.mapParts();
    valueOf(this.run(this.nested.guest.map(START, START, PAGES, 3)));
    // As Linux makes them, leaves of Arm and RISC-V begin dirty.
    this.harvest(START, PAGES, true);
  }

  get tables(): DomainTables {
    return this.nested.parent.tables;
  }

  run<Result>(steps: Steps<SoftwareStep, Result>): Result {
    return this.nested.bench.run(steps);
  }

  access(page: number, access: DmaAccess): boolean {
    const { met, wrong } = this.nested.bench.access(page, access);
    assert.equal(wrong, undefined);
    return met !== 'refused';
  }

  evict(): void {
    this.nested.bench.iommu.evict();
  }
}

/** A domain with one device behind an IOMMU, and with another behind a second one. */
class Tracked extends Real {
  readonly bench: InvalidationBench;
  readonly domain: KernelDomain;
  readonly #second:
    { readonly iommu: Iommu; readonly driver: IommuDriver; readonly device: AtsDevice } | undefined;

  constructor(choice: TableChoice, conditions: Conditions, two: boolean) {
    super();
    this.bench = new InvalidationBench(choice.vendor, conditions);
    const { bench } = this;
    const shape = choice.shape(bench.capabilities);
    // Marks begin clear, so that hardware has to set them.
    const marks = { ...linuxMarks(shape.format), accessed: false, dirty: false };
    this.domain = bench.domain(5, { ...shape, stage: choice.stage, bbml: 2, marks });
    this.#second = two ? this.#makeSecond(conditions) : undefined;
    if (this.#second)
      this.domain.tables.flusher = both(
        this.domain.tables.flusher,
        this.#second.driver.flusherOf(this.domain),
      );
    const drivers = [bench.driver, ...(this.#second ? [this.#second.driver] : [])];
    for (const driver of drivers) {
      const attachment = { kind: 'paging', domain: this.domain } as const;
      valueOf(this.run(driver.attach(DEVICE, null, attachment, { ats: conditions.ats ?? false })));
    }
    for (const driver of drivers) {
      this.domain.dirtyTracking = false;
      if (driver.dirtyStages.includes(choice.stage))
        valueOf(this.run(driver.setDirtyTracking(this.domain, true)));
    }
    this.mapParts();
  }

  get tables(): DomainTables {
    return this.domain.tables;
  }

  run<Result>(steps: Steps<SoftwareStep, Result>): Result {
    return runDriver(steps, [this.bench.iommu, ...(this.#second ? [this.#second.iommu] : [])]);
  }

  /** False: refused, as nothing is mapped there. */
  access(page: number, access: DmaAccess, second: boolean): boolean {
    const device = second && this.#second ? this.#second.device : this.bench.device;
    const { lo, hi } = frameHalves(page);
    const request = { requester: DEVICE, pasid: null, addressLo: lo, addressHi: hi, length: 8, access };
    return device.runDma({ ...request, kind: 'untranslated' })?.ok === true;
  }

  evict(): void {
    this.bench.iommu.evict();
    this.#second?.iommu.evict();
  }

  #makeSecond({ rules = {}, ats = false, seed = 1 }: Conditions) {
    const { memory, frames, capabilities } = this.bench;
    const random = new SeededRandom(seed + 1);
    const observer = { wrote: () => undefined, read: () => undefined };
    const registers = registersOf(capabilities);
    const iommu = new Iommu({
      ...{ name: 'iommu1', kind: this.bench.iommu.kind, memory, registers, random, observer },
      rules: { ...DEFAULT_RULES, ...rules },
    });
    const driver = makeDriver({ port: iommu, memory, frames, capabilities });
    const device = new AtsDevice({ requester: DEVICE, port: iommu, entries: 64, random, ats });
    iommu.devices.set(DEVICE, device);
    valueOf(runDriver(driver.initialise(), [iommu]));
    return { iommu, driver, device };
  }
}

/** What removes it from either. */
const both = (one: Flusher, other: Flusher): Flusher => ({
  *flush(range) {
    const first = yield* one.flush(range);
    return first.ok ? yield* other.flush(range) : first;
  },
  *flushAll() {
    const first = yield* one.flushAll();
    return first.ok ? yield* other.flushAll() : first;
  },
  clean(address, words) {
    one.clean(address, words);
    other.clean(address, words);
  },
  *changeTop() {
    const first = yield* one.changeTop();
    return first.ok ? yield* other.changeTop() : first;
  },
});

/** What has to be true: written pages that no harvest has reported yet, with the pages of the largest leaf that held each. */
interface Model {
  readonly pending: Map<number, number>;
}

class Step implements fc.Command<Model, Real> {
  readonly #title: string;
  readonly #does: (model: Model, real: Real) => void;

  constructor(title: string, does: (model: Model, real: Real) => void) {
    this.#title = title;
    this.#does = does;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    this.#does(model, real);
    // A fence: what is pending is marked, and what is marked is pending.
    explains(model, real.harvest(START, PAGES, false), START, PAGES);
  }

  toString(): string {
    return this.#title;
  }
}

/** Reported must be all that was written in a range, and nothing beyond the leaves that were written through. */
function explains({ pending }: Model, reported: ReadonlySet<number>, start: number, pages: number): void {
  const allowed = new Set<number>();
  for (const [page, leaf] of pending) {
    if (page >= start && page < start + pages)
      assert.ok(
        reported.has(page),
        `page 0x${page.toString(16)} was written, and is neither reported nor marked`,
      );
    const first = page - (page % leaf);
    for (let each = first; each < first + leaf; each++) allowed.add(each);
  }
  for (const page of reported)
    assert.ok(
      allowed.has(page),
      `page 0x${page.toString(16)} is reported, and in no leaf that was written through`,
    );
}

const hex = (page: number): string => `0x${page.toString(16)}`;
const mapped = fc
  .tuple(fc.constantFrom(...PARTS), fc.constantFrom(0, 1, 15, 16, 63, 255, 511))
  .map(([[first, pages], offset]) => START + first + (offset % pages));

const steps: fc.Arbitrary<Step>[] = [
  fc.tuple(mapped, fc.constantFrom<DmaAccess>('write', 'write', 'atomic', 'read'), fc.boolean()).map(
    ([page, access, second]) =>
      new Step(`${access} ${hex(page)}${second ? ' by the second' : ''}`, ({ pending }, real) => {
        assert.ok(real.access(page, access, second), `${access} of ${hex(page)} is refused`);
        if (access !== 'read') pending.set(page, Math.max(real.leaf(page), pending.get(page) ?? 1));
      }),
  ),
  fc.tuple(fc.constantFrom(...PARTS), fc.boolean()).map(
    ([[first, pages], all]) =>
      new Step(`harvest ${all ? 'all' : hex(START + first)}`, (model, real) => {
        const [start, length] = all ? [START, PAGES] : [START + first, pages];
        explains(model, real.harvest(start, length, true), start, length);
        for (const page of [...model.pending.keys()])
          if (page >= start && page < start + length) model.pending.delete(page);
      }),
  ),
  fc
    .tuple(mapped, fc.constantFrom(12, 14, 16))
    .map(
      ([page, shift]) =>
        new Step(
          `split ${hex(page)} to 2^${shift}`,
          (_, real) => void real.run(real.tables.split(page, shift)),
        ),
    ),
  fc.tuple(mapped, fc.constantFrom(16, 20, 21)).map(
    ([page, shift]) =>
      new Step(`collapse ${hex(page)} to 2^${shift}`, ({ pending }, real) => {
        const pages = 2 ** (shift - 12);
        if (!real.run(real.tables.collapse(page - (page % pages), shift)).ok) return;
        for (const [each, leaf] of pending) pending.set(each, Math.max(leaf, real.leaf(each)));
      }),
  ),
  fc.constant(
    new Step('evict', (_, real) => {
      real.evict();
    }),
  ),
];

const conditions: fc.Arbitrary<Conditions> = fc.record({
  seed: fc.nat(),
  ats: fc.boolean(),
  rules: fc.record({
    update: fc.constantFrom('compare' as const, 'blind' as const),
    iotlb: fc.constantFrom({ sets: 1024, ways: 4 }, { sets: 2, ways: 2 }),
    walkCache: fc.constantFrom({ sets: 64, ways: 4 }, { sets: 0, ways: 0 }),
    evictEvery: fc.constantFrom(0, 8),
    prefetchEvery: fc.constantFrom(0, 3),
  }),
});

const commands = fc.commands(steps, { maxCommands: 25, size: 'max' });
const RUNS = { numRuns: 8 };

describe('dirty marks at every fence', function () {
  this.timeout(60_000);
  for (const choice of TABLE_CHOICES) {
    it(`${choice.vendor} ${choice.id}: written is reported or pending, reported is in written leaves, the next write marks again`, () => {
      const make = (given: Conditions, two: boolean) => (): { model: Model; real: Real } => ({
        model: { pending: new Map() },
        real: new Tracked(choice, given, two),
      });
      const check = (run: Iterable<fc.Command<Model, Real>>, given: Conditions, two: boolean): void => {
        fc.modelRun(make(given, two), run);
      };
      fc.assert(fc.property(commands, conditions, fc.boolean(), check), RUNS);
    });
  }

  for (const kind of GUEST_KINDS) {
    it(`${kind.kind} ${kind.tables} over ${kind.parent}: so it is of stage 2 under a guest's tables`, () => {
      const check = (run: Iterable<fc.Command<Model, Real>>, given: Conditions, flush: number): void => {
        const make = (): { model: Model; real: Real } => ({
          model: { pending: new Map() },
          real: new NestedTracked(kind, { ...given, flush, largePages: flush % 2 === 0 }),
        });
        fc.modelRun(make, run);
      };
      fc.assert(fc.property(commands, conditions, fc.nat(5), check), RUNS);
    });
  }
});
