import { planFirstRound } from '../driver/cpu/firstRound';
import { CpuSecondStage } from '../driver/cpu/secondStage';
import { done, type Outcome } from '../driver/errno';
import { type SoftwareStep } from '../driver/softwareStep';
import { type PageRange } from '../iommu/cacheOperation';
import { type AccessObserver } from '../ledger/accessObserver';
import { type GuestRegion } from '../ledger/guestMemory';
import { type Ledger } from '../ledger/ledger';
import { type WritableMemory, type FrameAllocator } from '../memory/writableMemory';
import { SeededRandom } from '../random';
import { type Steps } from '../steps';
import { type MachineSpec } from './spec';

/** What the CPUs of a machine share with it. */
export interface CpuSurroundings {
  readonly memory: WritableMemory;
  readonly frames: FrameAllocator;
  readonly guestMemory: readonly GuestRegion[];
  readonly ledger: Ledger;
  /** Hears of accesses, and tells the ledger. */
  readonly observer: AccessObserver;
}

/** The guest's CPUs with their second stage, as the specification says; without one there are none. */
export class CpuSide {
  /** Undefined: the machine has no CPUs, or is not set up. */
  stage: CpuSecondStage | undefined;
  readonly #spec: MachineSpec;
  readonly #around: CpuSurroundings;

  constructor(spec: MachineSpec, around: CpuSurroundings) {
    this.#spec = spec;
    this.#around = around;
  }

  /** Makes the second stage, EPT or the nested tables of AMD, and starts to log as the specification says; ENOMEM, EOPNOTSUPP. */
  *setUp(): Steps<SoftwareStep, Outcome<null>> {
    const { cpu, vendor, seed } = this.#spec;
    if (!cpu) return done(null);
    const { vcpus, logging, logsHostWriters, harvestsOnZap } = cpu;
    const { memory, frames, guestMemory, ledger, observer } = this.#around;
    const made = CpuSecondStage.create({
      kind: vendor === 'amd-vi' ? 'npt' : 'ept',
      ...{ memory, frames, guestMemory },
      ledger: {
        wrote: (...access) => {
          observer.wrote(...access);
        },
        read: (...access) => {
          observer.read(...access);
        },
        discarded: (...what) => {
          ledger.discarded(...what);
        },
      },
      random: new SeededRandom(seed),
      policy: { logsHostWriters, harvestsOnZap },
      vcpus,
    });
    if (!made.ok) return made;
    this.stage = made.value;
    return logging === 'none' ? done(null) : yield* made.value.startLogging(logging);
  }

  /** A round: what vCPUs and logged host writers wrote is told, and clean then; it is the caller's to copy it. */
  *harvest(told: (ranges: readonly PageRange[]) => void): Steps<SoftwareStep, readonly PageRange[]> {
    const { guestMemory } = this.#around;
    const dirty: PageRange[] = [];
    for (const region of guestMemory) {
      const found = yield* this.stage?.harvest(region) ?? nothing();
      told(found);
      dirty.push(...found);
    }
    return dirty;
  }

  /** What a first round copies that takes only what the second stage has populated. */
  get populated(): readonly PageRange[] {
    const { guestMemory, ledger } = this.#around;
    return this.stage ? planFirstRound('populated-only', this.stage, guestMemory, ledger).ranges : [];
  }
}

function* nothing(): Steps<SoftwareStep, PageRange[]> {
  yield { kind: 'software', name: 'no vCPU has written' };
  return [];
}
