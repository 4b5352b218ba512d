import { type RowBuilder } from '../../model/columns';
import { FLAGS } from '../../model/operation';
import { flag } from '../kernel/fields';
import { always, device, domain, iova, paddr, unused } from './parts';
import { payload, qemuEvent } from './printFormat';

/** QEMU answers 0 for what it does not translate; the fault is told by no event of its own. */
function failedAtZero(out: RowBuilder, row: number): boolean {
  if (out.paddrPage[row] === 0 && out.paddrOffset[row] === 0) {
    out.paddrPage[row] = Number.NaN;
    out.paddrOffset[row] = Number.NaN;
    flag(out, row, FLAGS.failed);
  }
  return true;
}

/** QEMU hw/i386/trace-events, amd_iommu.c. What it calls gpa is the IOVA, and hpa is the base of a page of unknown size. */
export const AMDVI_EVENTS = [
  qemuEvent(
    'amdvi_cache_update',
    'translate',
    payload`update iotlb domid ${domain} devid: ${device} gpa ${iova} hpa ${paddr}`,
  ),
  qemuEvent(
    'amdvi_iotlb_hit',
    'translate',
    payload`hit iotlb devid ${device} gpa ${iova} hpa ${paddr}${always('cached')}`,
  ),
  qemuEvent(
    'amdvi_translation_result',
    'translate',
    payload`devid: ${device} gpa ${iova} hpa ${paddr}`,
    failedAtZero,
  ),
  qemuEvent('amdvi_page_fault', 'fault', payload`error: page fault accessing guest physical address ${iova}`),
  qemuEvent(
    'amdvi_mode_invalid',
    'fault',
    payload`error: translation level ${unused} translating addr ${iova}`,
  ),
  // The command has a range; the event does not tell it, and QEMU drops the whole domain.
  qemuEvent(
    'amdvi_pages_inval',
    'flush',
    payload`AMD-Vi pages for domain ${domain} invalidated${always('domainWide')}`,
  ),
  qemuEvent(
    'amdvi_all_inval',
    'flush',
    payload`Invalidation of all AMD-Vi cache requested${always('global')}`,
  ),
  // Of QEMU's own accord, when its cache is full.
  qemuEvent('amdvi_iotlb_reset', 'other', payload`IOTLB exceed size limit - reset${always('global')}`),
  qemuEvent('amdvi_devtab_inval', 'other', payload`device table entry for devid: ${device} invalidated`),
];
