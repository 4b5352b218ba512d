import { type RegisterFile } from '../../iommu/vendor';
import { bit, field, needs, within, type CapabilityRule } from './rule';

/** What an AMD IOMMU can do: ExtFeat and ExtFeat2 by their fields (AMD 48882 3.10 §3.4). */
export interface AmdCapabilities {
  readonly vendor: 'amd-vi';
  /** Most levels of host tables: HATS, 4 to 6. */
  readonly levels: number;
  /** GTSup, and GATS: most levels of guest tables, 4 or 5; 0: no guest translation. */
  readonly guestLevels: number;
  /** Levels of GCR3 tables: GLXSup + 1. */
  readonly gcr3Levels: number;
  /** PASmax + 1. */
  readonly pasidBits: number;
  /** GIoSup: requests without a PASID may use guest tables. */
  readonly guestIo: boolean;
  /** HASup and HDSup: hardware marks A, and D, in host tables. */
  readonly hostAccessed: boolean;
  readonly hostDirty: boolean;
  /** vIommuSup: guests have command queues of their own. */
  readonly virtualIommu: boolean;
  /** GCR3TRPMode: GCR3 tables may be at guest addresses. */
  readonly gcr3AtGuestAddress: boolean;
  readonly noExecute: boolean;
  /** IotlbSup of the capability header: devices may have TLBs. PPRSup: page requests. */
  readonly ats: boolean;
  readonly pageRequests: boolean;
  /** NpCache of the capability header: not-present entries are cached. */
  readonly cachesNotPresent: boolean;
  /** IASup: INVALIDATE_IOMMU_ALL. */
  readonly invalidateAll: boolean;
  /** Table walks snoop (Control.Coherent may be set). */
  readonly coherent: boolean;
  /** DeviceIDs that the device table is for, in bits: at most 16. */
  readonly deviceBits: number;
  /** Records of the event log: a power of two from 256 to 32768. */
  readonly eventRecords: number;
}

export const AMD_DEFAULTS: AmdCapabilities = {
  vendor: 'amd-vi',
  levels: 6,
  guestLevels: 5,
  gcr3Levels: 2,
  pasidBits: 16,
  guestIo: true,
  hostAccessed: true,
  hostDirty: true,
  virtualIommu: true,
  gcr3AtGuestAddress: true,
  noExecute: true,
  ats: true,
  pageRequests: false,
  cachesNotPresent: false,
  invalidateAll: true,
  coherent: true,
  deviceBits: 16,
  eventRecords: 512,
};

const SOURCE = 'AMD 48882 3.10 §3.4';
const guestNeeded = (
  name: string,
  feature: (of: AmdCapabilities) => boolean,
): CapabilityRule<AmdCapabilities> =>
  needs(feature, ({ guestLevels }) => guestLevels > 0, {
    says: `${name} is 0 where ExtFeat.GTSup (guest translation) is 0`,
    source: SOURCE,
    hint: 'Give guest tables levels, or leave that feature out.',
  });

export const AMD_RULES: readonly CapabilityRule<AmdCapabilities>[] = [
  needs(
    ({ hostDirty }) => hostDirty,
    ({ hostAccessed }) => hostAccessed,
    {
      says: 'ExtFeat.HDSup (host D) is 0 where ExtFeat.HASup (host A) is 0: DTE.HAD has no value for D alone',
      source: 'AMD 48882 3.10 §2.2.2.1, §3.4',
      hint: 'Switch host A on, or leave host D out.',
    },
  ),
  guestNeeded('ExtFeat.GIoSup', ({ guestIo }) => guestIo),
  guestNeeded('ExtFeat.vIommuSup', ({ virtualIommu }) => virtualIommu),
  guestNeeded('ExtFeat2.GCR3TRPMode', ({ gcr3AtGuestAddress }) => gcr3AtGuestAddress),
  within(({ levels }) => levels, 4, 6, { field: 'levels (ExtFeat.HATS)', source: SOURCE }),
  {
    broken: ({ guestLevels }) => ![0, 4, 5].includes(guestLevels),
    says: 'ExtFeat.GATS says guest tables of 4 or 5 levels',
    source: SOURCE,
    hint: 'Give 4 or 5; 0 switches guest translation off.',
  },
  within(({ gcr3Levels }) => gcr3Levels, 1, 3, { field: 'gcr3Levels (ExtFeat.GLXSup + 1)', source: SOURCE }),
  within(({ pasidBits }) => pasidBits, 1, 20, { field: 'pasidBits (ExtFeat.PASmax + 1)', source: SOURCE }),
  within(({ deviceBits }) => deviceBits, 7, 16, { field: 'deviceBits (DevTabBase.Size)', source: SOURCE }),
  {
    broken: ({ eventRecords }) => !Number.isInteger(Math.log2(eventRecords)) || eventRecords < 256,
    says: 'The event log has 256 records, or a larger power of two',
    source: SOURCE,
    hint: 'Choose 256, 512, ... 32768.',
  },
  within(({ eventRecords }) => eventRecords, 256, 32768, {
    field: 'eventRecords (EventLen)',
    source: SOURCE,
  }),
];

/** The registers after reset: nothing is on. */
export function amdRegistersOf(of: AmdCapabilities): RegisterFile {
  const guest = of.guestLevels > 0;
  const feature =
    bit(1, of.pageRequests) |
    bit(3, of.noExecute) |
    bit(4, guest) |
    bit(6, of.invalidateAll) |
    field(10, of.levels - 4) |
    field(12, guest ? of.guestLevels - 4 : 3) |
    field(14, of.gcr3Levels - 1) |
    field(32, of.pasidBits - 1) |
    bit(48, of.guestIo) |
    bit(49, of.hostAccessed) |
    bit(52, of.hostDirty) |
    bit(55, of.virtualIommu);
  const zeros = ['DevTabBase', 'Control', 'CmdBufBase', 'CmdBufHead', 'CmdBufTail'];
  const logs = ['EventLogBase', 'EventLogHead', 'EventLogTail', 'Status'];
  return new Map([
    ['ExtFeat', feature],
    ['ExtFeat2', bit(3, of.gcr3AtGuestAddress)],
    ...[...zeros, ...logs].map((name) => [name, 0n] as const),
  ]);
}
