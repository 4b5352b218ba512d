import { done, refused, type Outcome } from '../driver/errno';
import { type MachineCapabilities } from '../driver/capabilities/index';
import { HWPT_ALLOC_DIRTY_TRACKING, HWPT_ALLOC_NEST_PARENT } from '../driver/iommufd/hwpt';
import {
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  Iommufd,
} from '../driver/iommufd/iommufd';
import { UserMemory } from '../driver/iommufd/userMemory';
import { type SoftwareStep } from '../driver/softwareStep';
import { pageAt } from '../iommu/addressHalves';
import { type HardwareStep } from '../iommu/hardwareStep';
import { type DmaRequest } from '../iommu/request';
import { CpuCache } from '../iommu/translate/staleView';
import { GuestMemory } from '../ledger/guestMemory';
import { Ledger } from '../ledger/ledger';
import { type LedgerAttached } from '../ledger/mappings';
import { type PageRange } from '../iommu/cacheOperation';
import { type FindingKind, FINDING_KINDS } from '../ledger/finding';
import { Arena } from '../memory/arena';
import { RangeAllocator } from '../memory/frameAllocator';
import { SeededRandom } from '../random';
import { failure, success, type Result } from '../result';
import { type Steps } from '../steps';
import { FRAME_BYTES, parseDevice, type Pasid, type RequesterId } from '../values';
import { sentence } from './inputs';
import { attaching } from './attaching';
import { cachedRows, type CachedRow } from './cachedRows';
import { type CheckedSpec } from './checkSpec';
import { CpuSide } from './cpuSide';
import { DeviceSides, type DeviceSide } from './deviceSides';
import { injectDma } from './dma';
import { MachineDomains, type MachineHwpt, type NewHwpt } from './domains';
import { MachineGuests } from './guests/guests';
import { GUEST_START_FRAME, TABLES_START_FRAME, type GuestLayout } from './layout';
import { LostPages } from './lostPages';
import { Meter } from './meter';
import { makeFunction, makeUnit } from './makeUnit';
import { type DmaLine, type OperationReport } from './operation';
import { tellingLedger } from './paging';
import { resizeRange } from './resize';
import { StepRunner, type MachineStep } from './runner';
import { type MachineSpec } from './spec';
import { type AttachedTo, type MachineFunction, type MachineUnit } from './unit';

export type { MachineStep } from './runner';

/**
 * What an emulated machine consists of (memory, IOMMUs with the kernel's drivers, iommufd, devices, and the ledger of what
 * really happened), and what operations are made of.
 */
export class MachineCore {
  readonly spec: MachineSpec;
  readonly capabilities: MachineCapabilities;
  readonly layout: GuestLayout;
  readonly memory: Arena;
  readonly frames: RangeAllocator;
  readonly ledger: Ledger;
  readonly units: readonly MachineUnit[];
  readonly iommufd: Iommufd;
  readonly hwpts: MachineDomains;
  readonly runner: StepRunner;
  /** Guests' own tables over those of the kernel. */
  readonly guests: MachineGuests;
  /** What VFIO has of the devices. */
  readonly sides: DeviceSides;
  readonly cpu: CpuSide;
  /** What operations are busy with, for people. */
  progress = '';
  readonly #meter: Meter;
  readonly #guest: GuestMemory;
  readonly #random: SeededRandom;
  readonly #functions = new Map<RequesterId, MachineFunction>();
  /** The ledger's step at the end of each operation. */
  readonly #ends: number[] = [];
  readonly #lost = new LostPages();

