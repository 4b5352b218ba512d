import { VTD_GRANULARITY } from '../../../engine/iommu/vendors/vtd/commands';
import { formatRequester, requesterId } from '../../../engine/values';
import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { FLAGS, operationCode, type Operation } from '../../model/operation';
import { type LineScanner, literal } from '../../text/lineScanner';
import { type EventRule } from '../eventRule';
import { atEnd, BLANK, flag, readDevice, readIova } from './fields';
import { FAILED_TO_PARSE, PayloadFields, SAYS } from './payloadFields';

const FIELDS = new PayloadFields();
const PAGE = 4096;
/** Log2 pages of everything: a mask of this size is not a range. */
const ALL_PAGES_SHIFT = 52;

const [SLASH, TYPE, DID, PASID] = [literal('/'), literal(' type '), literal(' did '), literal(' pasid ')];
const [REF, OPEN, CLOSE, MINUS] = [literal(' ref '), literal('['), literal(']'), literal('-')];
const [RANGE, ADDR, PAGES, MASK] = [literal(' ['), literal('] addr '), literal(' pages '), literal(' mask ')];
const [COLON, SEQUENCE] = [literal(': '), literal(' seq# ')];
const [RID, PRQ_ADDR, PRQ_PASID, INDEX] = [
  literal('rid='),
  literal(' addr='),
  literal(' pasid='),
  literal(' index='),
];

/** enum cache_tag_type of drivers/iommu/intel/iommu.h; trace-cmd prints the numbers that it cannot name. */
const TAGS = ['iotlb', 'devtlb', 'nesting_iotlb', 'nesting_devtlb'];

/** ` type %s did %d`; the flags of nested tags are those of stage 1. */
function readTag(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  if (!scanner.skip(TYPE)) return false;
  const type = scanner.word();
  const number = TAGS.includes(type) ? TAGS.indexOf(type) : Number(type || 'none');
  if (!(number >= 0 && number < TAGS.length) || !scanner.skip(DID)) return false;
  if (number >= 2) flag(out, row, FLAGS.stage1);
  const domain = scanner.decimal();
  out.domain[row] = domain;
  return !Number.isNaN(domain);
}

/** The device of a tag: of IOTLB tags it is the unit itself, which is no device. */
function tagDevice(unit: string, device: string, out: RowBuilder, row: number, names: TraceNames): boolean {
  if (unit === '' || device === '' || unit.length + device.length > 512) return false;
  if (device !== unit) out.device[row] = names.devices.id(device);
  return true;
}

function readPasid(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  const pasid = scanner.decimal();
  // IOMMU_PASID_INVALID is printed as -1.
  if (pasid >= 0) out.pasid[row] = pasid;
  return !Number.isNaN(pasid);
}

/**
 * Linux drivers/iommu/intel/trace.h, cache_tag_log (since 6.10): `%s/%s type %s did %d pasid %d ref %d`. Tags of devices say that
 * they use a domain; a tag of the unit's IOTLB names none.
 */
const tagRule = (event: string, operation: Operation): EventRule => ({
  event,
  operation,
  read(scanner, out, row, names) {
    const unit = scanner.word('/');
    if (!scanner.skip(SLASH) || !tagDevice(unit, scanner.word(), out, row, names)) return false;
    if (!readTag(scanner, out, row) || !scanner.skip(PASID) || !readPasid(scanner, out, row)) return false;
    if (!scanner.skip(REF) || Number.isNaN(scanner.decimal())) return false;
    if (operation === 'flush') flag(out, row, FLAGS.domainWide);
    else if (Number.isNaN(out.device[row])) out.operation[row] = operationCode('other');
    return atEnd(scanner);
  },
});

/**
 * cache_tag_flush (since 6.10): `%s %s[%d] type %s did %d [0x%lx-0x%lx] addr 0x%lx pages 0x%lx mask 0x%lx`. In the brackets is
 * what was unmapped, last byte included; behind it the aligned block that is flushed, which the row says.
 */
