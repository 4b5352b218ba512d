import assert from 'node:assert/strict';
import { defaultCapabilities, registersOf } from '../../../../src/engine/driver/capabilities/index';
import { done, type Outcome } from '../../../../src/engine/driver/errno';
import { type GetDirtyBitmap } from '../../../../src/engine/driver/iommufd/dirtyTracking';
import { guestPlatform } from '../../../../src/engine/driver/iommufd/guestPlatform';
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
} from '../../../../src/engine/driver/iommufd/hwpt';
import {
  Iommufd,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
} from '../../../../src/engine/driver/iommufd/iommufd';
import { type Handled, type IommufdPlatform } from '../../../../src/engine/driver/iommufd/platform';
import { TablesDomain } from '../../../../src/engine/driver/iommufd/tablesDomain';
import { UserMemory } from '../../../../src/engine/driver/iommufd/userMemory';
import { DomainTables } from '../../../../src/engine/driver/pageTable/domainTables';
import { type SoftwareStep } from '../../../../src/engine/driver/softwareStep';
import { makeDriver } from '../../../../src/engine/driver/vendors/index';
import { Iommu } from '../../../../src/engine/iommu/iommu';
import { type RequestOutcome } from '../../../../src/engine/iommu/request';
import { DEFAULT_RULES } from '../../../../src/engine/iommu/rules';
import { type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { runDriver } from '../../../../src/engine/machine/runDriver';
import { tableChoices } from '../../../../src/engine/machine/tableChoices';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { type FrameAllocator } from '../../../../src/engine/memory/writableMemory';
import { SeededRandom } from '../../../../src/engine/random';
import { type Steps } from '../../../../src/engine/steps';
import { frameNumber, requesterId } from '../../../../src/engine/values';

/** Guest memory: 32 MiB, at these guest physical addresses, user addresses and frames. */
export const GUEST_BYTES = 32n << 20n;
export const GUEST_PAGES = Number(GUEST_BYTES / 4096n);
export const GUEST_START = 0x4000_0000n;
export const GUEST_START_PAGE = Number(GUEST_START / 4096n);
const USER_START = 0x7f00_0000_0000n;
const FIRST_FRAME = 0x80_0000;

const READ_WRITE = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;

/** A machine with one IOMMU and one device, whose guest memory is mapped by iommufd as IOVA = guest physical address. */
export class RealMachine {
  readonly arena = new Arena();
  readonly frames = new RangeAllocator(this.arena, 0x1000, 0x80000);
  readonly memory = new UserMemory();
  readonly fd = new Iommufd({ memory: this.memory });
  readonly iommu: Iommu;
  readonly platform: IommufdPlatform;
  readonly requester = requesterId(0x10);
  readonly deviceId: number;
  readonly ioasId: number;
  /** Pages of guest memory that were written by DMA and by walkers since the last look. */
  #written = new Set<number>();
  #nextId = 1;

  constructor(
    kind: EmulatedKind,
    { tables, pageShifts }: { tables: string; pageShifts?: readonly number[] },
  ) {
    const capabilities = defaultCapabilities(kind);
    const wrote = (_writer: unknown, _page: number, frame: number) => this.#written.add(frame - FIRST_FRAME);
    this.iommu = new Iommu({
      name: kind,
      kind,
      memory: this.arena,
      registers: registersOf(capabilities),
      rules: DEFAULT_RULES,
      random: new SeededRandom(1),
      observer: { wrote, read: () => undefined },
    });
    const driver = makeDriver({ port: this.iommu, memory: this.arena, frames: this.frames, capabilities });
    const shape = tableChoices(kind).find(({ id }) => id === tables);
    assert.ok(shape, `${kind} has tables ${tables}`);
    const takeId = () => this.#nextId++;
    this.platform = {
      ...guestPlatform(driver, { take: takeId, give: () => undefined }),
      createPaging: ({ dirtyTracking }) => this.#createPaging(driver, shape, dirtyTracking, pageShifts),
    };
    this.run(driver.initialise());
    this.deviceId = this.fd.bind({
      requester: this.requester,
      iommu: this.platform,
      canTrackDirty: driver.canTrackDirty,
      canRequestPages: false,
      ats: false,
      reserved: [],
    });
    this.ioasId = this.run(this.fd.ioasAlloc());
    this.memory.mapRegion(USER_START, GUEST_BYTES, FIRST_FRAME);
    const where = { userAddress: USER_START, length: GUEST_BYTES, iova: GUEST_START };
    this.run(this.fd.ioasMap({ ioasId: this.ioasId, flags: READ_WRITE, ...where }));
  }

  *#createPaging(
    home: IommufdPlatform['driver'],
    choice: ReturnType<typeof tableChoices>[number],
    dirtyTracking: boolean,
    pageShifts: readonly number[] | undefined,
  ): Steps<SoftwareStep, Outcome<TablesDomain>> {
    yield { kind: 'software', name: 'make tables' };
    const shape = choice.shape(defaultCapabilities(home.port.kind));
    const id = this.#nextId++;
    const made = DomainTables.create({
      ...shape,
      memory: this.arena,
      frames: this.frames,
      stage: choice.stage,
      id,
      tracksDirty: dirtyTracking && shape.hardware.setsDirty === true,
      ...(pageShifts ? { pageShifts } : {}),
    });
    if (!made.ok) return made;
    const kernel = { tables: made.value, id, stage: choice.stage, dirtyTracking: false };
    const aperture = { start: 0n, end: 1n << 38n };
    return done(new TablesDomain({ kernel, home, aperture, reporting: 'exact', release: () => undefined }));
  }

  /** Does what software does, and the commands it gives. */
  run<T>(work: Outcome<T> | Steps<SoftwareStep, Outcome<T>>): T {
    const outcome = 'next' in work ? runDriver(work, [this.iommu]) : work;
    assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
    return outcome.value;
  }

  handled(work: Steps<SoftwareStep, Handled>): Handled {
    return runDriver(work, [this.iommu]);
  }

  /** A page table that tracks dirty pages. */
  hwpt(nestParent = false): number {
    const flags = HWPT_ALLOC_DIRTY_TRACKING | (nestParent ? HWPT_ALLOC_NEST_PARENT : 0);
    return this.run(this.fd.hwptAlloc({ deviceId: this.deviceId, pageTableId: this.ioasId, flags }));
  }

  dma(address: bigint, access: 'read' | 'write' = 'write'): RequestOutcome {
    return this.iommu.run({
      requester: this.requester,
      pasid: null,
      addressLo: Number(address & 0xffff_ffffn),
      addressHi: Number(address >> 32n),
      length: 64,
      access,
      kind: 'untranslated',
    });
  }

  /** A write to a page of guest memory that lands. */
  write(page: number): void {
    const outcome = this.dma(GUEST_START + BigInt(page) * 4096n);
    assert.ok(outcome.ok, outcome.ok ? '' : outcome.fault);
  }

  /** Pages of guest memory written since the last call, ascending. */
  written(): number[] {
    const pages = [...this.#written].sort((a, b) => a - b);
    this.#written = new Set();
    return pages;
  }

  /** Units of guest memory that GET_DIRTY_BITMAP tells, ascending. */
  dirty(hwptId: number, flags = 0, pageSize = 4096n): number[] {
    const bits = Number(GUEST_BYTES / pageSize);
    const bytes = new Uint8Array(Math.ceil(bits / 8));
    const range: Pick<GetDirtyBitmap, 'iova' | 'length'> = { iova: GUEST_START, length: GUEST_BYTES };
    const data = { bytes, offset: 0 };
    this.run(this.fd.hwptGetDirtyBitmap({ hwptId, flags, ...range, pageSize, data }));
    return Array.from({ length: bits }, (_, bit) => bit).filter(
      (bit) => (((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1,
    );
  }

  /** The frame behind a guest frame. */
  readonly locate = (guestFrame: number) => frameNumber(guestFrame - GUEST_START_PAGE + FIRST_FRAME);

  /** Writes words of a guest's structure at a guest physical address. */
  writeGuest(address: bigint, words: readonly bigint[]): void {
    for (const [index, word] of words.entries()) {
      const at = Number(address) + 8 * index;
      const frame = this.locate(Math.floor(at / 4096));
      this.arena.addFrame(frame);
      this.arena.writeEntry(frame, (at % 4096) / 8, Number(word & 0xffff_ffffn), Number(word >> 32n));
    }
  }

  /** Frames of guest memory for a guest's tables, from a page on. */
  guestFrames(page: number): FrameAllocator {
    let next = GUEST_START_PAGE + page;
    let allocated = 0;
    return {
      allocate: (count = 1) => {
        const first = Math.ceil(next / count) * count;
        next = first + count;
        for (let frame = first; frame < next; frame++) this.arena.addFrame(this.locate(frame));
        allocated += count;
        return frameNumber(first);
      },
      free: () => undefined,
      get allocated() {
        return allocated;
      },
      isFreed: () => false,
      isAllocated: (frame) => frame >= GUEST_START_PAGE + page && frame < next,
    };
  }
}
