import { type RegisterFile } from '../../iommu/vendor';
import { bit, field, needs, within, type CapabilityRule } from './rule';

/** What an Arm SMMUv3 can do: IDR0, IDR1, IDR3 and IDR5 by their fields (IHI 0070 6.3.1 to 6.3.6). */
export interface Smmuv3Capabilities {
  readonly vendor: 'smmuv3';
  /** IDR0.S1P and S2P. */
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** IDR0.TTF: VMSAv8-64 tables, the only ones that are emulated. */
  readonly tables64: boolean;
  /** IDR0.COHACC: walks snoop. */
  readonly coherent: boolean;
  /** IDR0.HTTU: 0 none, 1 accessed, 2 accessed and dirty. */
  readonly httu: number;
  /** IDR3.BBML. */
  readonly bbml: number;
  /** IDR3.RIL: range invalidation. */
  readonly ril: boolean;
  readonly ats: boolean;
  /** Bits: 8 or 16 (IDR0.ASID16, VMID16). */
  readonly asidBits: number;
  readonly vmidBits: number;
  /** IDR1.SIDSIZE and SSIDSIZE. */
  readonly streamBits: number;
  readonly substreamBits: number;
  /** IDR0.ST_LEVEL and CD2L. */
  readonly twoLevelStreams: boolean;
  readonly twoLevelContexts: boolean;
  /** IDR5. */
  readonly granules: readonly string[];
  readonly outputBits: number;
  /** IDR5.DS: 52 bits with the 4K and 16K granules; IDR5.VAX: 52-bit input addresses. */
  readonly wideSmallGranules: boolean;
  readonly wideInput: boolean;
  /** IDR1.CMDQS and EVENTQS: log2 of the most slots. */
  readonly commandQueueLog2: number;
  readonly eventQueueLog2: number;
}

export const SMMUV3_DEFAULTS: Smmuv3Capabilities = {
  vendor: 'smmuv3',
  stage1: true,
  stage2: true,
  tables64: true,
  coherent: true,
  httu: 2,
  bbml: 2,
  ril: true,
  ats: true,
  asidBits: 16,
  vmidBits: 16,
  streamBits: 16,
  substreamBits: 16,
  twoLevelStreams: true,
  twoLevelContexts: true,
  granules: ['4K', '16K', '64K'],
  outputBits: 48,
  wideSmallGranules: false,
  wideInput: false,
  commandQueueLog2: 8,
  eventQueueLog2: 7,
};

/** IDR5.OAS by code. */
const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52];
const GRANULES = ['4K', '16K', '64K'];
const IDR0 = 'IHI 0070 6.3.1';
const IDR1 = 'IHI 0070 6.3.2';
const IDR3 = 'IHI 0070 6.3.4';
const IDR5 = 'IHI 0070 6.3.6';

