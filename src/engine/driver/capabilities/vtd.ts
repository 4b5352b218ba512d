import { type RegisterFile } from '../../iommu/vendor';
import { bit, field, needs, within, type CapabilityRule } from './rule';

/** What an Intel VT-d unit can do: CAP and ECAP by their fields (VT-d 4.1 §11.4.2, §11.4.3). */
export interface VtdCapabilities {
  readonly vendor: 'vt-d';
  /** Bits of guest addresses: CAP.MGAW + 1. */
  readonly addressBits: number;
  /** Second-stage levels: CAP.SAGAW, 3 (39 bits), 4 (48) and 5 (57). */
  readonly levels: readonly number[];
  /** CAP.SSLPS. */
  readonly pages2M: boolean;
  readonly pages1G: boolean;
  /** ECAP.SMTS, and what it has below it: SSTS, FSTS, NEST, SSADS. */
  readonly scalable: boolean;
  readonly secondStage: boolean;
  readonly firstStage: boolean;
  readonly nesting: boolean;
  readonly dirtyTracking: boolean;
  /** CAP.FS1GP and FS5LP. */
  readonly firstStage1G: boolean;
  readonly firstStage5Levels: boolean;
  /** ECAP.SRS and EAFS. */
  readonly supervisorRequests: boolean;
  readonly extendedAccessed: boolean;
  /** ECAP.PSS + 1; 0: ECAP.PASID is clear. */
  readonly pasidBits: number;
  /** ECAP.PT. */
  readonly passThrough: boolean;
  /** ECAP.DT and PRS. */
  readonly ats: boolean;
  readonly pageRequests: boolean;
  /** ECAP.C: walks of legacy mode and of the structures snoop; ECAP.SMPWCS: those of scalable mode can. */
  readonly coherent: boolean;
  readonly coherentScalable: boolean;
  /** ECAP.SC. */
  readonly snoopControl: boolean;
  /** CAP.CM: not-present entries are cached. */
  readonly cachingMode: boolean;
  /** CAP.DRD and DWD. */
  readonly drainsReads: boolean;
  readonly drainsWrites: boolean;
  /** CAP.PSI and MAMV: log2 of the most pages of one page-selective invalidation. */
  readonly pageSelective: boolean;
  readonly mostAddressMask: number;
  /** Fault records: CAP.NFR + 1. */
  readonly faultRecords: number;
  /** Bits of a domain id: 4 to 16 in steps of 2, CAP.ND. */
  readonly domainBits: number;
}

export const VTD_DEFAULTS: VtdCapabilities = {
  vendor: 'vt-d',
  addressBits: 48,
  levels: [3, 4],
  pages2M: true,
  pages1G: true,
  scalable: true,
  secondStage: true,
  firstStage: true,
  nesting: true,
  dirtyTracking: true,
  firstStage1G: true,
  firstStage5Levels: false,
  supervisorRequests: true,
  extendedAccessed: false,
  pasidBits: 20,
  passThrough: true,
  ats: true,
  pageRequests: false,
  coherent: true,
  coherentScalable: true,
  snoopControl: true,
  cachingMode: false,
  drainsReads: true,
  drainsWrites: true,
  pageSelective: true,
  mostAddressMask: 18,
  faultRecords: 8,
  domainBits: 16,
};

const CAP_SOURCE = 'VT-d 4.1 §11.4.2';
const ECAP_SOURCE = 'VT-d 4.1 §11.4.3';
const SWITCH_ON_SCALABLE = 'Switch scalable mode on, or leave that feature out.';

const scalableNeeded = (
  name: string,
  feature: (of: VtdCapabilities) => boolean,
): CapabilityRule<VtdCapabilities> =>
  needs(feature, ({ scalable }) => scalable, {
    says: `ECAP.${name} is 0 where ECAP.SMTS (scalable mode) is 0`,
    source: ECAP_SOURCE,
    hint: SWITCH_ON_SCALABLE,
  });

