import {
  type AddressSpace,
  type DeviceDirectory,
  type DirectoryLookup,
} from '../engine/directory/deviceDirectory';
import { type RequesterId } from '../engine/values';
import { type Work } from './work';

export type DeviceState = 'table' | 'pass-through' | 'blocked';

/** One address space and who uses it. */
export interface SharedSpace {
  readonly space: AddressSpace;
  readonly requesters: RequesterId[];
}

/** Every device that a directory holds an entry for, by ascending requester id; parallel arrays. */
export interface DeviceTable {
  readonly requesters: readonly RequesterId[];
  readonly states: readonly DeviceState[];
  /** Index in `spaces`, or -1. */
  readonly spaceOf: readonly number[];
  readonly spaces: readonly SharedSpace[];
}

/** Reads the whole directory once: at most 65,536 entries. */
export function* readDevices(directory: DeviceDirectory): Work<DeviceTable> {
  const requesters: RequesterId[] = [];
  const states: DeviceState[] = [];
  const spaceOf: number[] = [];
  const spaces: SharedSpace[] = [];
  const indexOf = new Map<AddressSpace, number>();
  for (const device of directory.devices()) {
    if (!device) {
      yield 256;
      continue;
    }
    requesters.push(device.requester);
    states.push(stateOf(device.lookup));
    const { answer } = device.lookup;
    if (answer.kind !== 'table') {
      spaceOf.push(-1);
      continue;
    }
    const index = indexOf.get(answer.space) ?? spaces.length;
    if (index === spaces.length) {
      indexOf.set(answer.space, index);
      spaces.push({ space: answer.space, requesters: [] });
    }
    spaces[index]?.requesters.push(device.requester);
    spaceOf.push(index);
  }
  return { requesters, states, spaceOf, spaces };
}

export function stateOf(lookup: DirectoryLookup): DeviceState {
  return lookup.answer.kind === 'fault' ? 'blocked' : lookup.answer.kind;
}
