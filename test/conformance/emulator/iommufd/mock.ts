/**
 * The mock IOMMU of the kernel's iommufd selftests (drivers/iommu/iommufd/selftest.c), over this engine's own AMD v1 tables
 * and arena. The engine counts pages of 4 KiB, so that all sizes are twice those of the selftests, on a machine with pages of
 * 8 KiB: the IOMMU's smallest page (there 2 KiB) is half of the CPU's page (there 4 KiB), its huge page is 512 of its small
 * ones. All numbers of pages, bits and groups are those of the selftests.
 */
import { done, refused, type Outcome } from '../../../../src/engine/driver/errno';
import { type Flusher } from '../../../../src/engine/driver/flusher';
import {
  type Attachment,
  type IommuDriver,
  type NestedDomain,
} from '../../../../src/engine/driver/iommuDriver';
import {
  type GuestDomains,
  type Handled,
  type IommufdPlatform,
  type PlatformDevice,
  type UserArray,
  type UserData,
  type VirtualIds,
  type VirtualIommuPlatform,
} from '../../../../src/engine/driver/iommufd/platform';
import { TablesDomain } from '../../../../src/engine/driver/iommufd/tablesDomain';
import { type SoftwareStep } from '../../../../src/engine/driver/softwareStep';
import { type Steps } from '../../../../src/engine/steps';
import { DomainTables } from '../../../../src/engine/driver/pageTable/domainTables';
import { amdV1 } from '../../../../src/engine/formats/amdV1';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { frameNumber, requesterId } from '../../../../src/engine/values';
import { walkTables } from '../../../../src/engine/pageTable/walk';

/** Of the CPU, of the mock IOMMU, and its huge one. */
export const PAGE_SIZE = 8192n;
export const MOCK_PAGE_SIZE = PAGE_SIZE / 2n;
export const MOCK_HUGE_PAGE_SIZE = 512n * MOCK_PAGE_SIZE;
export const HUGEPAGE_SIZE = 512n * PAGE_SIZE;
export const BUFFER_SIZE = 16n * PAGE_SIZE;
export const MOCK_APERTURE_START = 1n << 24n;
export const MOCK_APERTURE_END = 1n << 31n;

export const HWPT_DATA_SELFTEST = 0xdead;
export const INVALIDATE_DATA_SELFTEST = 0xdeadbeef;
export const INVALIDATE_FLAG_ALL = 1;
export const IOTLB_ENTRIES = 4;
export const IOTLB_DEFAULT = 0xbadbeef;
export const DEVICE_CACHES = 4;
export const DEVICE_CACHE_DEFAULT = 0xbadbeef;
export const HW_INFO_SELFTEST = 0xfeedbeef;
export const HW_INFO_REGISTER = 0xdeadbeef;
export const VIOMMU_TYPE_SELFTEST = 0xdeadbeef;
export const VEVENTQ_TYPE_SELFTEST = 0xbeefbeef;
export const HW_QUEUE_TYPE_SELFTEST = 0xdeadbeef;
export const HW_QUEUES = 2;

/** Attaches and flushes nothing; marks of D are made by the tests. */
class MockDriver implements IommuDriver {
  readonly port = {
    name: 'mock',
    kind: 'amd-vi' as const,
    registers: new Map<string, bigint>(),
    writeRegister: () => undefined,
  };
  readonly canTrackDirty = true;
  readonly dirtyStages = [1, 2] as const;
  readonly #attached = new Map<number, Attachment>();
  flushes = 0;

  *initialise() {
    yield { kind: 'software', name: 'initialise' } as const;
    return done(null);
  }

  checkNested(): Outcome<null> {
    return done(null);
  }

  attached(requester: number): Attachment {
    return this.#attached.get(requester) ?? { kind: 'blocked' };
  }

  mayReach(): boolean {
    return false;
  }

  *attach(requester: number, _pasid: number | null, attachment: Attachment) {
    this.#attached.set(requester, attachment);
    yield { kind: 'software', name: 'attach' } as const;
    return done(null);
  }

