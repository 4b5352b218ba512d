import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { type AnyObject, type IommufdContext } from './context';
import { type PagingHwpt } from './hwpt';
import { ADDRESS_END } from './ranges';

/** IOMMU_DESTROY. EBUSY: others use it; ENOENT: no such object. */
export function* destroyObject(context: IommufdContext, id: number): Steps<SoftwareStep, Outcome<null>> {
  const object = context.objects.any(id);
  if (!object) return refused('ENOENT', `no object ${id}`);
  if (object.users > 0) return refused('EBUSY', `object ${id} (${object.kind}) is in use`);
  switch (object.kind) {
    case 'device':
      return refused('EBUSY', `device ${id} belongs to its driver, which unbinds it`);
    case 'ioas': {
      const unmapped = yield* object.unmap({ start: 0n, end: ADDRESS_END });
      if (!unmapped.ok && unmapped.errno !== 'ENOENT') return unmapped;
      break;
    }
    case 'hwpt':
      return yield* destroyHwpt(context, object);
    default:
      forget(object);
  }
  context.objects.remove(object);
  return done(null);
}

/** EBUSY: a dirty read of its address space does not end; the page table stays. */
export function* destroyHwpt(context: IommufdContext, hwpt: PagingHwpt): Steps<SoftwareStep, Outcome<null>> {
  const removed = yield* hwpt.ioas.removeDomain(hwpt.domain);
  if (!removed.ok) return removed;
  yield* hwpt.domain.destroy();
  hwpt.ioas.users--;
  if (hwpt.fault) hwpt.fault.users--;
  context.objects.remove(hwpt);
  return done(null);
}

/** Gives back what an object holds of others. */
function forget(object: Exclude<AnyObject, { readonly kind: 'device' | 'ioas' | 'hwpt' }>): void {
  switch (object.kind) {
    case 'nested':
      object.platform.destroyNested(object.domain, object.viommu);
      (object.viommu ?? object.parent).users--;
      if (object.fault) object.fault.users--;
      break;
    case 'fault':
      object.close();
      break;
    case 'viommu':
      object.parent.users--;
      break;
    case 'vdevice':
      object.viommu.devices.delete(object.virtualId);
      object.viommu.users--;
      object.device.virtual = undefined;
      break;
    case 'veventq':
      object.viommu.events.delete(object.type);
      object.viommu.users--;
      break;
    case 'hwqueue': {
      object.access.close();
      object.viommu.queues.pop();
      object.viommu.users--;
      const before = object.viommu.queues.at(-1);
      if (before) before.users--;
      break;
    }
    case 'access':
      object.access.close();
  }
}
