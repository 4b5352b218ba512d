import { type Failure } from '../result';
import { type TableSignature } from './acpiTable';

/** What kind of IOMMU a table describes; `smmu` is an Arm SMMU of version 1 or 2. */
export type FirmwareIommuKind = 'vt-d' | 'amd-vi' | 'smmuv3' | 'smmu';

/** An IOMMU that the firmware describes. */
export interface FirmwareIommu {
  readonly kind: FirmwareIommuKind;
  /** Physical byte address of its registers: what tells it from the others. */
  readonly base: number;
  /** PCI segments whose devices it translates for, ascending. */
  readonly segments: readonly number[];
  readonly table: TableSignature;
}

/** An IOMMU that translates for a device, and the id it knows the device by. */
export interface Owner {
  readonly iommu: FirmwareIommu;
  /** VT-d: source-id. AMD-Vi: DeviceID (the alias where there is one). SMMU: StreamID. */
  readonly id: number;
  /** What the table says, as a sentence. */
  readonly why: string;
}

/** Which IOMMU owns a device, as far as the tables tell. */
export type Ownership =
  | { readonly kind: 'owner'; readonly owner: Owner }
  /**
   * Several claim it, or one does but not for certain: it is named through bridges, whose bus numbers are not in memory.
   * At least one.
   */
  | { readonly kind: 'candidates'; readonly candidates: readonly Owner[]; readonly why: string }
  /** Its requests meet no IOMMU. */
  | { readonly kind: 'untranslated'; readonly why: string }
  /** The tables do not speak of it. */
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * How directly a table speaks of a device. `named` beats everything; `possible` (behind a bridge, perhaps) competes with
 * `rest` (whatever is not named elsewhere).
 */
export type ClaimStrength = 'named' | 'possible' | 'rest';

/** What one table says of one device. Without `iommu`: that nothing translates. */
export interface Claim {
  readonly iommu: FirmwareIommu | undefined;
  readonly id: number;
  readonly strength: ClaimStrength;
  readonly why: string;
}

/** One table, read. */
export interface TableContents {
  readonly iommus: readonly FirmwareIommu[];
  readonly problems: readonly Failure[];
  /** All that it says of a device. */
  claims(segment: number, requester: number): readonly Claim[];
}

/** Picks the owner among all claims for one device. */
export function decide(claims: readonly Claim[], device: string): Ownership {
  const named = claims.filter(({ strength }) => strength === 'named');
  const deciding = distinct(named.length > 0 ? named : claims);
  const [first] = deciding;
  if (!first) return { kind: 'unknown', why: `The firmware tables do not say which IOMMU owns ${device}.` };
  const owners = deciding.flatMap((claim) => toOwner(claim));
  const [owner] = owners;
  if (!owner) return { kind: 'untranslated', why: first.why };
  if (deciding.length === 1 && first.strength !== 'possible') return { kind: 'owner', owner };
  const why =
    owners.length > 1
      ? `The firmware tables give ${device} to more than one IOMMU.`
      : `The firmware tables may mean ${device}, but not for certain.`;
  return { kind: 'candidates', candidates: owners, why };
}

const toOwner = ({ iommu, id, why }: Claim): Owner[] => (iommu ? [{ iommu, id, why }] : []);

/** Claims for the same registers and id once. */
function distinct(claims: readonly Claim[]): Claim[] {
  const seen = new Map<string, Claim>();
  for (const claim of claims) {
    const key = `${claim.iommu?.kind} ${claim.iommu?.base} ${claim.id}`;
    if (!seen.has(key)) seen.set(key, claim);
  }
  return [...seen.values()];
}