export const SMMUV3_RULES: readonly CapabilityRule<Smmuv3Capabilities>[] = [
  needs(
    ({ httu }) => httu > 0,
    ({ tables64 }) => tables64,
    {
      says: 'IDR0.HTTU is 0 where IDR0.TTF has no VMSAv8-64: AF and DBM are updated in such tables only',
      source: IDR0,
      hint: 'Switch VMSAv8-64 tables on, or HTTU off.',
    },
  ),
  {
    broken: ({ stage1, stage2 }) => !stage1 && !stage2,
    says: 'IDR0.S1P or IDR0.S2P is 1',
    source: IDR0,
    hint: 'Switch a stage on.',
  },
  {
    broken: ({ tables64 }) => !tables64,
    says: 'Tables of VMSAv8-32 are not emulated, and IDR0.TTF has nothing else',
    source: IDR0,
    hint: 'Switch VMSAv8-64 tables on.',
  },
  needs(
    ({ asidBits, substreamBits }) => asidBits === 16 || substreamBits > 0,
    ({ stage1 }) => stage1,
    {
      says: 'IDR0.ASID16 and IDR1.SSIDSIZE are 0 where IDR0.S1P is 0: ASIDs and SubstreamIDs are of stage 1',
      source: `${IDR0}, ${IDR1}`,
      hint: 'Switch stage 1 on, or leave both out.',
    },
  ),
  needs(
    ({ vmidBits }) => vmidBits === 16,
    ({ stage2 }) => stage2,
    {
      says: 'IDR0.VMID16 is 0 where IDR0.S2P is 0: VMIDs are of stage 2',
      source: IDR0,
      hint: 'Switch stage 2 on, or take 8-bit VMIDs.',
    },
  ),
  needs(
    ({ twoLevelContexts }) => twoLevelContexts,
    ({ stage1 }) => stage1,
    {
      says: 'IDR0.CD2L is 0 where IDR0.S1P is 0',
      source: IDR0,
      hint: 'Switch stage 1 on, or leave 2-level CD tables out.',
    },
  ),
  {
    broken: ({ asidBits, vmidBits }) => ![8, 16].includes(asidBits) || ![8, 16].includes(vmidBits),
    says: 'ASIDs and VMIDs have 8 or 16 bits',
    source: IDR0,
    hint: 'Choose 8 or 16.',
  },
  {
    broken: ({ granules }) => granules.length === 0 || granules.some((one) => !GRANULES.includes(one)),
    says: 'IDR5 has one of the granules 4K, 16K and 64K at least, and no other',
    source: IDR5,
    hint: 'Give the granules as 4K, 16K and 64K.',
  },
  {
    broken: ({ outputBits }) => !OUTPUT_BITS.includes(outputBits),
    says: 'IDR5.OAS says 32, 36, 40, 42, 44, 48 or 52 bits',
    source: IDR5,
    hint: 'Choose one of these.',
  },
  needs(
    ({ outputBits, wideInput }) => outputBits === 52 || wideInput,
    ({ granules, wideSmallGranules }) => granules.includes('64K') || wideSmallGranules,
    {
      says: '52-bit addresses need the 64K granule, or IDR5.DS with the others',
      source: IDR5,
      hint: 'Switch the 64K granule or DS on, or take 48 bits.',
    },
  ),
  needs(
    ({ wideSmallGranules }) => wideSmallGranules,
    ({ granules, outputBits }) => outputBits === 52 && granules.some((one) => one !== '64K'),
    {
      says: 'IDR5.DS is 0 where there is neither the 4K nor the 16K granule, or OAS is below 52 bits',
      source: IDR5,
      hint: 'Leave DS out, or give what it needs.',
    },
  ),
  within(({ httu }) => httu, 0, 2, { field: 'httu (IDR0.HTTU)', source: IDR0 }),
  within(({ bbml }) => bbml, 0, 2, { field: 'bbml (IDR3.BBML)', source: IDR3 }),
  within(({ streamBits }) => streamBits, 1, 24, { field: 'streamBits (IDR1.SIDSIZE)', source: IDR1 }),
  within(({ substreamBits }) => substreamBits, 0, 20, {
    field: 'substreamBits (IDR1.SSIDSIZE)',
    source: IDR1,
  }),
  within(({ commandQueueLog2 }) => commandQueueLog2, 1, 19, {
    field: 'commandQueueLog2 (IDR1.CMDQS)',
    source: IDR1,
  }),
  within(({ eventQueueLog2 }) => eventQueueLog2, 1, 19, {
    field: 'eventQueueLog2 (IDR1.EVENTQS)',
    source: IDR1,
  }),
];

/** The registers after reset: nothing is on. */
export function smmuv3RegistersOf(of: Smmuv3Capabilities): RegisterFile {
  const idr0 =
    bit(0, of.stage2) |
    bit(1, of.stage1) |
    bit(3, of.tables64) |
    bit(4, of.coherent) |
    field(6, of.httu) |
    bit(10, of.ats) |
    bit(12, of.asidBits === 16) |
    bit(18, of.vmidBits === 16) |
    bit(19, of.twoLevelContexts) |
    field(21, 2) |
    field(27, of.twoLevelStreams ? 1 : 0);
  const idr1 =
    field(0, of.streamBits) |
    field(6, of.substreamBits) |
    field(16, of.eventQueueLog2) |
    field(21, of.commandQueueLog2);
  const idr3 = bit(10, of.ril) | field(11, of.bbml);
  const idr5 =
    field(0, OUTPUT_BITS.indexOf(of.outputBits)) |
    bit(4, of.granules.includes('4K')) |
    bit(5, of.granules.includes('16K')) |
    bit(6, of.granules.includes('64K')) |
    bit(7, of.wideSmallGranules) |
    field(10, of.wideInput ? 1 : 0);
  const zeros = [
    'CR0',
    'CR0ACK',
    'CR1',
    'CR2',
    'GBPA',
    'GERROR',
    'GERRORN',
    'STRTAB_BASE',
    'STRTAB_BASE_CFG',
  ];
  const queues = ['CMDQ', 'EVENTQ'].flatMap((queue) =>
    ['BASE', 'PROD', 'CONS'].map((name) => `${queue}_${name}`),
  );
  return new Map([
    ['IDR0', idr0],
    ['IDR1', idr1],
    ['IDR3', idr3],
    ['IDR5', idr5],
    ...[...zeros, ...queues].map((name) => [name, 0n] as const),
  ]);
}
