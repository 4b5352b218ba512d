import { type DeviceDirectory } from '../../engine/directory/deviceDirectory';
import { type RequesterId, formatRequester } from '../../engine/values';
import { type Inspection } from '../inspection';
import { refuse } from '../requestError';

/** An IOMMU that can be read, by name. */
export interface Owner {
  readonly name: string;
  readonly directory: DeviceDirectory;
}

/** Which IOMMU owns a device: the one that was named, the only one, or the only one that has an entry for it. */
export function ownerOf(
  inspection: Inspection,
  requester: RequesterId,
  iommu: string | undefined,
): Owner | undefined {
  if (iommu !== undefined) return { name: iommu, directory: inspection.directory(iommu) };
  const readable = inspection.iommus.flatMap(({ summary, directory }): Owner[] =>
    directory ? [{ name: summary.name, directory }] : [],
  );
  const [first, ...others] = readable;
  if (!first) {
    const failed = inspection.iommus[0]?.summary;
    return failed ? { name: failed.name, directory: inspection.directory(failed.name) } : undefined;
  }
  if (others.length === 0) return first;
  const claimants = readable.filter(({ directory }) => claims(directory, requester));
  if (claimants.length > 1) {
    const names = claimants.map(({ name }) => name).join(', ');
    refuse(
      'request/ambiguous-device',
      `${formatRequester(requester)} has an entry in more than one IOMMU: ${names}.`,
      'Name one of them.',
    );
  }
  return claimants[0];
}

/** True when the device has a present entry there, be it good or bad. A directory that cannot be read claims nothing. */
function claims(directory: DeviceDirectory, requester: RequesterId): boolean {
  const { answer, entries } = directory.lookup(requester, null);
  if (answer.kind !== 'fault') return true;
  return entries.some(({ role }) => role === 'context') && answer.fault !== 'context-entry-not-present';
}