  protected constructor(checked: CheckedSpec) {
    const { spec, capabilities, layout, rules } = checked;
    this.spec = spec;
    this.capabilities = capabilities;
    this.layout = layout;
    this.memory = new Arena();
    this.frames = new RangeAllocator(this.memory, TABLES_START_FRAME, GUEST_START_FRAME);
    this.ledger = new Ledger({ guestMemory: layout.regions, frames: this.frames });
    this.#guest = new GuestMemory(layout.regions);
    this.sides = new DeviceSides(spec);
    this.#meter = new Meter(this.ledger);
    this.#random = new SeededRandom(spec.seed);
    // Where an IOMMU does not snoop, software's stores stay in the caches of the CPUs until they are written back.
    const software = rules.snoopsCaches ? this.memory : new CpuCache(this.memory);
    this.hwpts = new MachineDomains(checked, software, this.frames);
    this.units = Array.from({ length: spec.iommus }, (_, index) =>
      makeUnit({
        name: `iommu${index}`,
        capabilities,
        memory: software,
        frames: this.frames,
        rules,
        random: this.#random,
        observer: this.#meter,
        domains: this.hwpts,
        faults: checked.driverFaults,
      }),
    );
    this.runner = new StepRunner(
      this.ledger,
      (stage) => this.guests.agreed(stage, this.hwpts.formatOf(stage)),
      this.units,
    );
    this.cpu = new CpuSide(spec, {
      ...{ memory: this.memory, frames: this.frames, guestMemory: layout.regions },
      ...{ ledger: this.ledger, observer: this.#meter },
    });
    // A kernel's pages are not smaller than those of its tables.
    const user = new UserMemory(2 ** checked.granuleShift);
    for (const { startPage, endPage, startFrame } of layout.regions)
      user.mapRegion(bytes(startPage), bytes(endPage - startPage), startFrame);
    const { bitmapFault } = checked;
    this.iommufd = new Iommufd({ memory: user, ...(bitmapFault ? { bitmap: { fault: bitmapFault } } : {}) });
    this.guests = new MachineGuests({
      ...{ iommufd: this.iommufd, capabilities, arena: this.memory, software, layout },
      ...{ granule: 2 ** checked.granuleShift, functions: this.#functions, runner: this.runner },
    });
  }

  /** Switches the IOMMUs on, makes the first domain, maps guest memory and attaches the devices, as a hypervisor does. */
  *setUp(): Steps<MachineStep, Result<null>> {
    for (const { driver, name } of this.units) {
      const initialised = yield* this.software(driver.initialise());
      if (!initialised.ok) return failure('machine/initialise', sentence(`${name}: ${initialised.message}`));
    }
    const set = yield* this.#firstDomain();
    const outcome = set.ok ? yield* this.software(this.cpu.setUp()) : set;
    if (!outcome.ok) return failure('machine/set-up', sentence(`${outcome.errno}: ${outcome.message}`));
    this.endOperation();
    return success(null);
  }

  *#firstDomain(): Steps<MachineStep, Outcome<null>> {
    const { dirtyTracking, devices, mapping } = this.spec;
    for (const { requester, ats } of devices) this.addFunction(requester, ats === true);
    const made = yield* this.createHwpt({
      dirtyTracking: dirtyTracking !== 'none',
      nestParent: this.spec.nestParent === true,
    });
    if (!made.ok) return made;
    for (const { requester, attached: isAttached } of devices) {
      const from = isAttached === false ? undefined : this.addFunction(requester, false);
      if (!from) continue;
      const attached = yield* this.attach(from, null, made.value.id);
      if (!attached.ok) return attached;
    }
    if (mapping.what === 'guest') {
      for (const { startPage, endPage } of this.layout.regions) {
        const length = bytes(endPage - startPage);
        const mapped = yield* this.map(made.value, bytes(startPage), length, bytes(startPage), 'RW');
        if (!mapped.ok) return mapped;
      }
    }
    if (dirtyTracking !== 'on') return done(null);
    return yield* this.setDirtyTracking(made.value, true);
  }

  // What operations are made of.

  /** Runs steps of software; whenever it waits for hardware, hardware does its commands. The ledger hears of each. */
  software<T>(steps: Steps<SoftwareStep, T>): Steps<MachineStep, T> {
    return this.runner.software(steps);
  }

  dma(lines: readonly DmaLine[]): Steps<MachineStep, OperationReport> {
    return injectDma(this, lines);
  }

  /** A device's request was refused; it began after step `since`. */
  refused({ unit, requester }: MachineFunction, request: DmaRequest, fault: string, since: number): void {
    const { pasid, addressLo, addressHi, access } = request;
    const page = pageAt(addressLo, addressHi);
    this.ledger.faulted({ iommu: unit.name, requester, pasid }, page, access !== 'read', fault, since);
  }

  guestAddress(physical: bigint): bigint | undefined {
    const page = this.#guest.pageOf(Number(physical / BigInt(FRAME_BYTES)));
    return page < 0 ? undefined : bytes(page) + (physical % BigInt(FRAME_BYTES));
  }

  sideOf(requester: RequesterId): DeviceSide | undefined {
    return this.sides.get(requester);
  }

  functionOf(requester: RequesterId): MachineFunction | undefined {
    return this.#functions.get(requester);
  }

  /** A device of the machine, made when it is named first. */
  addFunction(name: string, ats: boolean): MachineFunction | undefined {
    const parsed = parseDevice(name);
    if (!parsed) return undefined;
    const { requester } = parsed;
    const known = this.#functions.get(requester);
    if (known) return known;
    const unit = this.units[this.#functions.size % this.units.length];
    if (!unit) return undefined;
    const made = makeFunction(unit, requester, ats, { random: this.#random, iommufd: this.iommufd });
    this.#functions.set(requester, made);
    return made;
  }

  /** The TLB of one of a unit's devices drops an entry, by seed; undefined: they have none. */
  evictDeviceTlb(unit: MachineUnit): HardwareStep | undefined {
    const dropped = [...this.#functions.values()].some(
      (each) => each.unit === unit && each.device.tlb.evictOne(),
    );
    return dropped ? { kind: 'evict', cache: 'device-tlb' } : undefined;
  }

  get devices(): readonly {
    readonly unit: MachineUnit;
    readonly requester: RequesterId;
    readonly pasid: Pasid | null;
    readonly to: AttachedTo;
    readonly ats: boolean;
  }[] {
    return [...this.#functions.values()].flatMap(({ unit, requester, device, attached }) =>
      [...attached].map(([pasid, to]) => ({ unit, requester, pasid, to, ats: device.ats })),
    );
  }

  /** A new address space with a page table of its own. `choice` absent: the machine's. */
  *createHwpt({ dirtyTracking, nestParent, choice }: NewHwpt): Steps<MachineStep, Outcome<MachineHwpt>> {
    const [first] = this.#functions.values();
    if (!first) return refused('ENODEV', 'the machine has no device that the page table could be for');
    const ioas = this.iommufd.ioasAlloc();
    if (!ioas.ok) return ioas;
    const flags = (dirtyTracking ? HWPT_ALLOC_DIRTY_TRACKING : 0) | (nestParent ? HWPT_ALLOC_NEST_PARENT : 0);
    this.hwpts.next = choice;
    const made = yield* this.software(
      this.iommufd.hwptAlloc({ deviceId: first.id, pageTableId: ioas.value, flags }),
    );
    if (!made.ok) return made;
    const hwpt = this.hwpts.add(made.value, ioas.value, this.iommufd);
    hwpt.paging.listener = tellingLedger(this.ledger, hwpt.id);
    return done(hwpt);
  }

  /** `paddr`: guest physical. Bytes. */
  *map(
    { id, ioas }: MachineHwpt,
    iova: bigint,
    length: bigint,
    paddr: bigint,
    permission: 'R' | 'W' | 'RW',
  ): Steps<MachineStep, Outcome<null>> {
    const readable = permission.includes('R') ? IOAS_MAP_READABLE : 0;
    const writeable = permission.includes('W') ? IOAS_MAP_WRITEABLE : 0;
    const flags = IOAS_MAP_FIXED_IOVA | readable | writeable;
    const mapped = yield* this.software(
      this.iommufd.ioasMap({ ioasId: ioas, flags, userAddress: paddr, length, iova }),
    );
    if (!mapped.ok) return mapped;
    this.ledger.mapEnds(id, pagesOf(iova, length));
    return done(null);
  }

  unmap({ ioas }: MachineHwpt, iova: bigint, length: bigint): Steps<MachineStep, Outcome<bigint>> {
    return this.software(this.iommufd.ioasUnmap(ioas, iova, length));
  }

  /** Changes the size of what maps a range, as far as it is mapped; how many leaves or tables were replaced. */
  resize(
    hwpt: MachineHwpt,
    how: 'split' | 'collapse',
    start: bigint,
    length: bigint,
    shift: number,
    protocol: string | undefined,
  ): Steps<MachineStep, Outcome<number>> {
    const areas = this.areasOf(hwpt).map((area) => pagesOf(area.start, area.end - area.start));
    const asked = { how, wanted: pagesOf(start, length), areas, shift, protocol };
    return this.software(resizeRange(this.ledger, hwpt, asked));
  }

  *setDirtyTracking(hwpt: MachineHwpt, enable: boolean): Steps<MachineStep, Outcome<null>> {
    const set = yield* this.software(this.iommufd.hwptSetDirtyTracking(hwpt.id, enable ? 1 : 0));
    if (!set.ok || !enable) return set;
    // Whoever starts to track copies all of memory next.
    this.ledger.trackingStarted();
    for (const region of this.layout.regions) this.ledger.copied(region);
    return set;
  }

  /** Attaches a device, from whatever it has now. */
  *attach(from: MachineFunction, pasid: Pasid | null, to: AttachedTo): Steps<MachineStep, Outcome<null>> {
    const { unit, requester } = from;
    const space = { iommu: unit.name, requester, pasid };
    const now = from.attached.get(pasid) ?? 'blocked';
    this.ledger.attachBegins(space, this.#promiseOf(to));
    const outcome = yield* this.software(attaching(this.iommufd, from, pasid, now, to));
    if (outcome.ok) from.attached.set(pasid, to);
    else this.ledger.attachBegins(space, this.#promiseOf(now));
    this.ledger.attachEnds(space);
    if (outcome.ok && to === 'blocked' && pasid !== null) from.attached.delete(pasid);
    return outcome;
  }

  #promiseOf(to: AttachedTo): LedgerAttached {
    if (typeof to === 'number') return this.guests.promiseOf(to) ?? { domain: to, nested: false };
    return to === 'blocked' ? null : to;
  }

  /** What is mapped in a domain's address space: neighbours as one. Bytes, half-open. */
  areasOf({ ioas }: MachineHwpt): { start: bigint; end: bigint }[] {
    const object = this.iommufd.object(ioas);
    const areas: { start: bigint; end: bigint }[] = [];
    if (object?.kind !== 'ioas') return areas;
    for (const { start, end } of object.areas) {
      const last = areas.at(-1);
      if (last?.end === start) last.end = end;
      else areas.push({ start, end });
    }
    return areas;
  }

  // What views look at.

  get domains(): readonly MachineHwpt[] {
    return this.hwpts.all;
  }

  cached(): Iterable<CachedRow> {
    return cachedRows(this.units, this.memory, this.#functions.values());
  }

  /** Pages of 4 KiB that accesses wrote and that reports named, and findings by kind. */
  get ledgerTotals(): {
    readonly findings: Readonly<Partial<Record<FindingKind, number>>>;
    readonly written: number;
    readonly reported: number;
  } {
    const findings = Object.fromEntries(
      FINDING_KINDS.map((kind) => [kind, this.ledger.findings.count(kind).findings]),
    );
    return { findings, written: this.#meter.pagesWritten, reported: this.#meter.pagesReported };
  }

  /** Pages of the domain that a report names: what is copied next. */
  reported(hwpt: MachineHwpt, startPage: number, endPage: number, copies: boolean): void {
    this.#meter.pagesReported += endPage - startPage;
    if (!copies) return;
    this.ledger.harvested([{ startPage, endPage }], hwpt.id);
    for (const range of this.ledger.guestRanges(hwpt.id, { startPage, endPage })) this.ledger.copied(range);
  }

  /** Guest pages that a report names: who reports copies them by himself. */
  named(ranges: readonly PageRange[]): void {
    for (const { startPage, endPage } of ranges) this.#meter.pagesReported += endPage - startPage;
    this.ledger.harvested(ranges);
  }

  /**
   * Guest pages that were written, and that no read of dirty pages will report: their D is set nowhere. Undefined where that
   * is not known: nobody tracks, or there are too many tables to look through.
   */
  lostPages(): readonly PageRange[] | undefined {
    const domainOf = (to: AttachedTo) =>
      typeof to === 'number' ? (this.guests.promiseOf(to)?.domain ?? to) : undefined;
    const used = new Set(this.devices.map(({ to }) => domainOf(to)));
    const domains = this.domains.filter(({ id }) => used.has(id));
    if (domains.length === 0 || domains.some(({ tracking }) => tracking !== 'on')) return undefined;
    return this.#lost.find(this, this.#ends.length);
  }

  /** Number of the operation during which the ledger was at a step, from 0; -1: while the machine was set up. */
  operationAt(step: number): number {
    const found = this.#ends.findIndex((end) => step <= end);
    return (found < 0 ? this.#ends.length : found) - 1;
  }

  protected endOperation(): void {
    this.ledger.checkSuspects(this.memory);
    this.#ends.push(this.ledger.step);
  }
}

const bytes = (pages: number): bigint => BigInt(pages) * BigInt(FRAME_BYTES);

const pagesOf = (start: bigint, length: bigint) => ({
  startPage: Number(start / BigInt(FRAME_BYTES)),
  endPage: Number((start + length) / BigInt(FRAME_BYTES)),
});
