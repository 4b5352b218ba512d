import { done, type Outcome } from '../driver/errno';
import { type Iommufd } from '../driver/iommufd/iommufd';
import { type SoftwareStep } from '../driver/softwareStep';
import { type Steps } from '../steps';
import { type Pasid } from '../values';
import { type AttachedTo, type MachineFunction } from './unit';

/** Attaches a device through iommufd, or past it where it is to have no page table. */
export function* attaching(
  iommufd: Iommufd,
  { unit, requester, id }: MachineFunction,
  pasid: Pasid | null,
  now: AttachedTo,
  to: AttachedTo,
): Steps<SoftwareStep, Outcome<null>> {
  if (typeof to === 'number') {
    const replaces = typeof now === 'number';
    const attached = yield* replaces ? iommufd.replace(id, to, pasid) : iommufd.attach(id, to, pasid);
    return attached.ok ? done(null) : attached;
  }
  if (typeof now === 'number') {
    const detached = yield* iommufd.detach(id, pasid);
    if (!detached.ok) return detached;
  }
  return yield* unit.driver.attach(requester, pasid, { kind: to });
}
