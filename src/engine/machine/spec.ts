import { type CpuLogging } from '../driver/cpu/secondStage';
import { type DmaLoggingLimits } from '../driver/vfio/dmaLogging';
import { type Type1Rules } from '../driver/vfio/type1';
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
  /** Guests may put a stage 1 of their own over the first domain. */
  readonly nestParent?: boolean;
  /** The second stage of the guest's CPUs; absent: there is none. */
  readonly cpu?: MachineCpu;
  /** A VFIO type1 container beside iommufd, by its rules; absent: none. */
  readonly type1?: Partial<Type1Rules>;
}

export interface MachineCpu {
  /** 1 to 256. */
  readonly vcpus: number;
  /** How the hypervisor knows what vCPUs write, from the start. */
  readonly logging: CpuLogging;
  /** Writes of the host itself go into the dirty log, too. */
  readonly logsHostWriters: boolean;
  /** What is dirty when its entry goes away goes into the dirty log. */
  readonly harvestsOnZap: boolean;
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
  /** false: no domain to begin with; its requests are blocked until it is attached. */
  readonly attached?: boolean;
  /** Migrates by VFIO's states, as one of the models. */
  readonly vfio?: MachineVfio;
  /** Logs its own DMA. */
  readonly log?: Partial<DmaLoggingLimits>;
}

export interface MachineVfio {
  /** An id of `VFIO_MODELS`: hisi-acc, stop-copy, p2p-pre-copy. */
  readonly model: string;
  readonly writesBack?: 'never' | 'stop' | 'save';
  /** What a write-back of 64 bytes writes to, as the device names it: an IOVA. Absent: nothing is written. */
  readonly writeBackTo?: string;
  /** Bytes of its state that go over while it is stopped, as text with a unit, in place of the model's. */
  readonly state?: string;
}
