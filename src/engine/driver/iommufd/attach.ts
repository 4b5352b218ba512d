import { type Steps } from '../../steps';
import { type Pasid } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { type Attachment } from '../iommuDriver';
import { type SoftwareStep } from '../softwareStep';
import { type IommufdContext } from './context';
import { destroyHwpt } from './destroy';
import { pagingOf, type Hwpt, type IommufdDevice } from './viommu';
import { allocatePaging } from './hwptAlloc';
import { type Ioas } from './ioas';

/**
 * Attaches a device that is not attached to a page table, or to an address space by a page table that is found or made; the
 * page table's id. EINVAL: attached to another one, of another IOMMU, or marks of D that the device cannot have. What the
 * IOMMU's driver refuses leaves the device where it was; a page table that caches may hold by then counts as used.
 */
export function* attachDevice(
  context: IommufdContext,
  deviceId: number,
  pageTableId: number,
  pasid: Pasid | null,
): Steps<SoftwareStep, Outcome<number>> {
  return yield* change(context, deviceId, pageTableId, pasid, false);
}

/** Attaches an attached device to another page table, without a moment in which it has none. */
export function* replaceDevice(
  context: IommufdContext,
  deviceId: number,
  pageTableId: number,
  pasid: Pasid | null,
): Steps<SoftwareStep, Outcome<number>> {
  return yield* change(context, deviceId, pageTableId, pasid, true);
}

/** Blocks a device's requests; a page table that was made for the attach goes with its last device. */
export function* detachDevice(
  context: IommufdContext,
  deviceId: number,
  pasid: Pasid | null,
): Steps<SoftwareStep, Outcome<null>> {
  const device = context.objects.get(deviceId, 'device');
  if (!device.ok) return device;
  const old = device.value.attached.get(pasid);
  if (!old) return refused('EINVAL', `device ${deviceId} is not attached`);
  const { requester, iommu } = device.value.device;
  const outcome = yield* iommu.driver.attach(requester, pasid, { kind: 'blocked' });
  if (!outcome.ok) return outcome;
  device.value.attached.delete(pasid);
  yield* release(context, device.value, old);
  return done(null);
}

function* change(
  context: IommufdContext,
  deviceId: number,
  pageTableId: number,
  pasid: Pasid | null,
  replaces: boolean,
): Steps<SoftwareStep, Outcome<number>> {
  const device = context.objects.get(deviceId, 'device');
  if (!device.ok) return device;
  const over = context.objects.any(pageTableId);
  if (!over) return refused('ENOENT', `no object ${pageTableId}`);
  const old = device.value.attached.get(pasid);
  if (replaces && !old) return refused('EINVAL', `device ${deviceId} is not attached`);
  if (over.kind === 'ioas') return yield* attachIoas(context, device.value, over, pasid, replaces);
  if (over.kind !== 'hwpt' && over.kind !== 'nested')
    return refused('EINVAL', `a device cannot be attached to a ${over.kind}`);
  const outcome = yield* attachHwpt(context, device.value, over, pasid, replaces);
  return outcome.ok ? done(over.id) : outcome;
}

function* attachIoas(
  context: IommufdContext,
  device: IommufdDevice,
  ioas: Ioas,
  pasid: Pasid | null,
  replaces: boolean,
): Steps<SoftwareStep, Outcome<number>> {
  for (const hwpt of [...context.objects.values()]) {
    if (hwpt.kind !== 'hwpt' || hwpt.ioas !== ioas || !hwpt.auto) continue;
    const outcome = yield* attachHwpt(context, device, hwpt, pasid, replaces);
    if (outcome.ok) return done(hwpt.id);
    // Another IOMMU may need tables of its own.
    if (outcome.errno !== 'EINVAL') return outcome;
  }
  const made = yield* allocatePaging(context, ioas, device, 0, { auto: true, fault: done(undefined) });
  if (!made.ok) return made;
  const outcome = yield* attachHwpt(context, device, made.value, pasid, replaces);
  if (outcome.ok) return done(made.value.id);
  if (made.value.users === 0) yield* destroyHwpt(context, made.value);
  return outcome;
}

