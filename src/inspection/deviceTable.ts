import { type DeviceDirectory, type DirectoryLookup } from '../engine/directory/deviceDirectory';
import { type AddressSpace } from '../engine/pageTable/addressSpace';
import { type Pasid, type RequesterId } from '../engine/values';
import { spacesOf } from './spaces';
import { type Work } from './work';

export type DeviceState = 'table' | 'pass-through' | 'blocked';

/** One address space and who uses it; a stage 2 below is used by who uses the stage 1 above. */
export interface SharedSpace {
  readonly space: AddressSpace;
  /** Ascending, each once. */
  readonly requesters: RequesterId[];
}

/** Every device and process that a directory holds an entry for, in its order; parallel arrays. */
export interface DeviceTable {
  readonly requesters: readonly RequesterId[];
  /** Null: requests without a PASID. */
  readonly pasids: readonly (Pasid | null)[];
  readonly states: readonly DeviceState[];
  /** Distinct requesters. */
  readonly devices: number;
  readonly spaces: readonly SharedSpace[];
  /** By address space: its place in `spaces`. */
  readonly indexOf: ReadonlyMap<AddressSpace, number>;
}

export const NO_DEVICES: DeviceTable = {
  requesters: [],
  pasids: [],
  states: [],
  devices: 0,
  spaces: [],
  indexOf: new Map(),
};

/** Reads the whole directory once; what a directory lists is bounded by itself. */
export function* readDevices(directory: DeviceDirectory): Work<DeviceTable> {
  const requesters: RequesterId[] = [];
  const pasids: (Pasid | null)[] = [];
  const states: DeviceState[] = [];
  const spaces: SharedSpace[] = [];
  const indexOf = new Map<AddressSpace, number>();
  let devices = 0;
  for (const device of directory.devices()) {
    if (!device) {
      yield 256;
      continue;
    }
    const { requester, pasid, lookup } = device;
    if (requesters.at(-1) !== requester) devices++;
    requesters.push(requester);
    pasids.push(pasid);
    states.push(stateOf(lookup));
    for (const space of spacesOf(lookup.answer)) {
      const index = indexOf.get(space) ?? spaces.length;
      if (index === spaces.length) {
        indexOf.set(space, index);
        spaces.push({ space, requesters: [] });
      }
      const users = spaces[index]?.requesters;
      if (users?.at(-1) !== requester) users?.push(requester);
    }
  }
  return { requesters, pasids, states, devices, spaces, indexOf };
}

export function stateOf(lookup: DirectoryLookup): DeviceState {
  return lookup.answer.kind === 'fault' ? 'blocked' : lookup.answer.kind;
}
