import { type HardwareRules } from '../iommu/rules';
import { type EmulatedKind } from '../iommu/vendor';

/** What a machine is made from. Plain JSON: it is kept in journals and files, and gives the same machine each time. */
export interface MachineSpec {
  readonly version: 1;
  readonly vendor: EmulatedKind;
  /** One of `tableChoices(vendor)`: `second-stage`, `v1`, `stage1-4k`, `sv48x4`. */
  readonly tables: string;
  /** Of guest memory, as text with a unit: `64G`, `2T`. A multiple of the granule. */
  readonly memory: string;
  /** What is mapped to begin with, and by which pages. */
  readonly mapping: MappingPolicy;
  /** Devices attached to the one domain there is to begin with. */
  readonly devices: readonly MachineDevice[];
  /** Whether the domain is one that can track dirty pages, and does from the start. */
  readonly dirtyTracking: 'none' | 'off' | 'on';
  /** IOMMUs that use the domain's tables: devices are dealt out to them in turn. */
  readonly iommus: 1 | 2;
  /** Of everything that happens by itself: replacement, eviction, prefetch. */
  readonly seed: number;
  readonly rules?: Partial<HardwareRules>;
  /** Departures from the vendor's defaults, by the names of `MachineCapabilities`. */
  readonly capabilities?: Readonly<Record<string, number | boolean | string>>;
  /** Named omissions of the driver that make a real bug appear: ids of docs/bugs.md. */
  readonly driverFaults?: readonly string[];
}

/** guest: all guest memory, IOVA = guest physical address, with the hole below 4 GiB; none: nothing is mapped. */
export interface MappingPolicy {
  readonly what: 'guest' | 'none';
  /** Page sizes that may be used, as text with a unit; empty: every size that fits. */
  readonly pages: readonly string[];
}

export interface MachineDevice {
  /** `00:02.0` or an id. */
  readonly requester: string;
  /** Has a device TLB, and uses it. */
  readonly ats?: boolean;
}
