/** Guests' own tables over the kernel's, and what guests ask of the hardware. Guests are named by the id of their HWPT. */
export type NestingOperation =
  /**
   * A guest's stage 1 in guest memory over a nest parent: its root, and the vendor's structures (GCR3 table, CD), are written
   * there. `counts.domain` is its id.
   */
  | {
      readonly kind: 'createGuest';
      readonly parent: number;
      /** Of `tableChoices(vendor)`, of stage 1; absent: the first one that guests have. */
      readonly tables?: string;
      /** Guest physical address from which on the guest's tables lie; that much is mapped in the parent. Absent: the last 4M. */
      readonly memory?: string;
      readonly memoryLength?: string;
      /** Page sizes that the guest uses; absent: every size that fits. */
      readonly pages?: readonly string[];
      /** A vIOMMU over the parent that it belongs to. */
      readonly viommu?: number;
      /** The IOMMU that it is for, when there is no vIOMMU; absent: that of the first device. */
      readonly iommu?: string;
    }
  /** The guest maps a page in its tables; `to` is guest physical. Nothing is invalidated. */
  | {
      readonly kind: 'guestMap';
      readonly guest: number;
      readonly iova: string;
      readonly length: string;
      readonly to: string;
      readonly permission: 'R' | 'W' | 'RW';
    }
  /** The guest unmaps, and does not invalidate unless it says so: IOMMU_HWPT_INVALIDATE, or its own queue. */
  | {
      readonly kind: 'guestUnmap';
      readonly guest: number;
      readonly iova: string;
      readonly length: string;
      readonly invalidate?: boolean;
    }
  /** The guest invalidates a range, or everything, by the commands that its vendor's guests send. */
  | {
      readonly kind: 'guestInvalidate';
      readonly guest: number;
      readonly iova?: string;
      readonly length?: string;
      /** Part of the name of a command to be used instead of the usual one: `CMD_TLBI_NH_VAA`. */
      readonly command?: string;
    }
  /** IOMMU_VIOMMU_ALLOC; `counts.viommu` is its id. hardwareQueue: the guest's own queue, which hardware reads. */
  | {
      readonly kind: 'createVirtualIommu';
      readonly parent: number;
      readonly hardwareQueue?: boolean;
      /** Absent: the IOMMU of the first device. */
      readonly iommu?: string;
    }
  /** IOMMU_VDEVICE_ALLOC: the guest knows the device by this id. */
  | {
      readonly kind: 'createVirtualDevice';
      readonly viommu: number;
      readonly requester: string;
      readonly virtualId: string;
    }
  /** Commands that a guest sends by its own ids, through its vIOMMU: the kernel handles them, or hardware when the queue is the guest's. */
  | {
      readonly kind: 'guestCommands';
      readonly viommu: number;
      readonly commands: readonly CommandText[];
    }
  /** A command that host software puts into the queue of an IOMMU, and waits for. */
  | { readonly kind: 'command'; readonly iommu: string; readonly command: CommandText };

/** A command by the name in its specification, with its fields; numbers with more than 53 bits are text. */
export interface CommandText {
  readonly name: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}
