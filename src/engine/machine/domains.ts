import { done, refused, type Outcome } from '../driver/errno';
import { type Iommufd } from '../driver/iommufd/iommufd';
import { TablesDomain } from '../driver/iommufd/tablesDomain';
import { type IommuDriver } from '../driver/iommuDriver';
import { DomainTables } from '../driver/pageTable/domainTables';
import { type TableFault } from '../driver/pageTable/gather';
import { type CompiledFormat } from '../formats/compile';
import { type RangeAllocator } from '../memory/frameAllocator';
import { type WritableMemory } from '../memory/writableMemory';
import { FRAME_BYTES } from '../values';
import { type CheckedSpec } from './checkSpec';
import { domainChoice, type DomainChoice } from './domainChoice';
import { HeardPaging } from './paging';

/** A page table of the kernel's that operations name by the id of its HWPT. */
export interface MachineHwpt {
  readonly id: number;
  readonly ioas: number;
  readonly paging: HeardPaging;
  /** Name of the format. */
  readonly title: string;
  /** log2 bytes of the pages it can have, ascending. */
  readonly pageShifts: readonly number[];
  readonly tracking: 'none' | 'off' | 'on';
  /** Guests may put a stage 1 of their own over it. */
  readonly nestParent: boolean;
  /** Pages of 4 KiB that software mapped. */
  readonly mappedPages: number;
  /** Frame of the root table. */
  readonly roots: ReadonlySet<number>;
}

/** What a new page table is to be. */
export interface NewHwpt {
  readonly dirtyTracking: boolean;
  readonly nestParent: boolean;
  /** Absent: as the machine's first is. */
  readonly choice?: DomainChoice;
}

/** Makes the tables of domains, and keeps which HWPT has which. */
export class MachineDomains {
  readonly #checked: CheckedSpec;
  readonly #memory: WritableMemory;
  readonly #frames: RangeAllocator;
  readonly #faults: ReadonlySet<TableFault>;
  readonly #hwpts = new Map<number, Hwpt>();
  #next: DomainChoice;
  /** Ids of domains, also of guests' over them. 0 is what caches know requests without a domain by. */
  readonly ids = new Ids();

  constructor(checked: CheckedSpec, memory: WritableMemory, frames: RangeAllocator) {
    this.#checked = checked;
    this.#memory = memory;
    this.#frames = frames;
    this.#faults = new Set(checked.tableFaults);
    this.#next = checked;
  }

  /** What `tables` and `pages` of an operation ask for; both absent: what the machine has. EINVAL. */
  choice(tables: string | undefined, pages: readonly string[] | undefined): Outcome<DomainChoice> {
    const { spec, capabilities } = this.#checked;
    const chosen = domainChoice(spec.vendor, capabilities, this.#checked, tables, pages);
    if (chosen.ok) return done(chosen.value);
    const { message, hint = '' } = chosen.failure;
    return refused('EINVAL', `${message} ${hint}`.trim());
  }

  /** iommufd knows nothing of formats: says which one the next domain is to have; undefined: the machine's. */
  set next(choice: DomainChoice | undefined) {
    this.#next = choice ?? this.#checked;
  }

  /** Tables for a domain, as `next` says; ENOMEM, EOPNOTSUPP. */
  make(home: IommuDriver, dirtyTracking: boolean): Outcome<HeardPaging> {
    const { choice, shape, pageShifts } = this.#next;
    this.#next = this.#checked;
    if (dirtyTracking && choice !== this.#checked.choice && !home.dirtyStages.includes(choice.stage))
      return refused('EOPNOTSUPP', `no dirty marks are tracked in ${choice.title}`);
    const id = this.ids.take();
    if (id === undefined) return refused('ENOSPC', 'all domain ids are used');
    const { format, hardware, rootDepth, rootIndexBits, ends, mostAddressBits } = shape;
    const tables = DomainTables.create({
      memory: this.#memory,
      frames: this.#frames,
      ...{ format, hardware, rootDepth, ends, id, stage: choice.stage },
      ...(rootIndexBits === undefined ? {} : { rootIndexBits }),
      ...(mostAddressBits === undefined ? {} : { mostAddressBits }),
      ...(pageShifts ? { pageShifts } : {}),
      tracksDirty: dirtyTracking && hardware.setsDirty === true,
      granularity: 'table',
      bbml: this.#checked.rules.bbml,
      faults: this.#faults,
    });
    if (!tables.ok) {
      this.ids.give(id);
      return tables;
    }
    const end = BigInt(ends.lowEnd) * BigInt(FRAME_BYTES);
    const kernel = { tables: tables.value, id, stage: choice.stage, dirtyTracking: false };
    const domain = new TablesDomain({
      kernel,
      home,
      aperture: { start: 0n, end },
      reporting: 'exact',
      release: () => {
        this.ids.give(id);
      },
    });
    return done(new HeardPaging(domain));
  }

  /** Takes in a page table that iommufd made. */
  add(id: number, ioas: number, iommufd: Iommufd): MachineHwpt {
    const hwpt = iommufd.object(id);
    if (hwpt?.kind !== 'hwpt' || !(hwpt.domain instanceof HeardPaging))
      throw new Error(`internal error: object ${id} is no page table of this machine`);
    const made = new Hwpt(id, ioas, hwpt.domain, hwpt.dirtyTracking, hwpt.nestParent);
    this.#hwpts.set(id, made);
    return made;
  }

  get(id: number): MachineHwpt | undefined {
    return this.#hwpts.get(id);
  }

  /** The format of the domains of a stage; undefined where they differ: an entry of its own does not say whose it is. */
  formatOf(stage: 1 | 2): CompiledFormat | undefined {
    let found: CompiledFormat | undefined;
    for (const { paging } of this.#hwpts.values()) {
      const { kernel } = paging;
      if (kernel.stage !== stage) continue;
      if (found && found.format !== kernel.tables.format.format) return undefined;
      found ??= kernel.tables.format;
    }
    return found;
  }

  get all(): readonly MachineHwpt[] {
    return [...this.#hwpts.values()];
  }
}

class Hwpt implements MachineHwpt {
  readonly id: number;
  readonly ioas: number;
  readonly paging: HeardPaging;
  readonly nestParent: boolean;
  readonly #tracks: boolean;

  constructor(id: number, ioas: number, paging: HeardPaging, tracks: boolean, nestParent: boolean) {
    this.id = id;
    this.ioas = ioas;
    this.paging = paging;
    this.nestParent = nestParent;
    this.#tracks = tracks;
  }

  get title(): string {
    return this.paging.kernel.tables.format.format.title;
  }

  get pageShifts(): readonly number[] {
    return this.paging.kernel.tables.sizes.map(({ shift }) => shift).reverse();
  }

  get tracking(): 'none' | 'off' | 'on' {
    if (!this.#tracks) return 'none';
    return this.paging.kernel.dirtyTracking ? 'on' : 'off';
  }

  get mappedPages(): number {
    return this.paging.mappedPages;
  }

  get roots(): ReadonlySet<number> {
    return new Set([this.paging.kernel.tables.root]);
  }
}

/** Domain ids that every vendor can have: at most 15 bits, 8 of Arm's smallest. */
const MOST_IDS = 255;

class Ids {
  readonly #free: number[] = [];
  #next = 1;

  take(): number | undefined {
    const again = this.#free.shift();
    if (again !== undefined) return again;
    return this.#next <= MOST_IDS ? this.#next++ : undefined;
  }

  give(id: number): void {
    this.#free.push(id);
  }
}
