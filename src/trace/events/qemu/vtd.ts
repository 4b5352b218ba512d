import { bits } from '../../../engine/bits/bitFields';
import { decodeVtd } from '../../../engine/iommu/vendors/vtd/commands';
import { decodeFault } from '../../../engine/iommu/vendors/vtd/faults';
import { accessFlag, flag } from '../kernel/fields';
import { ABLE, commandRow, wordInto } from './commandRow';
import {
  always,
  count,
  device,
  domain,
  iova,
  isOn,
  isWrite,
  paddr,
  pageMask,
  pageOrder,
  pasid,
  permissions,
  rest,
  sid,
  unused,
  word,
} from './parts';
import { type Part, payload, qemuEvent } from './printFormat';

/** Address bits of a page-table entry, 51:12, as a number of pages: the highest 12 bits are no address. */
const ADDRESS_PAGES = 2 ** 40;

/** A leaf entry of either stage: where its page begins. Its size is not told. */
const leaf: Part = (scanner, out, row) => {
  if (!scanner.address()) return false;
  out.paddrPage[row] = scanner.page % ADDRESS_PAGES;
  out.paddrOffset[row] = 0;
  return true;
};

/** The two words of a descriptor or record that is being read. */
const words = [0n, 0n];
const [low, high] = [wordInto(words, 0), wordInto(words, 1)];

/** QEMU hw/i386/trace-events, intel_iommu.c. */
export const VTD_EVENTS = [
  qemuEvent(
    'vtd_iotlb_page_update',
    'translate',
    payload`IOTLB page update sid ${sid} iova ${iova} slpte ${leaf} domain ${domain}`,
  ),
  qemuEvent(
    'vtd_iotlb_page_hit',
    'translate',
    payload`IOTLB page hit sid ${sid} iova ${iova} slpte ${leaf} domain ${domain}${always('cached')}`,
  ),
  qemuEvent(
    'vtd_dmar_translate',
    'translate',
    payload`dev ${device} iova ${iova} -> gpa ${paddr} mask ${pageMask}`,
  ),
  // Pass-through: what goes in comes out.
  qemuEvent('vtd_translate_pt', 'translate', payload`source id ${sid}, iova ${iova}`, (out, row) => {
    out.paddrPage[row] = out.iovaPage[row] ?? 0;
    out.paddrOffset[row] = out.iovaOffset[row] ?? 0;
    return true;
  }),
  qemuEvent('vtd_dmar_fault', 'fault', payload`sid ${sid} fault ${count} addr ${iova} write ${isWrite}`),
  qemuEvent('vtd_frr_new', 'fault', payload`index ${unused} high ${high} low ${low}`, (out, row, names) => {
    const fault = decodeFault(words);
    out.device[row] = names.devices.id(`sid 0x${fault.requester.toString(16)}`);
    out.iovaPage[row] = Number(fault.address >> 12n);
    out.iovaOffset[row] = Number(fault.address & 0xfffn);
    if (fault.pasid !== null) out.pasid[row] = fault.pasid;
    // FR, bits 103:96 of the record (VT-d 5.10 §11.4.14).
    out.count[row] = Number(bits(words[1] ?? 0n, 39, 32));
    flag(out, row, accessFlag(fault.write));
    return true;
  }),
  qemuEvent('vtd_inv_desc_iotlb_global', 'flush', payload`iotlb invalidate global${always('global')}`),
  qemuEvent(
    'vtd_inv_desc_iotlb_domain',
    'flush',
    payload`iotlb invalidate whole domain ${domain}${always('domainWide')}`,
  ),
  qemuEvent(
    'vtd_inv_desc_iotlb_pages',
    'flush',
    payload`iotlb invalidate domain ${domain} addr ${iova} mask ${pageOrder}`,
  ),
  qemuEvent(
    'vtd_inv_desc_iotlb_pasid_pages',
    'flush',
    payload`iotlb invalidate domain ${domain} addr ${iova} mask ${pageOrder} pasid ${pasid}`,
  ),
  qemuEvent(
    'vtd_inv_desc_iotlb_pasid',
    'flush',
    payload`iotlb invalidate domain ${domain} pasid ${pasid}${always('domainWide')}`,
  ),
  // Of QEMU's own accord, when its cache is full.
  qemuEvent('vtd_iotlb_reset', 'other', payload`IOTLB reset (reason: ${rest}${always('global')}`),
  qemuEvent(
    'vtd_inv_desc',
    'other',
    payload`invalidate desc type ${word} high ${high} low ${low}`,
    (out, row, names) => {
      commandRow(decodeVtd(words, ABLE), out, row, names);
      return true;
    },
  ),
  qemuEvent('vtd_inv_desc_cc_domain', 'other', payload`context invalidate domain ${domain}`),
  qemuEvent('vtd_inv_desc_cc_device', 'other', payload`context invalidate device ${device}`),
  qemuEvent(
    'vtd_inv_desc_cc_devices',
    'other',
    payload`context invalidate devices sid ${sid} fmask ${unused}`,
  ),
  // What devices with a map of their own are told: the walk behind a notification.
  qemuEvent(
    'vtd_page_walk_one',
    'other',
    payload`domain ${domain} iova ${iova} -> gpa ${paddr} mask ${pageMask} perm ${permissions}`,
  ),
  qemuEvent(
    'vtd_switch_address_space',
    'other',
    payload`Device ${device} switching address space (iommu enabled=${isOn})`,
  ),
  qemuEvent('vtd_dmar_enable', 'other', payload`enable ${isOn}`),
];
