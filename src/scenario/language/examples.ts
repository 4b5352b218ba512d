import { type Step } from './schema/steps';

type Action = Exclude<keyof Step, 'errno' | 'note'>;

/** A step of each kind, as it is written in a list of steps. */
export const STEP_EXAMPLES: Readonly<Record<Action, string>> = {
  dma: 'dma: { device: nic, iova: 0x1000, length: 4K, lands: 0x1000 }',
  replay: 'replay: { file: requests.jsonl.gz }',
  traffic: 'traffic: { devices: [nic], requests: 10_000 }',
  map: 'map: { domain: empty, iova: 0x10000000, length: 2M, to: 0x200000, permission: R }',
  unmap: 'unmap: { iova: 0x200000, length: 2M, through: tables }',
  split: 'split: { iova: 0x200000, length: 2M, size: 4K }',
  collapse: 'collapse: { iova: 0x200000, length: 2M, size: 2M }',
  dirtyTracking: 'dirtyTracking: { enable: true }',
  readDirty: 'readDirty: { iova: 0x0, length: 2M, pageSize: 4K }',
  copy: 'copy: everything',
  invalidate: 'invalidate: { iova: 0x200000, length: 4K }',
  attach: 'attach: { device: nic, to: empty }',
  createDomain: 'createDomain: { name: tracked, dirtyTracking: true }',
  evict: 'evict: { iommu: iommu0, cache: iotlb }',
  writeWord: 'writeWord: { address: 0x100001000, word: 0x0 }',
  cpu: 'cpu: { vcpu: 0, address: 0x3000, access: write }',
  hostWrite: 'hostWrite: { by: vhost, address: 0x4000, length: 4K }',
  zap: 'zap: { address: 0x3000, length: 4K, reason: balloon }',
  harvestCpu: 'harvestCpu: {}',
  deviceState: 'deviceState: { device: acc, state: STOP }',
  dmaLog: 'dmaLog: { device: acc, action: start, ranges: [{ iova: 0x0, length: 1G }] }',
  type1: 'type1: { action: map, iova: 0x0, length: 2M }',
  guest: 'guest: { name: os }',
  guestMap: 'guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x333000 }',
  guestUnmap: 'guestUnmap: { guest: os, iova: 0x201000, length: 4K }',
  guestInvalidate: 'guestInvalidate: { guest: os, iova: 0x201000, length: 4K }',
  viommu: 'viommu: { name: virtual, hardwareQueue: true }',
  vdevice: 'vdevice: { viommu: virtual, device: nic, id: 0x8 }',
  guestCommands: 'guestCommands: { viommu: virtual, commands: [{ name: CMD_TLBI_NH_ALL }] }',
  command: 'command: { name: CMD_TLBI_NSNH_ALL, iommu: iommu0 }',
  wait: 'wait: { cycles: 1000 }',
  expect: 'expect: { lost: 0, stale: 0 }',
  migrate: 'migrate: { link: 100Gbps, downtimeLimit: 300ms }',
  repeat: 'repeat: { times: 3, steps: [{ dma: { iova: 0x1000 } }, { readDirty: {} }] }',
  during:
    'during: { step: { split: { size: 4K } }, moments: [{ every: 1, steps: [{ dma: { iova: 0x200000 } }] }] }',
};
