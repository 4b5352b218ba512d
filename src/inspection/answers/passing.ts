import { type DirectoryAnswer } from '../../engine/directory/deviceDirectory';
import { requesterId } from '../../engine/values';
import { type Inspection, type OpenIommu } from '../inspection';
import { type DeviceName } from '../questions';
import { type Work } from '../work';

/** Devices that a row names. */
export const NAMED_DEVICES = 16;
/** PCI requester ids. */
const ALL_REQUESTERS = 0x1_0000;

/** Devices that pass untranslated in the same way. */
interface PassingDevices {
  readonly answer: DirectoryAnswer;
  readonly devices: DeviceName[];
  count: number;
  /** They have no valid entry. */
  readonly absent?: true;
}

/** Of each IOMMU, kept as long as its source is open. */
const known = new WeakMap<OpenIommu, readonly PassingDevices[]>();

/** The devices that pass untranslated, by what they may do; also those without an entry where these pass. */
export function* passingDevices(inspection: Inspection, iommu: OpenIommu): Work<readonly PassingDevices[]> {
  const { directory, summary } = iommu;
  const kept = known.get(iommu);
  if (kept || !directory) return kept ?? [];
  const { requesters, pasids, states } = yield* inspection.devices(summary.name);
  const groups = new Map<string, PassingDevices>();
  const add = (device: DeviceName, answer: DirectoryAnswer, absent: boolean): void => {
    if (answer.kind !== 'pass-through') return;
    const key = `${answer.permission}/${answer.addressBits ?? ''}/${String(absent)}`;
    const group = groups.get(key) ?? { answer, devices: [], count: 0, ...(absent ? { absent: true } : {}) };
    if (group.devices.length < NAMED_DEVICES) group.devices.push(device);
    group.count++;
    groups.set(key, group);
  };
  for (let row = 0; row < requesters.length; row++) {
    const requester = requesters[row];
    if (states[row] !== 'pass-through' || requester === undefined) continue;
    const pasid = pasids[row] ?? null;
    add({ requester, pasid }, directory.lookup(requester, pasid).answer, false);
    yield 8;
  }
  if (directory.passesWithoutEntry) {
    const listed = new Set<number>(requesters);
    for (let id = 0; id < ALL_REQUESTERS; id++) {
      if (listed.has(id)) continue;
      add({ requester: id, pasid: null }, directory.lookup(requesterId(id), null).answer, true);
      if (id % 64 === 0) yield 64;
    }
  }
  const found = [...groups.values()];
  known.set(iommu, found);
  return found;
}
