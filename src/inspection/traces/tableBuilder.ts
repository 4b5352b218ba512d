import { registersOf, walksCoherently } from '../../engine/driver/capabilities/index';
import { type Outcome } from '../../engine/driver/errno';
import { type IommuDriver, type KernelDomain } from '../../engine/driver/iommuDriver';
import { DomainTables } from '../../engine/driver/pageTable/domainTables';
import { type SoftwareStep } from '../../engine/driver/softwareStep';
import { makeDriver } from '../../engine/driver/vendors/index';
import { Iommu } from '../../engine/iommu/iommu';
import { DEFAULT_RULES } from '../../engine/iommu/rules';
import { runCommands } from '../../engine/machine/runDriver';
import { Arena } from '../../engine/memory/arena';
import { RangeAllocator } from '../../engine/memory/frameAllocator';
import { READ_WRITE } from '../../engine/pageTable/entryClass';
import { SeededRandom } from '../../engine/random';
import { type Steps } from '../../engine/steps';
import { type RequesterId } from '../../engine/values';
import { type Work } from '../work';
import { type ReplayShape } from './replayShape';

/** Steps of the driver between two yields. */
const STEPS_PER_YIELD = 4096;

/** An emulated IOMMU with the kernel's driver of it, for tables of a trace: nothing is cached, no device does anything. */
export class TableBuilder {
  readonly arena = new Arena();
  readonly iommu: Iommu;
  readonly #frames: RangeAllocator;
  readonly #driver: IommuDriver;
  readonly #shape: ReplayShape;
  #steps = 0;

  /** Structures and tables lie in the frames from `startFrame` on, `frames` of them. */
  constructor(shape: ReplayShape, startFrame: number, frames: number) {
    const { arena } = this;
    const { capabilities } = shape;
    this.#shape = shape;
    this.#frames = new RangeAllocator(arena, startFrame, startFrame + frames);
    this.iommu = new Iommu({
      ...{ name: 'iommu0', kind: capabilities.vendor, memory: arena, registers: registersOf(capabilities) },
      rules: { ...DEFAULT_RULES, snoopsCaches: walksCoherently(capabilities) },
      random: new SeededRandom(1),
      observer: { wrote: () => undefined, read: () => undefined },
    });
    this.#driver = makeDriver({ port: this.iommu, memory: arena, frames: this.#frames, capabilities });
  }

  initialise(): Work<Outcome<null>> {
    return this.#run(this.#driver.initialise());
  }

  /** A domain without mappings; ENOMEM. */
  domain(id: number): Outcome<KernelDomain> {
    const { choice, shape } = this.#shape;
    const { arena: memory } = this;
    const made = DomainTables.create({
      ...{ ...shape, memory, frames: this.#frames, id, stage: choice.stage, granularity: 'table' },
    });
    if (!made.ok) return made;
    return { ...made, value: { tables: made.value, id, stage: choice.stage, dirtyTracking: false } };
  }

  /** As one call of the kernel's iommu_map, which chooses the page sizes: reads and writes are allowed. */
  map({ tables }: KernelDomain, page: number, frame: number, pages: number): Work<Outcome<null>> {
    return this.#run(tables.map(page, frame, pages, READ_WRITE));
  }

  attach(requester: RequesterId, domain: KernelDomain): Work<Outcome<null>> {
    domain.tables.flusher = this.#driver.flusherOf(domain);
    return this.#run(this.#driver.attach(requester, null, { kind: 'paging', domain }));
  }

  *#run<T>(steps: Steps<SoftwareStep, T>): Work<T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (step.value.kind === 'poll' && !step.value.done) runCommands([this.iommu]);
      if (++this.#steps % STEPS_PER_YIELD === 0) yield { message: 'Building tables' };
    }
  }
}
