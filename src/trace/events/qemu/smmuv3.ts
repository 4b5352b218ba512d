import { type RowBuilder } from '../../model/columns';
import { literal } from '../../text/lineScanner';
import {
  always,
  blanks,
  domain,
  granule,
  iova,
  isWrite,
  mebibytes,
  paddr,
  pages,
  permissions,
  rest,
  sid,
  stage,
  unused,
  vmid,
  word,
} from './parts';
import { optional, type Part, payload, qemuEvent } from './printFormat';

/** Event numbers (IHI 0070 7.3) by what QEMU calls them, without `SMMU_EVT_`. */
const EVENTS: Readonly<Record<string, number>> = {
  F_UUT: 0x01,
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_BAD_ATS_TREQ: 0x05,
  F_STREAM_DISABLED: 0x06,
  F_TRANS_FORBIDDEN: 0x07,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
  F_TLB_CONFLICT: 0x20,
  F_CFG_CONFLICT: 0x21,
  E_PAGE_REQ: 0x24,
};
const EVENT_PREFIX = 'SMMU_EVT_';
const SMALLEST_PAGE = 4096;
const [EQUALS, COLON] = [literal('='), literal(':')];

const kind: Part = (scanner, out, row) => {
  const text = scanner.word();
  const number = EVENTS[text.replace(EVENT_PREFIX, '')];
  if (number !== undefined) out.count[row] = number;
  return text !== '';
};

/** ` stage=1`, since 9.1; before, translations of both kinds said the same. */
const stageAtEnd = optional(payload` stage=${stage}`);
const stageInFront = optional(payload`stage=${stage} `);
/** `asid=1 vmid=0`: the domain is the ASID; where it is -1, the VMID. Before 8.1 there was no VMID. */
const asidAndVmid = payload`asid=${domain}${optional(payload` vmid=${vmid}`)}`;
const whole = always('domainWide');

/** `sid`, `SID` or `streamid`. */
const streamName: Part = (scanner) => /^(sid|streamid)$/i.test(scanner.word(':='));
const separator: Part = (scanner) => scanner.skip(EQUALS) || scanner.skip(COLON);
/** An address without a size: the page that has it, of 4 KiB at least. */
const onePage: Part = (_scanner, out, row) => {
  out.iovaOffset[row] = 0;
  out.size[row] = SMALLEST_PAGE;
  return true;
};

function passedThrough(out: RowBuilder, row: number): boolean {
  out.paddrPage[row] = out.iovaPage[row] ?? 0;
  out.paddrOffset[row] = out.iovaOffset[row] ?? 0;
  return true;
}

/** Blanks stood in front of the equals signs before 6.0. */
const range = payload`vmid${blanks}=${vmid} asid${blanks}=${domain} addr=${iova} tg=${granule} num_pages=${pages} ttl=${unused} leaf=${unused}`;