  *setDirtyTracking(domain: { dirtyTracking: boolean }, enable: boolean) {
    domain.dirtyTracking = enable;
    yield { kind: 'software', name: 'track' } as const;
    return done(null);
  }

  flusherOf(): Flusher {
    const count = () => this.flushes++;
    return {
      *flush() {
        count();
        yield { kind: 'software', name: 'flush' } as const;
        return done(null);
      },
      *flushAll() {
        count();
        yield { kind: 'software', name: 'flush' } as const;
        return done(null);
      },
      clean: () => undefined,
      *changeTop() {
        yield { kind: 'software', name: 'change top' } as const;
        return done(null);
      },
    };
  }

  *submit() {
    yield { kind: 'software', name: 'submit' } as const;
    return done(null);
  }

  *invalidateNested() {
    yield { kind: 'software', name: 'invalidate' } as const;
    return { handled: 0, outcome: refused('EOPNOTSUPP', 'the platform does it') };
  }

  *invalidateVirtual() {
    yield { kind: 'software', name: 'invalidate' } as const;
    return { handled: 0, outcome: refused('EOPNOTSUPP', 'the platform does it') };
  }
}

/** A mock IOMMU; `huge`: its page tables have huge pages, too. */
export class MockIommu implements IommufdPlatform {
  readonly arena = new Arena();
  readonly frames = new RangeAllocator(this.arena, 0x10_0000, 0x20_0000);
  readonly driver = new MockDriver();
  readonly hardwareInfo = {
    type: HW_INFO_SELFTEST,
    data: new Uint8Array(Uint32Array.of(0, HW_INFO_REGISTER).buffer),
  };
  readonly #huge: boolean;
  /** The IOTLBs of nested domains. */
  readonly #iotlbs = new WeakMap<NestedDomain, number[]>();
  /** The caches of devices, by requester. */
  readonly caches = new Map<number, number[]>();
  readonly virtual: VirtualIommuPlatform;
  #nextId = 1;

  constructor(huge = false) {
    this.#huge = huge;
    this.virtual = {
      types: [VIOMMU_TYPE_SELFTEST],
      eventTypes: [VEVENTQ_TYPE_SELFTEST],
      queueTypes: [HW_QUEUE_TYPE_SELFTEST],
      queues: HW_QUEUES,
      invalidate: (_parent, ids, array) => this.#invalidateCaches(ids, array),
    };
  }

