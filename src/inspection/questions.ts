/** Questions over all tables of a source, or of two: where memory is mapped, what is mapped twice, what differs. */
import { type Failure } from '../engine/result';
import { type DeviceState } from './deviceTable';
import { type DomainKey, type DomainRow, type Permission, type Run } from './mapping';
import { type AddressRange, type Page, type PageRequest } from './pages';

/** A device as requests name it; with a PASID one of its processes. */
export interface DeviceName {
  readonly requester: number;
  readonly pasid: number | null;
}

export interface FindParams {
  readonly inspection: string;
  /** Physical addresses, half-open. */
  readonly range: AddressRange;
  readonly page: PageRequest;
}

/** One way to reach a part of the range. */
export type Found =
  | {
      readonly kind: 'run';
      readonly domain: DomainRow;
      /** Clipped to the range. `paddr` is the final physical address, `perm` what both stages allow. */
      readonly run: Run;
      /** What stage 1 makes of the IOVA, when there is a stage 2 below. */
      readonly guest?: bigint;
      /** True when the IOMMU takes these IOVAs for interrupt messages: no request gets as far as the tables. */
      readonly interrupt: boolean;
    }
  | {
      readonly kind: 'pass-through';
      readonly iommu: string;
      /** IOVA and physical address are the same. */
      readonly range: AddressRange;
      readonly perm: Permission;
      /** The first of them. */
      readonly devices: readonly DeviceName[];
      readonly count: number;
      /** Set when translation is off for every device: why. */
      readonly off?: string;
      /** Devices whose entry is not valid, which lets their requests pass. */
      readonly absent?: true;
    };

/** What could not be read is counted: the answer may then lack what is mapped there. */
export interface Unread {
  readonly unreadableTables: number;
  readonly cycles: number;
  /** IOMMUs that could not be read at all. */
  readonly unreadIommus: readonly string[];
  /** What keeps devices of an IOMMU that was read from being seen: `dmar0: ...`. */
  readonly problems: readonly string[];
}

export interface FoundPage extends Page<Found>, Unread {
  /** Set when a bound was reached: what is missing. */
  readonly incomplete?: string;
  /** Why the search paused before the end, though nobody asked it to; `next` goes on. */
  readonly gaveUp?: Failure;
}

/**
 * `shared`: by two domains or more. `repeated`: more than once within one domain. `identity`: every mapping gives the
 * address that it takes, as those of reserved regions do.
 */
export type AliasKind = 'shared' | 'repeated' | 'identity';

/** Physical memory that is reached in more than one way. */
export interface Alias {
  readonly kind: AliasKind;
  readonly range: AddressRange;
  /** False when its first page is not in the image: left out of it, or registers of devices such as interrupt doorbells. */
  readonly held: boolean;
  /** Mappings of it, and of how many domains. */
  readonly count: number;
  readonly domains: number;
  /** The first of the mappings. */
  readonly mappings: readonly AliasMapping[];
}

export interface AliasMapping {
  readonly domain: DomainKey;
  /** As long as the alias. */
  readonly iova: bigint;
  readonly perm: Permission;
}

export interface AliasesParams {
  readonly inspection: string;
  /** Only of this kind. */
  readonly kind?: AliasKind;
  readonly page: PageRequest;
}

export interface AliasPage extends Page<Alias>, Unread {
  readonly counts: Readonly<Record<AliasKind, number>>;
  /** 4 KiB frames of each kind. */
  readonly frames: Readonly<Record<AliasKind, number>>;
  /** Set when a bound was reached: which one, and so what is missing. */
  readonly incomplete?: string;
}

export interface CompareParams {
  readonly inspection: string;
  /** The later one. */
  readonly other: string;
  /** Leaves out what differs only in accessed and dirty marks. */
  readonly ignoreMarks?: boolean;
  readonly page: PageRequest;
}

export type Change = 'added' | 'removed' | 'changed';

/** What differs between two leaves; `marks` are accessed and dirty, `attributes` every other bit. */
export type Aspect = 'paddr' | 'permission' | 'page-size' | 'attributes' | 'marks';

/** A device's way through its IOMMU. */
export interface DeviceWay {
  readonly translation: DeviceState;
  readonly domains: readonly DomainKey[];
}

export interface IommuState {
  readonly mode: string;
  readonly translating: boolean;
  /** Why it could not be read. */
  readonly failure?: string;
}

/** One difference. `before` is of the inspection, `after` of the other; `added` has no before, `removed` no after. */
export type Difference =
  | {
      readonly kind: 'iommu';
      readonly change: Change;
      readonly iommu: string;
      readonly before?: IommuState;
      readonly after?: IommuState;
    }
  | {
      readonly kind: 'device';
      readonly change: Change;
      readonly iommu: string;
      readonly device: DeviceName;
      readonly before?: DeviceWay;
      readonly after?: DeviceWay;
    }
  /** `changed`: the same domain by its devices or its id, with another id, root, format or number of levels. */
  | {
      readonly kind: 'domain';
      readonly change: Change;
      readonly before?: DomainRow;
      readonly after?: DomainRow;
    }
  /** A run of IOVAs of a domain that both have. */
  | {
      readonly kind: 'run';
      readonly change: Change;
      /** What differs; empty unless changed. */
      readonly what: readonly Aspect[];
      /** The domain as each side has it. */
      readonly domains: { readonly before: DomainKey; readonly after: DomainKey };
      readonly range: AddressRange;
      /** Clipped to the range. */
      readonly before?: Run;
      readonly after?: Run;
    };

/** Of both sides; what only one side could read is not compared. */
export interface DifferencePage extends Page<Difference>, Unread {
  /** Why the comparison paused before the end, though nobody asked it to; `next` goes on. */
  readonly gaveUp?: Failure;
}
