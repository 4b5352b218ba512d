import { accelerator } from './accelerator';
import { type VfioDeviceModel } from './migrationDevice';

/** Bytes of state that a device has which only stops and copies. */
const PLAIN_STATE = 2 ** 20;

/**
 * Devices that machines may have, by id, each with the driver that it is like.
 * hisi-acc: a function of a HiSilicon accelerator. stop-copy: all of its state goes over in the blackout, nothing before it.
 * p2p-pre-copy: it knows its peers, and most of its state goes over while it runs.
 */
export const VFIO_MODELS = {
  'hisi-acc': accelerator('a251'),
  'stop-copy': {
    features: { p2p: false, preCopy: false },
    knowsPeers: false,
    match: 'stop-copy',
    matchBytes: 0,
    preCopyBytes: 0,
    stopCopyBytes: PLAIN_STATE,
    badStream: 'error',
    writesBack: 'never',
  },
  'p2p-pre-copy': {
    features: { p2p: true, preCopy: true },
    knowsPeers: true,
    match: 'p2p-pre-copy',
    matchBytes: 0,
    preCopyBytes: PLAIN_STATE,
    stopCopyBytes: PLAIN_STATE / 16,
    badStream: 'error',
    writesBack: 'never',
  },
} as const satisfies Readonly<Record<string, VfioDeviceModel>>;

export type VfioModelId = keyof typeof VFIO_MODELS;

export const isVfioModel = (id: string): id is VfioModelId => Object.hasOwn(VFIO_MODELS, id);
