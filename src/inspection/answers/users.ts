import { type DeviceDirectory } from '../../engine/directory/deviceDirectory';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { type Pasid, type RequesterId } from '../../engine/values';
import { stateOf, type DeviceState } from '../deviceTable';
import { type Work } from '../work';

/** What an address space is to a device: it takes its addresses, those of the upper end, or is the stage 2 below. */
type SpaceRole = 'lower' | 'upper' | 'below';
export const SPACE_ROLES: readonly SpaceRole[] = ['lower', 'upper', 'below'];

/** A device or one of its processes, and the address spaces of its requests. */
export interface User {
  readonly requester: RequesterId;
  readonly pasid: Pasid | null;
  readonly state: DeviceState;
  readonly spaces: Readonly<Partial<Record<SpaceRole, AddressSpace>>>;
}

/** Every device and process of an IOMMU, in the directory's order, which bounds their number. */
export function* readUsers(directory: DeviceDirectory | undefined): Work<readonly User[]> {
  const users: User[] = [];
  for (const device of directory?.devices() ?? []) {
    if (!device) {
      yield 256;
      continue;
    }
    const { requester, pasid, lookup } = device;
    const { answer } = lookup;
    const spaces =
      answer.kind === 'table'
        ? {
            lower: answer.space,
            ...(answer.upper ? { upper: answer.upper } : {}),
            ...(answer.space.stage2 ? { below: answer.space.stage2 } : {}),
          }
        : {};
    users.push({ requester, pasid, state: stateOf(lookup), spaces });
  }
  return users;
}