const flushRule = (event: string): EventRule => ({
  event,
  operation: 'flush',
  read(scanner, out, row, names) {
    const unit = scanner.word();
    if (!scanner.skip(BLANK) || !tagDevice(unit, scanner.word('['), out, row, names)) return false;
    if (!scanner.skip(OPEN) || !readPasid(scanner, out, row) || !scanner.skip(CLOSE)) return false;
    if (!readTag(scanner, out, row) || !scanner.skip(RANGE)) return false;
    if (!scanner.address() || !scanner.skip(MINUS) || !scanner.address() || !scanner.skip(ADDR)) return false;
    if (!readIova(scanner, out, row) || !scanner.skip(PAGES)) return false;
    const pages = scanner.hex();
    if (Number.isNaN(pages) || !scanner.skip(MASK)) return false;
    const mask = scanner.hex();
    if (Number.isNaN(mask)) return false;
    if (mask >= ALL_PAGES_SHIFT) wholeDomain(out, row, FLAGS.domainWide);
    else out.size[row] = pages * PAGE;
    return atEnd(scanner);
  },
});

function wholeDomain(out: RowBuilder, row: number, bits: number): void {
  out.iovaPage[row] = Number.NaN;
  out.iovaOffset[row] = Number.NaN;
  flag(out, row, bits);
}

/** The four words of a descriptor, as halves: lo and hi of each. */
const WORDS = new Uint32Array(8);
const [OTHER, FLUSH] = [operationCode('other'), operationCode('flush')];
/** Those that drop translations: of the IOTLB, of devices' TLBs, and both with PASIDs. */
const FLUSHES = new Set([2, 3, 6, 8]);

/** Descriptors by the kernel's names: `iotlb_inv`; of others the type as a number. */
const DESCRIPTORS = new Map<string, number>(
  [
    'cc_inv',
    'iotlb_inv',
    'dev_tlb_inv',
    'iec_inv',
    'inv_wait',
    'p_iotlb_inv',
    'pc_inv',
    'p_dev_tlb_inv',
    'page_grp_resp',
  ].map((name, index) => [name, index + 1]),
);

/**
 * qi_submit (since 5.14): `%s %s: 0x%llx 0x%llx 0x%llx 0x%llx`, type, unit and the words of a descriptor of VT-d 5.10 §6.5.2,
 * whose layouts are the engine's (engine/iommu/vendors/vtd/commands.ts); here they are read from halves, many a second.
 */
const submit: EventRule = {
  event: 'qi_submit',
  operation: 'other',
  read(scanner, out, row, names) {
    const name = scanner.word();
    if (name === '' || !scanner.skip(BLANK) || !scanner.word().endsWith(':')) return false;
    for (let word = 0; word < 4; word++) {
      if (!scanner.skip(BLANK) || !scanner.address()) return false;
      WORDS[2 * word] = (scanner.page % 2 ** 20) * PAGE + scanner.offset;
      WORDS[2 * word + 1] = Math.floor(scanner.page / 2 ** 20);
    }
    const type = (WORDS[0] ?? 0) & 0xf;
    const named = DESCRIPTORS.get(name);
    if (named !== undefined && named !== type) return false;
    describe(type, out, row, names);
    return atEnd(scanner);
  },
};

const low = (word: number): number => WORDS[2 * word] ?? 0;
const high = (word: number): number => WORDS[2 * word + 1] ?? 0;

function describe(type: number, out: RowBuilder, row: number, names: TraceNames): void {
  const granularity = (low(0) >>> 4) & 3;
  const did = low(0) >>> 16;
  const pasid = high(0) & 0xf_ffff;
  out.operation[row] = FLUSHES.has(type) ? FLUSH : OTHER;
  switch (type) {
    case 1:
      if (granularity !== VTD_GRANULARITY.global) out.domain[row] = did;
      if (granularity === VTD_GRANULARITY.device) device(high(0) & 0xffff, out, row, names);
      break;
    case 2:
      if (granularity !== VTD_GRANULARITY.global) out.domain[row] = did;
      if (granularity === VTD_GRANULARITY.page) aligned(out, row);
      else flag(out, row, granularity === VTD_GRANULARITY.global ? FLAGS.global : FLAGS.domainWide);
      break;
    case 3:
      device(high(0) & 0xffff, out, row, names);
      sized((low(1) & 1) !== 0, out, row);
      break;
    case 6:
      out.domain[row] = did;
      out.pasid[row] = pasid;
      flag(out, row, FLAGS.stage1);
      if (granularity === VTD_GRANULARITY.pasidPage) aligned(out, row);
      else flag(out, row, FLAGS.domainWide);
      break;
    case 7:
      if (granularity !== VTD_GRANULARITY.pasidCacheGlobal) out.domain[row] = did;
      if (granularity === VTD_GRANULARITY.pasidCachePasid) out.pasid[row] = pasid;
      break;
    case 8:
      device(did, out, row, names);
      out.pasid[row] = pasid;
      sized((low(1) & 0x800) !== 0, out, row);
      break;
    case 9:
      device(did, out, row, names);
      out.pasid[row] = pasid;
      break;
  }
}