/** QEMU hw/arm/trace-events, smmuv3.c: requests, commands and events. */
const REQUESTS = [
  qemuEvent(
    'smmuv3_translate_success',
    'translate',
    payload`${word} sid=${sid} iova=${iova} translated=${paddr} perm=${permissions}${stageAtEnd}`,
  ),
  qemuEvent(
    'smmuv3_translate_bypass',
    'translate',
    payload`${word} sid=${sid} STE bypass iova:${iova} is_write=${isWrite}`,
    passedThrough,
  ),
  qemuEvent(
    'smmuv3_translate_disable',
    'translate',
    payload`${word} sid=${sid} bypass (smmu disabled) iova:${iova} is_write=${isWrite}`,
    passedThrough,
  ),
  qemuEvent(
    'smmuv3_translate_abort',
    'fault',
    payload`${word} sid=${sid} abort on iova:${iova} is_write=${isWrite}`,
  ),
  qemuEvent('smmuv3_record_event', 'fault', payload`${kind} sid=${sid}`),
  qemuEvent('smmuv3_range_inval', 'flush', payload`${range}${stageAtEnd}`),
  // Until 8.0, which knew one stage.
  qemuEvent('smmuv3_s1_range_inval', 'flush', payload`${range}${always('stage1')}`),
  // Of one VMID, whose ASIDs are not told.
  qemuEvent('smmuv3_cmdq_tlbi_nh', 'flush', payload`${optional(payload`vmid=${unused}`)}${always('global')}`),
  qemuEvent('smmuv3_cmdq_tlbi_nsnh', 'flush', payload`${always('global')}`),
  qemuEvent('smmuv3_cmdq_tlbi_nh_asid', 'flush', payload`asid=${domain}${always('domainWide', 'stage1')}`),
  qemuEvent('smmuv3_cmdq_tlbi_s12_vmid', 'flush', payload`vmid=${domain}${whole}`),
  qemuEvent('smmuv3_cmdq_tlbi_nh_va', 'flush', payload`vmid =${vmid} asid =${domain} addr=${iova}${onePage}`),
  qemuEvent('smmuv3_cmdq_tlbi_nh_vaa', 'flush', payload`vmid =${unused} addr=${iova}${onePage}`),
  qemuEvent('smmuv3_cmdq_cfgi_ste', 'other', payload`streamid${blanks}=${blanks}${sid}`),
  qemuEvent('smmuv3_cmdq_cfgi_cd', 'other', payload`${streamName}${blanks}=${blanks}${sid}`),
  qemuEvent('smmuv3_find_ste', 'other', payload`${streamName}${separator}${sid} features:${unused}${rest}`),
];

/** smmu-common.c: the walk, and QEMU's cache of translations. */
const WALKS = [
  qemuEvent(
    'smmu_ptw_level',
    'other',
    payload`${stageInFront}level=${unused} iova=${iova} subpage_sz=${unused} baseaddr=${word}${rest}`,
  ),
  qemuEvent(
    'smmu_ptw_page_pte',
    'other',
    payload`${stageInFront}level=${unused} iova=${iova} base@=${word} pte@=${word} pte=${word} page address = ${paddr}`,
  ),
  qemuEvent(
    'smmu_ptw_block_pte',
    'other',
    payload`${stageInFront}level=${unused} base@=${word} pte@=${word} pte=${word} iova=${iova} block address = ${paddr} block size = ${mebibytes} MiB`,
  ),
  qemuEvent('smmu_ptw_invalid_pte', 'other', payload`${stageInFront}level=${unused} base@=${word}${rest}`),
  qemuEvent(
    'smmu_iotlb_lookup_hit',
    'other',
    payload`IOTLB cache HIT ${asidAndVmid} addr=${iova}${always('cached')}`,
  ),
  qemuEvent('smmu_iotlb_lookup_miss', 'other', payload`IOTLB cache MISS ${asidAndVmid} addr=${iova}`),
  qemuEvent('smmu_iotlb_insert', 'other', payload`IOTLB ++ ${asidAndVmid} addr=${iova}`),
  // By a command, or of QEMU's own accord when the cache is full.
  qemuEvent('smmu_iotlb_inv_all', 'flush', payload`IOTLB invalidate all${always('global')}`),
  qemuEvent('smmu_iotlb_inv_asid', 'flush', payload`IOTLB invalidate asid=${domain}${whole}`),
  qemuEvent('smmu_iotlb_inv_asid_vmid', 'flush', payload`IOTLB invalidate ${asidAndVmid}${whole}`),
  qemuEvent('smmu_iotlb_inv_vmid', 'flush', payload`IOTLB invalidate vmid=${domain}${whole}`),
  qemuEvent(
    'smmu_iotlb_inv_vmid_s1',
    'flush',
    payload`IOTLB invalidate vmid=${domain}${always('domainWide', 'stage1')}`,
  ),
  qemuEvent('smmu_iotlb_inv_iova', 'flush', payload`IOTLB invalidate asid=${domain} addr=${iova}${onePage}`),
];

export const SMMUV3_EVENTS = [...REQUESTS, ...WALKS];
