import { type FirmwareIommu, type FirmwareOwnership, type Owner } from '../../engine/firmware/index';
import { formatRequester, hex, requesterId } from '../../engine/values';
import { type DescribedIommu } from './types';

/** As much of an IOMMU as tells what it owns. */
type Owning = Pick<DescribedIommu, 'name' | 'kind' | 'segment' | 'base' | 'requesters'>;

/** An IOMMU of the description, and the id that it knows the device by. */
export interface DescribedOwner<T> {
  readonly iommu: T;
  readonly id: number;
}

/** Which IOMMU of the description owns a device. */
export type DescribedOwnership<T> =
  | { readonly kind: 'owner'; readonly owner: DescribedOwner<T>; readonly why: string }
  /** At least two. */
  | { readonly kind: 'candidates'; readonly candidates: readonly DescribedOwner<T>[]; readonly why: string }
  | {
      readonly kind: 'none';
      readonly reason: 'untranslated' | 'not-described' | 'unknown';
      readonly why: string;
      readonly hint: string;
    };

/**
 * Which IOMMU of a description owns the device with an id (a requester id; with an SMMU that no firmware table describes
 * its StreamID, with RISC-V its device_id) on a PCI segment: what the firmware tables say, else what the description says.
 */
export function findOwner<T extends Owning>(
  iommus: readonly T[],
  firmware: FirmwareOwnership | undefined,
  segment: number,
  id: number,
): DescribedOwnership<T> {
  // Firmware tables speak of PCI functions.
  const said = id <= 0xffff ? firmware?.ownerOf(segment, id) : undefined;
  if (said?.kind === 'untranslated') {
    const hint = 'Its requests carry physical addresses: there are no tables to look at.';
    return { kind: 'none', reason: 'untranslated', why: said.why, hint };
  }
  if (said?.kind === 'owner') return described(iommus, [said.owner], segment, said.owner.why);
  if (said?.kind === 'candidates') return described(iommus, said.candidates, segment, said.why);
  const device = deviceName(segment, id);
  const owners = units(describedOwners(iommus, segment, id)).map((iommu) => ({ iommu, id }));
  const [first] = owners;
  if (!first) return none('unknown', `No IOMMU of the description owns ${device}.`);
  return owners.length === 1
    ? { kind: 'owner', owner: first, why: `By the description ${device} belongs to ${first.iommu.name}.` }
    : several(owners, `By the description ${device} may belong to more than one IOMMU.`);
}

/**
 * The IOMMUs that own a device by what a description says: those of its segment that name it, else those that name no
 * devices at all.
 */
export function describedOwners<T extends Pick<Owning, 'segment' | 'requesters'>>(
  iommus: readonly T[],
  segment: number,
  id: number,
): T[] {
  const near = iommus.filter((iommu) => iommu.segment === segment);
  const naming = near.filter(
    ({ requesters }) => requesters?.some(({ start, end }) => id >= start && id < end) === true,
  );
  return naming.length > 0 ? naming : near.filter(({ requesters }) => requesters === undefined);
}

/** IOMMUs before the tables of guests, which belong to no device: those take a device only where there is nothing else. */
function units<T extends Pick<Owning, 'kind'>>(iommus: readonly T[]): readonly T[] {
  const found = iommus.filter(({ kind }) => kind !== 'ept');
  return found.length > 0 ? found : iommus;
}

/** What the owners that the firmware names are in the description. */
function described<T extends Owning>(
  iommus: readonly T[],
  owners: readonly Owner[],
  segment: number,
  why: string,
): DescribedOwnership<T> {
  const found = new Map<T, number>();
  for (const { iommu, id } of owners) {
    const matching = matches(iommus, iommu);
    // IOMMUs without a base that are one segment's: their requesters may tell them apart.
    const named = matching.length > 1 ? describedOwners(matching, segment, id) : matching;
    for (const match of named.length > 0 ? named : matching) {
      if (!found.has(match)) found.set(match, id);
    }
  }
  const result = [...found].map(([iommu, id]) => ({ iommu, id }));
  const [first] = result;
  if (!first) {
    const bases = owners.map(({ iommu }) => hex(iommu.base)).join(', ');
    return none('not-described', `${why} The description has no IOMMU at ${bases}.`);
  }
  if (result.length === 1) return { kind: 'owner', owner: first, why };
  const unclear = owners.length === 1 ? ' The description does not say which IOMMU has that "base".' : '';
  return several(result, why + unclear);
}

/** The IOMMU of the description with this base, else those without a base that may be meant. */
function matches<T extends Owning>(iommus: readonly T[], firmware: FirmwareIommu): T[] {
  const alike = iommus.filter(({ kind }) => kind === firmware.kind);
  const exact = alike.filter(({ base }) => base === firmware.base);
  if (exact.length > 0) return exact;
  return alike.filter(({ base, segment }) => base === undefined && firmware.segments.includes(segment));
}

const several = <T>(candidates: readonly DescribedOwner<T>[], why: string): DescribedOwnership<T> => ({
  kind: 'candidates',
  candidates,
  why,
});

const none = (reason: 'not-described' | 'unknown', why: string): DescribedOwnership<never> => ({
  kind: 'none',
  reason,
  why,
  hint: 'Add the IOMMU with its "base" and registers to the description, or correct its "requesters".',
});

const deviceName = (segment: number, id: number): string =>
  id <= 0xffff
    ? `${segment.toString(16).padStart(4, '0')}:${formatRequester(requesterId(id))}`
    : `${hex(id)} of segment ${segment}`;
