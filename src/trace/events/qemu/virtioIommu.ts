import { type Part, payload, qemuEvent } from './printFormat';
import { domain, iova, lastIova, paddr, permissions } from './parts';

/** Endpoints stand for devices by number. */
const endpoint: Part = (scanner, out, row, names) => {
  const id = scanner.decimal();
  if (!(id >= 0)) return false;
  out.device[row] = names.devices.id(`sid 0x${id.toString(16)}`);
  return true;
};
const range = payload`virt_start=${iova} virt_end=${lastIova}`;

/** QEMU hw/virtio/trace-events, virtio-iommu.c: ranges have their last address. */
export const VIRTIO_IOMMU_EVENTS = [
  qemuEvent(
    'virtio_iommu_map',
    'map',
    payload`domain=${domain} ${range} phys_start=${paddr} flags=${permissions}`,
  ),
  // `unmap_done` tells each mapping that went for it.
  qemuEvent('virtio_iommu_unmap', 'unmap', payload`domain=${domain} ${range}`),
  qemuEvent('virtio_iommu_unmap_done', 'other', payload`domain=${domain} ${range}`),
  qemuEvent('virtio_iommu_attach', 'attach', payload`domain=${domain} endpoint=${endpoint}`),
  qemuEvent('virtio_iommu_detach', 'detach', payload`domain=${domain} endpoint=${endpoint}`),
];
