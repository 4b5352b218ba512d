import { type VfioState } from '../../driver/vfio/states';

/** What VFIO asks of devices: migration states, their own log of DMA, and the containers of its first interface. */
export type DeviceOperation =
  /** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE; the device needs `vfio` in the specification. What it writes back is DMA. */
  | { readonly kind: 'deviceState'; readonly requester: string; readonly state: VfioState }
  /**
   * The device's own log of what it writes (VFIO_DEVICE_FEATURE_DMA_LOGGING_*); needs `log` in the specification. start: over
   * these ranges; read: reports, clears and copies; stop: what was not read is gone.
   */
  | {
      readonly kind: 'dmaLog';
      readonly requester: string;
      readonly action: 'start' | 'stop' | 'read';
      readonly ranges?: readonly { readonly iova: string; readonly length: string }[];
    }
  /** A VFIO type1 container of the machine: what user space without iommufd has. Needs `type1` in the specification. */
  | {
      readonly kind: 'type1';
      readonly action:
        'map' | 'unmap' | 'attach' | 'detach' | 'pin' | 'startLogging' | 'stopLogging' | 'report';
      readonly group?: string;
      /** attach: whether the group pins all that it reaches. */
      readonly pins?: boolean;
      readonly iova?: string;
      readonly length?: string;
    };
