import { type VfioDeviceModel } from './migrationDevice';

/**
 * Stream of a virtual function of a HiSilicon accelerator (drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.h, struct
 * acc_vf_data): a magic number and what must match, up to its reserved words; then the queue manager's registers, event queue
 * contexts and the addresses of its queues. The registers are read while it is stopped.
 */
const MATCH_BYTES = 8 + 5 * 4 + 3 * 4;
const STATE_BYTES = 176;

/**
 * Such a function: pre-copy moves the match data only, so that a wrong destination shows early; all else goes over in the
 * blackout. It has no P2P states. `device`: device id and number of queues, which must be those of the destination.
 * `writesBack`: the driver once had the queue contexts written back when it read the state, after the last dirty pages were
 * looked for; since then it does so when it stops the device.
 */
export function accelerator(device: string, writesBack: 'stop' | 'save' = 'stop'): VfioDeviceModel {
  return {
    features: { p2p: false, preCopy: true },
    knowsPeers: false,
    match: device,
    matchBytes: MATCH_BYTES,
    preCopyBytes: MATCH_BYTES,
    stopCopyBytes: STATE_BYTES - MATCH_BYTES,
    badStream: 'stays',
    writesBack,
  };
}