const device = (requester: number, out: RowBuilder, row: number, names: TraceNames): void => {
  out.device[row] = names.devices.id(formatRequester(requesterId(requester)));
};

/** AM and ADDR: 2^AM pages at that alignment. */
function aligned(out: RowBuilder, row: number): void {
  block(low(1) & 0x3f, out, row);
}

/** S and ADDR: with S, 2^(n+1) pages where bit 12+n is the lowest that is clear. */
function sized(isSized: boolean, out: RowBuilder, row: number): void {
  const address = addressPage();
  let order = 0;
  if (isSized) for (order = 1; order < ALL_PAGES_SHIFT && bitOf(address, order - 1) === 1;) order++;
  block(order, out, row);
}

function block(order: number, out: RowBuilder, row: number): void {
  if (order >= ALL_PAGES_SHIFT) {
    flag(out, row, FLAGS.domainWide);
    return;
  }
  const pages = 2 ** order;
  const page = addressPage();
  out.iovaPage[row] = page - (page % pages);
  out.iovaOffset[row] = 0;
  out.size[row] = pages * PAGE;
}

const addressPage = (): number => high(1) * 2 ** 20 + (low(1) >>> 12);
const bitOf = (value: number, bit: number): number => Math.floor(value / 2 ** bit) % 2;

/** `rwxpl`, `-` for what is not asked. */
const READ_LETTER = 0x72;
const WRITE_LETTER = 0x77;

/**
 * prq_report (since 5.14): `%s/%s seq# %ld: %s`, the last of which is `rid=0x%llx addr=0x%llx %c%c%c%c%c pasid=0x%llx index=0x%llx`
 * (decode_prq_descriptor), the address as a page number. A request for a page is no refusal.
 */
const pageRequest: EventRule = {
  event: 'prq_report',
  operation: 'other',
  read(scanner, out, row, names) {
    // The function that decodes the words is the kernel's: trace-cmd prints the words, of which the device is enough.
    if (scanner.skip(FAILED_TO_PARSE)) {
      const said = FIELDS.read(scanner, out, row, names, true);
      return said >= 0 && (said & SAYS.device) !== 0;
    }
    if (scanner.word('/') === '' || !scanner.skip(SLASH) || !readDevice(scanner, out, row, names))
      return false;
    if (!scanner.skip(SEQUENCE) || Number.isNaN(scanner.decimal()) || !scanner.skip(COLON)) return false;
    if (!scanner.skip(RID) || !scanner.address() || !scanner.skip(PRQ_ADDR)) return false;
    const page = scanner.hex();
    if (Number.isNaN(page) || !scanner.skip(BLANK)) return false;
    out.iovaPage[row] = page;
    out.iovaOffset[row] = 0;
    if (scanner.bytes[scanner.at] === READ_LETTER) flag(out, row, FLAGS.read);
    if (scanner.bytes[scanner.at + 1] === WRITE_LETTER) flag(out, row, FLAGS.write);
    scanner.word();
    if (!scanner.skip(PRQ_PASID)) return false;
    const pasid = scanner.hex();
    if (Number.isNaN(pasid) || !scanner.skip(INDEX)) return false;
    out.pasid[row] = pasid;
    return scanner.address();
  },
};

/** The system `intel_iommu` of today's kernels: what is asked of the hardware's caches. */
export const INTEL_EVENTS: readonly EventRule[] = [
  tagRule('cache_tag_assign', 'attach'),
  tagRule('cache_tag_unassign', 'detach'),
  tagRule('cache_tag_flush_all', 'flush'),
  flushRule('cache_tag_flush_range'),
  flushRule('cache_tag_flush_range_np'),
  submit,
  pageRequest,
];