  /** A device behind it. */
  device(options: { readonly noDirty?: boolean } = {}): PlatformDevice {
    const requester = requesterId(this.#nextId++);
    this.caches.set(requester, new Array<number>(DEVICE_CACHES).fill(DEVICE_CACHE_DEFAULT));
    return {
      requester,
      iommu: this,
      canTrackDirty: options.noDirty !== true,
      canRequestPages: true,
      ats: false,
      reserved: [],
    };
  }

  *createPaging() {
    const made = DomainTables.create({
      memory: this.arena,
      frames: this.frames,
      format: amdV1,
      rootDepth: 3,
      pageShifts: this.#huge ? [12, 21] : [12],
    });
    yield { kind: 'software', name: 'make tables' } as const;
    if (!made.ok) return made;
    const kernel = { tables: made.value, id: this.#nextId++, stage: 2 as const, dirtyTracking: false };
    return done(
      new TablesDomain({
        kernel,
        home: this.driver,
        aperture: { start: MOCK_APERTURE_START, end: MOCK_APERTURE_END },
        reporting: 'generic-pt',
        release: () => undefined,
      }),
    );
  }

  createNested(parent: NestedDomain['parent'], { type, length, data }: UserData): Outcome<NestedDomain> {
    if (type !== HWPT_DATA_SELFTEST) return refused('EOPNOTSUPP', 'another type');
    if (length < 4) return refused('EINVAL', 'too short');
    if (!data) return refused('EFAULT', 'a bad pointer');
    const word = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
    const domain = { parent, id: parent.id, words: [BigInt(word)] };
    this.#iotlbs.set(domain, new Array<number>(IOTLB_ENTRIES).fill(word));
    return done(domain);
  }

  destroyNested(domain: NestedDomain, _guest?: GuestDomains): void {
    this.#iotlbs.delete(domain);
  }

  iotlb(domain: NestedDomain): readonly number[] {
    return this.#iotlbs.get(domain) ?? [];
  }

  *invalidateNested(domain: NestedDomain, array: UserArray): Steps<SoftwareStep, Handled> {
    yield { kind: 'software', name: 'invalidate' };
    const iotlb = this.#iotlbs.get(domain) ?? [];
    return invalidate(array, 2, ([flags = 0, id = 0]) => {
      if (flags & ~INVALIDATE_FLAG_ALL) return refused('EOPNOTSUPP', 'flags');
      if (id >= IOTLB_ENTRIES) return refused('EINVAL', 'no such entry');
      if (flags & INVALIDATE_FLAG_ALL) iotlb.fill(0);
      else iotlb[id] = 0;
      return done(null);
    });
  }

  *#invalidateCaches(ids: VirtualIds, array: UserArray): Steps<SoftwareStep, Handled> {
    yield { kind: 'software', name: 'invalidate' };
    return invalidate(array, 3, ([flags = 0, device = 0, id = 0]) => {
      if (flags & ~INVALIDATE_FLAG_ALL) return refused('EOPNOTSUPP', 'flags');
      if (id >= DEVICE_CACHES) return refused('EINVAL', 'no such cache');
      const requester = ids.requesterOf(BigInt(device));
      const caches = requester === undefined ? undefined : this.caches.get(requester);
      if (!caches) return refused('EINVAL', 'no such device');
      if (flags & INVALIDATE_FLAG_ALL) caches.fill(0);
      else caches[id] = 0;
      return done(null);
    });
  }
}

/** Entries of 32-bit words, up to the first that is refused. */
function invalidate(
  { type, entryLength, entryNumber, data }: UserArray,
  words: number,
  each: (entry: number[]) => Outcome<null>,
): Handled {
  if (type !== INVALIDATE_DATA_SELFTEST) return { handled: 0, outcome: refused('EINVAL', 'another type') };
  if (entryNumber > 0 && entryLength !== 4 * words)
    return { handled: 0, outcome: refused('EINVAL', 'another length') };
  const view = data ? new DataView(data.buffer, data.byteOffset) : undefined;
  for (let index = 0; index < entryNumber; index++) {
    const entry = Array.from({ length: words }, (_, word) =>
      view ? view.getUint32(index * entryLength + 4 * word, true) : 0,
    );
    const outcome = each(entry);
    if (!outcome.ok) return { handled: index, outcome };
  }
  return { handled: entryNumber, outcome: done(null) };
}

const DIRTY = 1 << 6;

/** Marks the leaf that maps an address dirty, as a DMA write would; false: it was. */
export function markDirty({ memory, space }: DomainTables, iova: bigint): boolean {
  const { step } = leafOf(space, iova);
  const lo = (step.lo | DIRTY) >>> 0;
  if (lo === step.lo >>> 0) return false;
  return memory.writeEntry(frameNumber(step.table), step.index, lo, step.hi);
}

/** Where an address leads. */
export function translate({ space }: DomainTables, iova: bigint): bigint | undefined {
  const { outcome } = leafOf(space, iova);
  return outcome.ok ? (BigInt(outcome.paddrHi >>> 0) << 32n) | BigInt(outcome.paddrLo >>> 0) : undefined;
}

function leafOf(space: DomainTables['space'], iova: bigint) {
  const { steps, outcome } = walkTables(space, Number(iova & 0xffff_ffffn), Number(iova >> 32n), false);
  const step = steps.at(-1);
  if (!step) throw new Error('a walk has steps');
  return { step, outcome };
}
