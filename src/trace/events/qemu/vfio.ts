import { operationCode } from '../../model/operation';
import {
  always,
  blanks,
  count,
  device,
  domain,
  iova,
  isOn,
  isReadOnly,
  lastIova,
  pointer,
  rest,
  returned,
  size,
  unused,
  word,
} from './parts';
import { optional, type Part, payload, qemuEvent } from './printFormat';

const [MAP, UNMAP] = [operationCode('map'), operationCode('unmap')];

/** `MAP` or `UNMAP`; before 2.12 nothing but `map`. */
const direction: Part = (scanner, out, row) => {
  const text = scanner.word().toUpperCase();
  out.operation[row] = text === 'UNMAP' ? UNMAP : MAP;
  return text === 'MAP' || text === 'UNMAP';
};
/** Ranges of QEMU's memory listeners have their last address. */
const range = payload`${iova} - ${lastIova}`;

/** Until 8.2 the container's file stood in front, and the number of dirty pages was not told. Some versions have a blank too much. */
const dirtyBitmap = payload`${optional(payload`container fd=${unused}, `)}iova=${iova} size=${blanks}${size}${optional(payload` backend_flag=${unused}`)} bitmap_size=${unused} ${word}${optional(payload` dirty_pages=${count}`)}`;

/** Of the ranges that a device tracks those below 4 GiB are first; the line has the others. */
const tracked = payload`nr_ranges ${unused} 32:[${iova} - ${lastIova}], 64:${rest}${always('on', 'list')}`;

const ioas = payload`iommufd=${unused} ioas=${domain} iova=${iova} size=${size}`;
const table = payload`iommufd=${unused} hwpt=${domain}`;

/** QEMU hw/vfio/trace-events: what its listeners map for a device, whose physical addresses are not told. */
const VFIO = [
  qemuEvent('vfio_listener_region_add_ram', 'map', payload`region_add [ram] ${range}`),
  qemuEvent('vfio_listener_region_del', 'unmap', payload`region_del ${range}`),
  qemuEvent('vfio_iommu_map_notify', 'map', payload`iommu ${direction} @ ${range}`),
  // A window that a virtual IOMMU maps in later.
  qemuEvent('vfio_listener_region_add_iommu', 'other', payload`region_add [iommu] ${word} ${range}`),
  qemuEvent('vfio_listener_region_skip', 'other', payload`SKIPPING ${word} ${range}`),
  qemuEvent('vfio_get_dirty_bitmap', 'dirty', dirtyBitmap),
  qemuEvent('vfio_container_query_dirty_bitmap', 'dirty', dirtyBitmap),
  qemuEvent('vfio_iommu_map_dirty_notify', 'other', payload`iommu dirty @ ${range}`),
  qemuEvent('vfio_device_dirty_tracking_start', 'track', tracked),
  qemuEvent('vfio_device_dirty_tracking_update', 'other', payload`section ${range} -> update ${rest}`),
  qemuEvent('vfio_migration_set_device_state', 'track', payload`(${device}) state ${word}`),
  qemuEvent(
    'vfio_migration_set_state',
    'track',
    payload`(${device}) new state ${word}, recover state ${word}`,
  ),
  qemuEvent('vfio_migration_state_notifier', 'track', payload`(${device}) state ${word}`),
  qemuEvent('vfio_save_setup', 'other', payload`(${device}) data buffer size ${rest}`),
  qemuEvent('vfio_save_iterate', 'other', payload`(${device}) ${rest}`),
  qemuEvent('vfio_state_pending_estimate', 'other', payload`(${device}) ${rest}`),
  qemuEvent('vfio_state_pending_exact', 'other', payload`(${device}) ${rest}`),
  ...['vfio_attach_device', 'vfio_device_attach'].map((name) =>
    qemuEvent(name, 'attach', payload`(${device}) group ${count}`),
  ),
  ...['vfio_detach_device', 'vfio_device_detach'].map((name) =>
    qemuEvent(name, 'detach', payload`(${device}) group ${count}`),
  ),
  qemuEvent(
    'iommufd_cdev_attach_ioas_hwpt',
    'attach',
    payload`[iommufd=${unused}] Successfully attached device ${device} (${unused}) to id=${domain}`,
  ),
  qemuEvent(
    'iommufd_cdev_detach_ioas_hwpt',
    'detach',
    payload`[iommufd=${unused}] Successfully detached ${device}`,
  ),
];

/** QEMU backends/trace-events, iommufd.c. A domain is an IOAS where memory is mapped, a table (HWPT) where dirty pages are asked for. */
const IOMMUFD = [
  qemuEvent(
    'iommufd_backend_map_dma',
    'map',
    payload`${ioas} addr=${pointer} readonly=${isReadOnly} (${returned})`,
  ),
  qemuEvent(
    'iommufd_backend_map_file_dma',
    'map',
    payload`${ioas} fd=${unused} start=${unused} readonly=${isReadOnly} (${returned})`,
  ),
  qemuEvent('iommufd_backend_unmap_dma', 'unmap', payload`${ioas} (${returned})`),
  qemuEvent(
    'iommufd_backend_unmap_dma_non_exist',
    'unmap',
    payload`Unmap nonexistent mapping: ${ioas} (${unused})${always('failed')}`,
  ),
  qemuEvent('iommufd_backend_set_dirty', 'track', payload`${table} enable=${isOn} (${returned})`),
  qemuEvent(
    'iommufd_backend_get_dirty_bitmap',
    'dirty',
    payload`${table} iova=${iova} size=${size} flags=${unused} page_size=${unused} (${returned})`,
  ),
];

export const VFIO_EVENTS = [...VFIO, ...IOMMUFD];