export const VTD_RULES: readonly CapabilityRule<VtdCapabilities>[] = [
  scalableNeeded('SSADS', ({ dirtyTracking }) => dirtyTracking),
  scalableNeeded('SSTS', ({ secondStage }) => secondStage),
  scalableNeeded('FSTS', ({ firstStage }) => firstStage),
  scalableNeeded('NEST', ({ nesting }) => nesting),
  scalableNeeded('SMPWCS', ({ coherentScalable }) => coherentScalable),
  scalableNeeded('EAFS', ({ extendedAccessed }) => extendedAccessed),
  scalableNeeded('PASID', ({ pasidBits }) => pasidBits > 0),
  needs(
    ({ dirtyTracking }) => dirtyTracking,
    ({ secondStage }) => secondStage,
    {
      says: 'ECAP.SSADS is 0 where ECAP.SSTS (second stage in scalable mode) is 0',
      source: ECAP_SOURCE,
      hint: 'Switch the second stage on, or leave A and D of it out.',
    },
  ),
  needs(
    ({ nesting }) => nesting,
    ({ firstStage, secondStage }) => firstStage && secondStage,
    {
      says: 'ECAP.NEST is 0 where ECAP.FSTS or ECAP.SSTS is 0: nested translation takes both stages',
      source: ECAP_SOURCE,
      hint: 'Switch both stages on, or leave nesting out.',
    },
  ),
  needs(
    ({ scalable }) => scalable,
    ({ firstStage, secondStage }) => firstStage || secondStage,
    {
      says: 'A unit with ECAP.SMTS translates by FSTS or SSTS at least',
      source: ECAP_SOURCE,
      hint: 'Switch a stage on.',
    },
  ),
  needs(
    ({ pageRequests }) => pageRequests,
    ({ ats, scalable }) => ats && scalable,
    {
      says: 'ECAP.PRS is 0 where ECAP.DT (device TLB) or ECAP.SMTS is 0',
      source: ECAP_SOURCE,
      hint: 'Switch ATS and scalable mode on, or leave page requests out.',
    },
  ),
  needs(
    ({ firstStage1G, firstStage5Levels }) => firstStage1G || firstStage5Levels,
    ({ firstStage }) => firstStage,
    {
      says: 'CAP.FS1GP and CAP.FS5LP are 0 where ECAP.FSTS is 0',
      source: CAP_SOURCE,
      hint: 'Switch the first stage on, or leave its features out.',
    },
  ),
  {
    broken: ({ levels }) => levels.some((level) => ![3, 4, 5].includes(level)) || levels.length === 0,
    says: 'CAP.SAGAW has 3, 4 or 5 levels (39, 48 or 57 bits), and at least one of them',
    source: CAP_SOURCE,
    hint: 'Give the levels as 3, 4 and 5.',
  },
  {
    broken: ({ levels, addressBits }) => addressBits > 12 + 9 * Math.max(...levels),
    says: 'CAP.MGAW is at most what the levels in CAP.SAGAW take',
    source: CAP_SOURCE,
    hint: 'Add levels, or lower the address bits.',
  },
  needs(
    ({ pages1G }) => pages1G,
    ({ pages2M }) => pages2M,
    {
      says: 'CAP.SSLPS says 2M pages wherever it says 1G pages',
      source: CAP_SOURCE,
      hint: 'Switch 2M pages on.',
    },
  ),
  {
    broken: ({ domainBits }) => domainBits % 2 !== 0 || domainBits < 4 || domainBits > 16,
    says: 'CAP.ND says domain ids of 4, 6, 8, 10, 12, 14 or 16 bits',
    source: CAP_SOURCE,
    hint: 'Choose one of these.',
  },
  within(({ addressBits }) => addressBits, 30, 57, {
    field: 'addressBits (CAP.MGAW + 1)',
    source: CAP_SOURCE,
  }),
  within(({ pasidBits }) => pasidBits, 0, 20, { field: 'pasidBits (ECAP.PSS + 1)', source: ECAP_SOURCE }),
  within(({ faultRecords }) => faultRecords, 1, 256, {
    field: 'faultRecords (CAP.NFR + 1)',
    source: CAP_SOURCE,
  }),
  within(({ mostAddressMask }) => mostAddressMask, 0, 52, {
    field: 'mostAddressMask (CAP.MAMV)',
    source: CAP_SOURCE,
  }),
];

/** Offset of the fault records and of the IOTLB registers, in 16 bytes: anything behind the other registers. */
const FAULT_RECORD_OFFSET = 0x40;
const IOTLB_OFFSET = 0x30;

/** CAP, ECAP and the registers of a unit after reset: translation is off, nothing is set. */
export function vtdRegistersOf(of: VtdCapabilities): RegisterFile {
  const cap =
    field(0, (of.domainBits - 4) / 2) |
    bit(7, of.cachingMode) |
    of.levels.reduce((sagaw, level) => sagaw | bit(8 + level - 2, true), 0n) |
    field(16, of.addressBits - 1) |
    field(24, FAULT_RECORD_OFFSET) |
    bit(34, of.pages2M) |
    bit(35, of.pages1G) |
    bit(39, of.pageSelective) |
    field(40, of.faultRecords - 1) |
    field(48, of.mostAddressMask) |
    bit(54, of.drainsWrites) |
    bit(55, of.drainsReads) |
    bit(56, of.firstStage1G) |
    bit(60, of.firstStage5Levels);
  const ecap =
    bit(0, of.coherent) |
    bit(1, true) |
    bit(2, of.ats) |
    bit(6, of.passThrough) |
    bit(7, of.snoopControl) |
    field(8, IOTLB_OFFSET) |
    bit(26, of.nesting) |
    bit(29, of.pageRequests) |
    bit(31, of.supervisorRequests) |
    bit(34, of.extendedAccessed) |
    field(35, Math.max(0, of.pasidBits - 1)) |
    bit(40, of.pasidBits > 0) |
    bit(43, of.scalable) |
    bit(45, of.dirtyTracking) |
    bit(46, of.secondStage) |
    bit(47, of.firstStage) |
    bit(48, of.coherentScalable);
  const zeros = ['GSTS', 'RTADDR', 'FSTS', 'IQH', 'IQT', 'IQA', 'PQH', 'PQT', 'PQA'];
  return new Map([['CAP', cap], ['ECAP', ecap], ...zeros.map((name) => [name, 0n] as const)]);
}
