import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type IommuDriver, type KernelDomain, type NestedDomain } from '../iommuDriver';
import { type SoftwareStep } from '../softwareStep';
import { VEVENTQ_TYPE_SMMUV3 } from './eventQueue';
import { type ArrayRule, NESTED_DATA, readArray, readData } from './nestedData';
import {
  type GuestDomains,
  type Handled,
  type IommufdPlatform,
  type UserArray,
  type UserData,
  type VirtualIds,
  type VirtualIommuPlatform,
} from './platform';
import { VIOMMU_TYPE_SMMUV3 } from './viommu';

/** Ids that caches know domains by. */
export interface DomainIds {
  /** Undefined: all are used. */
  take(): number | undefined;
  give(id: number): void;
}

/** IOMMU_VIOMMU_TYPE_*, IOMMU_VEVENTQ_TYPE_* and IOMMU_HW_QUEUE_TYPE_* of include/uapi/linux/iommufd.h. */
export const VIRTUAL_TYPES = {
  smmuv3: { viommu: VIOMMU_TYPE_SMMUV3, events: VEVENTQ_TYPE_SMMUV3, queue: 1 },
  /** Not assigned yet: ours. */
  'amd-vi': { viommu: 3, events: 0x8000_0001, queue: 0x8000_0001 },
} as const;
const MOST_QUEUES = 2;
/** Commands that Linux gives to an SMMU at a time. */
const SMMU_BATCH = 63;

/** IOMMU_HW_INFO_TYPE_*: registers as the kernel shows them, as 32-bit halves. */
const HARDWARE_INFO = {
  'vt-d': { type: 1, names: [null, 'CAP', 'ECAP'] },
  smmuv3: { type: 2, names: ['IDR0', 'IDR1', 'IDR2', 'IDR3', 'IDR4', 'IDR5', 'IIDR', 'AIDR'] },
  'amd-vi': { type: 4, names: ['ExtFeat', 'ExtFeat2'] },
  riscv: { type: 0, names: [] },
} as const;

/** What iommufd asks of an IOMMU for guests: stage-1 tables of theirs, vIOMMUs. Page tables of the kernel are left to the caller. */
export function guestPlatform(driver: IommuDriver, ids: DomainIds): Omit<IommufdPlatform, 'createPaging'> {
  const { kind } = driver.port;
  const rule = NESTED_DATA[kind];
  const virtual = virtualOf(driver);
  const guestDomains = new WeakMap<NestedDomain, number>();
  return {
    driver,
    hardwareInfo: hardwareInfo(driver),
    createNested(parent, data, guest) {
      return createNested(driver, ids, guestDomains, parent, data, guest);
    },
    destroyNested(domain, guest) {
      const guestDomain = guestDomains.get(domain);
      if (guestDomain === undefined) {
        if (domain.id !== domain.parent.id) ids.give(domain.id);
      } else if (guest?.dropDomain(guestDomain) === true) ids.give(domain.id);
    },
    *invalidateNested(domain, array) {
      return yield* invalidate(rule.invalidation, array, (entries) =>
        driver.invalidateNested(domain, entries),
      );
    },
    ...(virtual ? { virtual } : {}),
  };
}

/** VT-d has a domain id for each stage 1; AMD one for each DomainID of the guest's; others use the parent's. */
function createNested(
  driver: IommuDriver,
  ids: DomainIds,
  guestDomains: WeakMap<NestedDomain, number>,
  parent: KernelDomain,
  data: UserData,
  guest: GuestDomains | undefined,
): Outcome<NestedDomain> {
  const { kind } = driver.port;
  const words = readData(NESTED_DATA[kind], data);
  if (!words.ok) return words;
  const allowed = driver.checkNested({ parent, id: parent.id, words: words.value });
  if (!allowed.ok) return allowed;
  if (kind !== 'vt-d' && kind !== 'amd-vi') return done({ parent, id: parent.id, words: words.value });
  const guestDomain = kind === 'amd-vi' ? Number((words.value[1] ?? 0n) & 0xffffn) : undefined;
  const known = guestDomain === undefined ? undefined : guest?.domainOf(guestDomain);
  const id = known ?? ids.take();
  if (id === undefined) return refused('ENOSPC', 'all domain ids are used');
  const domain = { parent, id, words: words.value };
  if (guest && guestDomain !== undefined) {
    guest.useDomain(guestDomain, () => id);
    guestDomains.set(domain, guestDomain);
  }
  return done(domain);
}

function virtualOf(driver: IommuDriver): VirtualIommuPlatform | undefined {
  const { kind } = driver.port;
  if (kind !== 'smmuv3' && kind !== 'amd-vi') return undefined;
  const types = VIRTUAL_TYPES[kind];
  return {
    types: [types.viommu],
    eventTypes: [types.events],
    queueTypes: [types.queue],
    queues: MOST_QUEUES,
    *invalidate(parent: KernelDomain, ids: VirtualIds, array: UserArray) {
      return yield* invalidate(
        NESTED_DATA[kind].virtualInvalidation,
        array,
        (entries) => driver.invalidateVirtual(parent, ids, entries),
        SMMU_BATCH,
      );
    },
  };
}

/** Hands entries over, `batch` at a time: those before one that is refused are executed, and count as handled. */
function* invalidate(
  rule: ArrayRule | undefined,
  array: UserArray,
  give: (entries: readonly (readonly bigint[])[]) => Steps<SoftwareStep, Handled>,
  batch = 1,
): Steps<SoftwareStep, Handled> {
  if (!rule) return { handled: 0, outcome: refused('EOPNOTSUPP', 'no invalidations by arrays here') };
  const { entries, outcome } = readArray(rule, array);
  let handled = 0;
  while (handled < entries.length) {
    const part = entries.slice(handled, handled + batch);
    const result = yield* give(part);
    if (!result.outcome.ok) return { handled: handled + result.handled, outcome: result.outcome };
    handled += part.length;
  }
  return { handled, outcome };
}

function hardwareInfo({ port }: IommuDriver): IommufdPlatform['hardwareInfo'] {
  const { type, names } = HARDWARE_INFO[port.kind];
  const wide = port.kind !== 'smmuv3';
  // Flags and padding come first but for AMD.
  const header = port.kind === 'smmuv3' ? 8 : 0;
  const data = new Uint8Array(header + names.length * (wide ? 8 : 4));
  const view = new DataView(data.buffer);
  for (const [index, name] of names.entries()) {
    const value = name === null ? 0n : (port.registers.get(name) ?? 0n);
    if (wide) view.setBigUint64(8 * index, value, true);
    else view.setUint32(header + 4 * index, Number(value & 0xffff_ffffn), true);
  }
  return { type, data };
}
