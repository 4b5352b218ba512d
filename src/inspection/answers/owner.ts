import { type DeviceDirectory } from '../../engine/directory/deviceDirectory';
import { formatRequester, requesterId, type RequesterId } from '../../engine/values';
import { findOwner, type DescribedOwner } from '../../image/description/owners';
import { type Inspection, type OpenIommu } from '../inspection';
import { refuse } from '../requestError';

/** A device as a request names it. */
export interface AskedDevice {
  readonly requester: RequesterId;
  /** PCI segment; undefined: any. */
  readonly segment: number | undefined;
}

/** An IOMMU that can be read, and the id that it knows the device by. */
export interface Owner {
  readonly name: string;
  readonly directory: DeviceDirectory;
  readonly id: RequesterId;
}

/**
 * Which IOMMU owns a device: the one that was named; else what the firmware's tables in the image say, then what the
 * description says; when several are left, the only one that has an entry for it. Refuses when there are still several.
 */
export function ownerOf(
  inspection: Inspection,
  device: AskedDevice,
  iommu: string | undefined,
): Owner | undefined {
  const found = candidates(inspection, device);
  if (iommu !== undefined) {
    const own = found.find((each) => each.iommu.summary.name === iommu);
    return { name: iommu, directory: inspection.directory(iommu), id: own ? idOf(own) : device.requester };
  }
  const owners = found.flatMap((each): Owner[] => {
    const { summary, directory } = each.iommu;
    return directory ? [{ name: summary.name, directory, id: idOf(each) }] : [];
  });
  const [first] = owners;
  const [unreadable] = found;
  if (!first) {
    if (!unreadable) return undefined;
    const { name } = unreadable.iommu.summary;
    return { name, directory: inspection.directory(name), id: device.requester };
  }
  if (owners.length === 1) return first;
  const claimants = owners.filter(claims);
  if (claimants.length > 1) {
    const names = claimants.map(({ name }) => name).join(', ');
    refuse(
      'request/ambiguous-device',
      `${formatRequester(device.requester)} may belong to more than one IOMMU: ${names}.`,
      'Name one of them, or give the device with its PCI segment.',
    );
  }
  return claimants[0];
}

type Candidate = DescribedOwner<OpenIommu>;

const idOf = ({ id }: Candidate): RequesterId => requesterId(id);

/** Every IOMMU that may own the device: on its segment, or on all of them. */
function candidates({ iommus, firmware }: Inspection, { requester, segment }: AskedDevice): Candidate[] {
  const described = iommus.map((iommu) => ({ ...iommu.described, iommu }));
  const segments = segment === undefined ? [...new Set(described.map((each) => each.segment))] : [segment];
  return segments.flatMap((each) => {
    const owner = findOwner(described, firmware, each, requester);
    if (owner.kind === 'none') return [];
    const owners = owner.kind === 'owner' ? [owner.owner] : owner.candidates;
    return owners.map(({ iommu, id }) => ({ iommu: iommu.iommu, id }));
  });
}

/** True when the device has a present entry there, be it good or bad. A directory that cannot be read claims nothing. */
function claims({ directory, id }: Owner): boolean {
  const { answer, entries } = directory.lookup(id, null);
  if (answer.kind !== 'fault') return true;
  return entries.some(({ role }) => role === 'context') && answer.fault !== 'context-entry-not-present';
}
