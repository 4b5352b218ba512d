import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type IommufdContext } from './context';
import { type IommufdDevice } from './viommu';
import { type FaultQueue } from './faultQueue';
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_DATA_NONE,
  HWPT_FAULT_ID_VALID,
  type PagingHwpt,
} from './hwpt';
import { type Hwpt, type NestedHwpt } from './viommu';
import { type Ioas } from './ioas';
import { type UserData } from './platform';
import { type VirtualIommu } from './viommu';

/** IOMMU_HWPT_ALLOC. */
export interface HwptAlloc {
  readonly deviceId: number;
  /** An IO address space; a nest parent or a vIOMMU, of which a nested one is made. */
  readonly pageTableId: number;
  readonly flags?: number;
  readonly data?: UserData;
  readonly faultId?: number;
}

const PAGING_FLAGS = HWPT_ALLOC_NEST_PARENT | HWPT_ALLOC_DIRTY_TRACKING | HWPT_FAULT_ID_VALID;
const NO_DATA: UserData = { type: HWPT_DATA_NONE, length: 0, data: null };

/** Makes a hardware page table; its id. Order of the checks as in Linux iommufd_hwpt_alloc. */
export function* allocateHwpt(
  context: IommufdContext,
  { deviceId, pageTableId, flags = 0, data = NO_DATA, faultId = 0 }: HwptAlloc,
): Steps<SoftwareStep, Outcome<number>> {
  if ((data.type === HWPT_DATA_NONE) !== (data.length === 0))
    return refused('EINVAL', 'data has a type and a length, or neither');
  const device = context.objects.get(deviceId, 'device');
  if (!device.ok) return device;
  const over = context.objects.any(pageTableId);
  const fault = flags & HWPT_FAULT_ID_VALID ? context.objects.get(faultId, 'fault') : done(undefined);
  let made: Outcome<Hwpt>;
  if (over?.kind === 'ioas') {
    made = yield* allocatePaging(context, over, device.value, flags, { auto: false, data, fault });
  } else if (over?.kind === 'hwpt') {
    made = allocateNested(context, over, device.value, flags, data, fault);
  } else if (over?.kind === 'viommu') {
    made = allocateGuest(context, over, device.value, flags, data, fault);
  } else {
    return refused('EINVAL', `object ${pageTableId} is nothing that a page table can be made of`);
  }
  return made.ok ? done(made.value.id) : made;
}

/** A page table of the kernel's for an address space, filled with what is mapped there. */
export function* allocatePaging(
  context: IommufdContext,
  ioas: Ioas,
  { device }: IommufdDevice,
  flags: number,
  options: {
    readonly auto: boolean;
    readonly data?: UserData;
    readonly fault: Outcome<FaultQueue | undefined>;
  },
): Steps<SoftwareStep, Outcome<PagingHwpt>> {
  if (flags & ~PAGING_FLAGS)
    return refused('EOPNOTSUPP', `flags 0x${(flags >>> 0).toString(16)} are not known`);
  const dirtyTracking = (flags & HWPT_ALLOC_DIRTY_TRACKING) !== 0;
  const nestParent = (flags & HWPT_ALLOC_NEST_PARENT) !== 0;
  if (dirtyTracking && !device.canTrackDirty)
    return refused('EOPNOTSUPP', 'the IOMMU of the device does not track dirty pages');
  if (options.data && options.data.length > 0)
    return refused('EOPNOTSUPP', 'the driver takes no data for page tables of the kernel');
  const { fault } = options;
  if (!fault.ok) return fault;
  const domain = yield* device.iommu.createPaging({ dirtyTracking, nestParent });
  if (!domain.ok) return domain;
  const added = yield* ioas.addDomain(domain.value);
  if (!added.ok) {
    yield* domain.value.destroy();
    return added;
  }
  ioas.users++;
  if (fault.value) fault.value.users++;
  const hwpt: PagingHwpt = {
    kind: 'hwpt',
    id: context.objects.nextId(),
    users: 0,
    ioas,
    platform: device.iommu,
    domain: domain.value,
    auto: options.auto,
    nestParent,
    dirtyTracking,
    fault: fault.value,
  };
  context.objects.add(hwpt);
  return done(hwpt);
}

function allocateNested(
  context: IommufdContext,
  parent: PagingHwpt,
  { device }: IommufdDevice,
  flags: number,
  data: UserData,
  fault: Outcome<FaultQueue | undefined>,
): Outcome<NestedHwpt> {
  if (flags & ~HWPT_FAULT_ID_VALID || data.length === 0)
    return refused('EOPNOTSUPP', 'a nested page table takes the driver’s data and no other flags');
  if (parent.auto || !parent.nestParent || parent.platform.driver.port.kind !== device.iommu.driver.port.kind)
    return refused('EINVAL', `page table ${parent.id} is no nest parent for this device`);
  return nested(context, parent, undefined, device.iommu, data, fault);
}

function allocateGuest(
  context: IommufdContext,
  viommu: VirtualIommu,
  { device }: IommufdDevice,
  flags: number,
  data: UserData,
  fault: Outcome<FaultQueue | undefined>,
): Outcome<NestedHwpt> {
  if (viommu.platform !== device.iommu)
    return refused('EINVAL', 'the device is behind another IOMMU than the vIOMMU');
  if (flags & ~HWPT_FAULT_ID_VALID || data.length === 0)
    return refused('EOPNOTSUPP', 'a nested page table takes the driver’s data and no other flags');
  return nested(context, viommu.parent, viommu, device.iommu, data, fault);
}

function nested(
  context: IommufdContext,
  parent: PagingHwpt,
  viommu: VirtualIommu | undefined,
  platform: NestedHwpt['platform'],
  data: UserData,
  fault: Outcome<FaultQueue | undefined>,
): Outcome<NestedHwpt> {
  const domain = platform.createNested(parent.domain.kernel, data, viommu);
  if (!domain.ok) return domain;
  if (!fault.ok) {
    platform.destroyNested(domain.value, viommu);
    return fault;
  }
  (viommu ?? parent).users++;
  if (fault.value) fault.value.users++;
  const hwpt: NestedHwpt = {
    kind: 'nested',
    id: context.objects.nextId(),
    users: 0,
    parent,
    platform,
    domain: domain.value,
    viommu,
    fault: fault.value,
  };
  context.objects.add(hwpt);
  return done(hwpt);
}
