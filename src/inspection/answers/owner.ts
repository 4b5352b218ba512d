import { type DeviceDirectory } from '../../engine/directory/deviceDirectory';
import { failure, success, type Result } from '../../engine/result';
import { formatRequester, requesterId, type RequesterId } from '../../engine/values';
import { findOwner, type DescribedOwner, type DescribedOwnership } from '../../image/description/owners';
import { type Inspection, type OpenIommu } from '../inspection';
import { type Work } from '../work';

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
 * description says; when several are left, the only one that has an entry for it. The whole memory is searched for
 * the tables only where all of this does not tell. A failure says why there is none, or several.
 */
export function* ownerOf(
  inspection: Inspection,
  device: AskedDevice,
  iommu: string | undefined,
): Work<Result<Owner>> {
  const told = tell(inspection, device, iommu);
  if (told.sure || !inspection.maySearchFirmware) return readable(inspection, told.owner);
  yield* inspection.searchFirmware();
  return readable(inspection, tell(inspection, device, iommu).owner);
}

/** What is known of a device's owner without a search, and whether a search could tell otherwise. */
interface Told {
  readonly owner: Result<Candidate>;
  readonly sure: boolean;
}

function tell(inspection: Inspection, device: AskedDevice, named: string | undefined): Told {
  const { found, none } = candidates(inspection, device);
  if (named !== undefined) {
    const iommu = inspection.iommu(named);
    const own = found.find((each) => each.iommu === iommu);
    return { owner: success(own ?? { iommu, id: device.requester }), sure: !hasOwnIds(iommu) };
  }
  const [first] = found;
  const name = formatRequester(device.requester);
  if (!first) {
    const { why, hint } = none ?? { why: `No IOMMU here owns ${name}.`, hint: undefined };
    return { owner: failure(NO_IOMMU, why, hint), sure: false };
  }
  if (found.length === 1) return { owner: success(first), sure: !hasOwnIds(first.iommu) };
  const sure = !found.some((each) => hasOwnIds(each.iommu));
  const read = found.filter(({ iommu }) => iommu.directory !== undefined);
  const [only] = read.length > 0 ? read : found;
  if (only && read.length <= 1) return { owner: success(only), sure: false };
  const claimants = read.filter(claims);
  const [claimant] = claimants;
  if (!claimant) {
    const hint = `It may belong to ${namesOf(read)}; ${NAME_ONE}.`;
    return { owner: failure(NO_IOMMU, `No IOMMU has an entry for ${name}.`, hint), sure: false };
  }
  if (claimants.length === 1) return { owner: success(claimant), sure };
  const message = `${name} may belong to more than one IOMMU: ${namesOf(claimants)}.`;
  const segments = new Set(claimants.map((each) => each.iommu.summary.segment));
  const hint = `${NAME_ONE.replace(/^./u, (letter) => letter.toUpperCase())}, ${
    segments.size > 1
      ? 'or give the device with its PCI segment.'
      : 'or say in the description which devices each owns ("requesters").'
  }`;
  return { owner: failure('request/ambiguous-device', message, hint), sure: false };
}

/** Code of the failure when there is no owner. */
export const NO_IOMMU = 'walk/no-iommu';
const NAME_ONE = 'name one of them (on the command line with --iommu)';

const namesOf = (found: readonly Candidate[]): string =>
  found.map(({ iommu }) => iommu.summary.name).join(', ');

/** The StreamID of a PCI device is what the firmware says (IORT), and need not be its requester id. */
const hasOwnIds = ({ described }: OpenIommu): boolean => described.kind === 'smmuv3';

/** With its directory; an IOMMU that cannot be read is refused. */
function readable(inspection: Inspection, owner: Result<Candidate>): Result<Owner> {
  if (!owner.ok) return owner;
  const { name } = owner.value.iommu.summary;
  return success({ name, directory: inspection.directory(name), id: requesterId(owner.value.id) });
}

type Candidate = DescribedOwner<OpenIommu>;

type NoOwner = Extract<DescribedOwnership<unknown>, { kind: 'none' }>;

/** Every IOMMU that may own the device: on its segment, or on all of them; without any what tells most why. */
function candidates(
  { iommus, firmware }: Inspection,
  { requester, segment }: AskedDevice,
): { readonly found: readonly Candidate[]; readonly none: NoOwner | undefined } {
  const described = iommus.map((iommu) => ({ ...iommu.described, iommu }));
  const segments = segment === undefined ? [...new Set(described.map((each) => each.segment))] : [segment];
  const answers = segments.map((each) => findOwner(described, firmware, each, requester));
  const found = answers.flatMap((owner) => {
    if (owner.kind === 'none') return [];
    const owners = owner.kind === 'owner' ? [owner.owner] : owner.candidates;
    return owners.map(({ iommu, id }) => ({ iommu: iommu.iommu, id }));
  });
  const nowhere = answers.filter((owner) => owner.kind === 'none');
  return { found, none: nowhere.find(({ reason }) => reason !== 'unknown') ?? nowhere[0] };
}

/** True when the device has a present entry there, be it good or bad. A directory that cannot be read claims nothing. */
function claims({ iommu: { directory }, id }: Candidate): boolean {
  if (!directory) return false;
  const { answer, entries } = directory.lookup(requesterId(id), null);
  if (answer.kind !== 'fault') return true;
  return entries.some(({ role }) => role === 'context') && answer.fault !== 'context-entry-not-present';
}