function* attachHwpt(
  context: IommufdContext,
  device: IommufdDevice,
  hwpt: Hwpt,
  pasid: Pasid | null,
  replaces: boolean,
): Steps<SoftwareStep, Outcome<null>> {
  const old = device.attached.get(pasid);
  if (old && !replaces)
    return old === hwpt
      ? refused('EBUSY', `device ${device.id} is attached already`)
      : refused('EINVAL', `device ${device.id} is attached to page table ${old.id}`);
  if (old === hwpt) return done(null);
  const paging = pagingOf(hwpt);
  const { requester, iommu, canTrackDirty, canRequestPages, ats, reserved } = device.device;
  if (paging.dirtyTracking && !canTrackDirty)
    return refused(
      'EINVAL',
      'the IOMMU of the device does not track dirty pages, which the page table wants',
    );
  if (hwpt.kind === 'nested' && hwpt.platform !== iommu)
    return refused('EINVAL', 'the nested page table is of another IOMMU');
  if (hwpt.fault && !canRequestPages) return refused('ENODEV', 'the device makes no page requests');
  const joined = paging.domain.join(iommu.driver);
  if (!joined.ok) return joined;
  const isNew = !usesIoas(device, paging.ioas);
  const failed = isNew ? reserveAll(paging.ioas, reserved, device) : undefined;
  const attachment = attachmentOf(hwpt);
  const outcome = failed ?? (yield* iommu.driver.attach(requester, pasid, attachment, { ats }));
  const stale = device.stale.find((each) => each.hwpt === hwpt && each.pasid === pasid);
  if (stale) {
    device.stale = device.stale.filter((each) => each !== stale);
    hwpt.users--;
    paging.domain.leave(iommu.driver);
  }
  if (!outcome.ok && iommu.driver.mayReach(requester, pasid, attachment)) {
    device.stale = [...device.stale, { pasid, hwpt }];
    hwpt.users++;
    return outcome;
  }
  if (!outcome.ok) {
    if (!usesIoas(device, paging.ioas)) paging.ioas.unreserve(device);
    paging.domain.leave(iommu.driver);
    return outcome;
  }
  device.attached.set(pasid, hwpt);
  hwpt.users++;
  if (old) yield* release(context, device, old);
  return done(null);
}

function attachmentOf(hwpt: Hwpt): Attachment {
  return hwpt.kind === 'hwpt'
    ? { kind: 'paging', domain: hwpt.domain.kernel }
    : { kind: 'nested', domain: hwpt.domain };
}

function usesIoas({ attached, stale }: IommufdDevice, ioas: Ioas): boolean {
  const used = [...attached.values(), ...stale.map(({ hwpt }) => hwpt)];
  return used.some((each) => pagingOf(each).ioas === ioas);
}

function reserveAll(
  ioas: Ioas,
  ranges: IommufdDevice['device']['reserved'],
  owner: IommufdDevice,
): Outcome<null> | undefined {
  for (const range of ranges) {
    const outcome = ioas.reserve(range, owner);
    if (!outcome.ok) return outcome;
  }
  return undefined;
}

/** What a device leaves behind at the page table that it had. */
function* release(context: IommufdContext, device: IommufdDevice, hwpt: Hwpt): Steps<SoftwareStep, void> {
  const { ioas, domain } = pagingOf(hwpt);
  hwpt.users--;
  hwpt.fault?.answer(device.id);
  domain.leave(device.device.iommu.driver);
  if (!usesIoas(device, ioas)) ioas.unreserve(device);
  if (hwpt.kind === 'hwpt' && hwpt.auto && hwpt.users === 0) yield* destroyHwpt(context, hwpt);
}
