import { type RowBuilder } from '../../model/columns';
import { FLAGS, type Operation } from '../../model/operation';
import { type EventRule } from '../eventRule';
import { flag, readDevice } from './fields';
import { FAILED_TO_PARSE, PayloadFields, SAYS } from './payloadFields';

const FIELDS = new PayloadFields();

interface Shape {
  /** What has to be there: bits of SAYS. */
  readonly needs: number;
  /** The format ends with `attrs=`. */
  readonly attributes?: boolean;
  readonly failed?: boolean;
  /** The device stands in `dev=`, not in front. */
  readonly named?: boolean;
  /** What the format calls `dma_addrs` are physical addresses. */
  readonly physical?: boolean;
}

const rule = (event: string, operation: Operation, shape: Shape): EventRule => ({
  event,
  operation,
  read(scanner, out, row, names) {
    const raw = scanner.skip(FAILED_TO_PARSE);
    if (!raw && shape.named !== true && !readDevice(scanner, out, row, names)) return false;
    const said = FIELDS.read(scanner, out, row, names, raw);
    // A record's own fields are named otherwise: they are read as far as they are known.
    if (said < 0 || (!raw && (said & shape.needs) !== shape.needs)) return false;
    if (raw && (said & SAYS.device) === 0) return false;
    if (!raw && shape.attributes === true && !FIELDS.hasAttributes) return false;
    if (shape.failed === true) flag(out, row, FLAGS.failed);
    if (shape.physical === true && (said & SAYS.iovas) !== 0) movesToPaddr(out, row);
    return true;
  },
});

function movesToPaddr(out: RowBuilder, row: number): void {
  out.paddrPage[row] = out.iovaPage[row] ?? Number.NaN;
  out.paddrOffset[row] = out.iovaOffset[row] ?? Number.NaN;
  out.iovaPage[row] = Number.NaN;
  out.iovaOffset[row] = Number.NaN;
  out.flags[row] = (out.flags[row] ?? 0) & ~FLAGS.list;
}

const { iova, size, paddr, direction, iovas, sizes, paddrs, entries, error, device } = SAYS;
const RANGE = iova | size;

/** dma_map: `%s dir=%s dma_addr=%llx size=%zu phys_addr=%llx attrs=%s` (dma_map_page and dma_map_resource became dma_map_phys). */
const mapped: Shape = { needs: RANGE | paddr | direction, attributes: true };
/** dma_unmap: `%s dir=%s dma_addr=%llx size=%zu attrs=%s`. */
const unmapped: Shape = { needs: RANGE | direction, attributes: true };
/** dma_alloc_class, dma_free_class: `%s [dir=%s ]dma_addr=%llx size=%zu virt_addr=%p [flags=%s ]attrs=%s`. */
const allocated: Shape = { needs: RANGE, attributes: true };
/** dma_sync_single: `%s dir=%s dma_addr=%llx size=%zu`. dma_free_sgt the same, with phys_addrs. */
const synced: Shape = { needs: RANGE | direction };
/** dma_sync_sg: `%s dir=%s dma_addrs=%s sizes=%s`. */
const syncedList: Shape = { needs: direction | iovas | sizes };

/** The system `dma`: Linux include/trace/events/dma.h, since 6.12. Rows are of the DMA API: the tables change by map and unmap. */
export const DMA_EVENTS: readonly EventRule[] = [
  rule('dma_map_page', 'dma-map', mapped),
  rule('dma_map_phys', 'dma-map', mapped),
  rule('dma_map_resource', 'dma-map', mapped),
  rule('dma_unmap_page', 'dma-unmap', unmapped),
  rule('dma_unmap_phys', 'dma-unmap', unmapped),
  rule('dma_unmap_resource', 'dma-unmap', unmapped),
  rule('dma_alloc', 'dma-map', allocated),
  rule('dma_alloc_pages', 'dma-map', allocated),
  rule('dma_alloc_sgt', 'dma-map', allocated),
  rule('dma_alloc_sgt_err', 'dma-map', { ...allocated, failed: true }),
  rule('dma_free', 'dma-unmap', allocated),
  rule('dma_free_pages', 'dma-unmap', allocated),
  rule('dma_free_sgt', 'dma-unmap', synced),
  // `%s dir=%s nents=%d/%d ents=%d/%d%s dma_addrs=%s sizes=%s phys_addrs=%s attrs=%s`
  rule('dma_map_sg', 'dma-map', { needs: direction | iovas | sizes | paddrs | entries, attributes: true }),
  // `%s dir=%s dma_addrs=%s err=%d attrs=%s`
  rule('dma_map_sg_err', 'dma-map', {
    needs: direction | error,
    attributes: true,
    failed: true,
    physical: true,
  }),
  // `%s dir=%s phys_addrs=%s attrs=%s`: the range is not said.
  rule('dma_unmap_sg', 'dma-unmap', { needs: direction | paddrs, attributes: true }),
  rule('dma_sync_single_for_cpu', 'dma-sync', synced),
  rule('dma_sync_single_for_device', 'dma-sync', synced),
  rule('dma_sync_sg_for_cpu', 'dma-sync', syncedList),
  rule('dma_sync_sg_for_device', 'dma-sync', syncedList),
];

/** `dev=%s dev_addr=0x%llx phys_addr=0x%llx size=%zu`; of map_sg with ` [%d/%d]` behind the device. */
const oldMap: Shape = { needs: device | RANGE | paddr, named: true };
const oldUnmap: Shape = { needs: device | RANGE, named: true };

/** The system `intel_iommu` of kernels whose Intel driver had a DMA API of its own (include/trace/events/intel_iommu.h, 5.4). */
export const INTEL_DMA_EVENTS: readonly EventRule[] = [
  rule('map_single', 'dma-map', oldMap),
  rule('map_sg', 'dma-map', oldMap),
  rule('bounce_map_single', 'dma-map', oldMap),
  rule('unmap_single', 'dma-unmap', oldUnmap),
  rule('unmap_sg', 'dma-unmap', oldUnmap),
  rule('bounce_unmap_single', 'dma-unmap', oldUnmap),
];
