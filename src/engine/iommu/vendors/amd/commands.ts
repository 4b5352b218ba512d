import { bits } from '../../../bits/bitFields';
import { type CacheOperation } from '../../cacheOperation';
import { type Command } from '../../commands';
import { type RegisterFile } from '../../vendor';
import { Layout, at, split, take, type Field, type NamedForm } from '../layout';
import { oneProcess, sizedPages } from '../ranges';

// Commands of AMD 48882 3.10 §2.4, 16 bytes each; the opcode is bits 63:60.
const OPCODE = at(63, 60);
const layout = <F extends Readonly<Record<string, Field>>>(opcode: number, fields: F) =>
  new Layout(2, fields, [[OPCODE, opcode]]);

const DEVICE = { DeviceID: at(15, 0) };
/** S: the size stands in Address. GN: a guest virtual address of the PASID. */
const PAGES = { S: at(64), GN: at(66), Address: at(127, 76, 12) };

const LAYOUTS = {
  /** §2.4.1 */
  COMPLETION_WAIT: layout(1, {
    s: at(0),
    i: at(1),
    f: at(2),
    StoreAddress: at(51, 3, 3),
    StoreData: at(127, 64),
  }),
  /** §2.4.2 */
  INVALIDATE_DEVTAB_ENTRY: layout(2, DEVICE),
  /** §2.4.3 */
  INVALIDATE_IOMMU_PAGES: layout(3, { PASID: at(19, 0), DomainID: at(47, 32), PDE: at(65), ...PAGES }),
  /** §2.4.4 */
  INVALIDATE_IOTLB_PAGES: layout(4, {
    ...DEVICE,
    PASID: split([55, 48], [23, 16], [59, 56]),
    Maxpend: at(31, 24),
    QueueID: at(47, 32),
    Type: at(69, 68),
    ...PAGES,
  }),
  /** §2.4.5 */
  INVALIDATE_INTERRUPT_TABLE: layout(5, DEVICE),
  /** §2.4.6 */
  PREFETCH_IOMMU_PAGES: layout(6, {
    ...DEVICE,
    PFCount: at(31, 24),
    PASID: at(51, 32),
    Inval: at(68),
    ...PAGES,
  }),
  /** §2.4.7 */
  COMPLETE_PPR_REQUEST: layout(7, { ...DEVICE, PASID: at(51, 32), GN: at(66), CompletionTag: at(111, 96) }),
  /** §2.4.8 */
  INVALIDATE_IOMMU_ALL: layout(8, {}),
};

/** By name, with the fields as they are named here. */
export const AMD_FORMS: Readonly<Record<string, NamedForm>> = LAYOUTS;

type Name = keyof typeof LAYOUTS;
type Inputs<N extends Name> = Parameters<(typeof LAYOUTS)[N]['encode']>[0];

const NAMES: Readonly<Record<number, Name>> = {
  1: 'COMPLETION_WAIT',
  2: 'INVALIDATE_DEVTAB_ENTRY',
  3: 'INVALIDATE_IOMMU_PAGES',
  4: 'INVALIDATE_IOTLB_PAGES',
  5: 'INVALIDATE_INTERRUPT_TABLE',
  6: 'PREFETCH_IOMMU_PAGES',
  7: 'COMPLETE_PPR_REQUEST',
  8: 'INVALIDATE_IOMMU_ALL',
};

/** The address of INVALIDATE_IOMMU_PAGES and INVALIDATE_IOTLB_PAGES that means every page, with S = 1. */
export const AMD_EVERY_PAGE = 0x7fff_ffff_ffff_f000n;

/** Words of commands, for software that writes the queue. Addresses in bytes; with S = 1 they say their size (`sizedAddress`). */
export const amdCommands = {
  /** s: store; i: interrupt; f: flush queue, waits for all commands before. */
  completionWait: (inputs: Inputs<'COMPLETION_WAIT'>) => LAYOUTS.COMPLETION_WAIT.encode(inputs),
  invalidateDevtabEntry: (inputs: Inputs<'INVALIDATE_DEVTAB_ENTRY'>) =>
    LAYOUTS.INVALIDATE_DEVTAB_ENTRY.encode(inputs),
  invalidateIommuPages: (inputs: Inputs<'INVALIDATE_IOMMU_PAGES'>) =>
    LAYOUTS.INVALIDATE_IOMMU_PAGES.encode(inputs),
  invalidateIotlbPages: (inputs: Inputs<'INVALIDATE_IOTLB_PAGES'>) =>
    LAYOUTS.INVALIDATE_IOTLB_PAGES.encode(inputs),
  invalidateInterruptTable: (inputs: Inputs<'INVALIDATE_INTERRUPT_TABLE'>) =>
    LAYOUTS.INVALIDATE_INTERRUPT_TABLE.encode(inputs),
  prefetchIommuPages: (inputs: Inputs<'PREFETCH_IOMMU_PAGES'>) => LAYOUTS.PREFETCH_IOMMU_PAGES.encode(inputs),
  completePprRequest: (inputs: Inputs<'COMPLETE_PPR_REQUEST'>) => LAYOUTS.COMPLETE_PPR_REQUEST.encode(inputs),
  invalidateIommuAll: () => LAYOUTS.INVALIDATE_IOMMU_ALL.encode({}),
};

const illegal = (name: string, why: string): Command => ({ kind: 'illegal', name, why });

/** Bits of ExtFeat that commands depend on. */
const FEATURE = { PPRSup: 1, GTSup: 4, IASup: 6, PreFSup: 0 } as const;
const has = (registers: RegisterFile, name: keyof typeof FEATURE): boolean =>
  bits(registers.get('ExtFeat') ?? 0n, FEATURE[name]) === 1n;

/** Decodes one command; unknown opcodes, reserved bits and what the IOMMU lacks are ILLEGAL_COMMAND_ERROR (§2.5.6). */
export function decodeAmd(words: readonly bigint[], registers: RegisterFile): Command {
  const opcode = Number(take(words, OPCODE));
  const name = NAMES[opcode];
  if (name === undefined) return illegal('reserved', `opcode ${opcode} is reserved`);
  if (LAYOUTS[name].setsReserved(words)) return illegal(name, 'reserved bits are set');
  switch (name) {
    case 'COMPLETION_WAIT':
      return completionWait(words);
    case 'INVALIDATE_DEVTAB_ENTRY': {
      const requester = Number(LAYOUTS[name].decode(words).DeviceID);
      return { kind: 'invalidate', name, operations: [{ contexts: { requester } }] };
    }
    case 'INVALIDATE_IOMMU_PAGES':
      return iommuPages(words, registers);
    case 'INVALIDATE_IOTLB_PAGES':
      return iotlbPages(words, registers);
    case 'INVALIDATE_IOMMU_ALL':
      return has(registers, 'IASup')
        ? {
            kind: 'invalidate',
            name,
            operations: [{ translations: {}, tables: {}, contexts: {}, processes: {} }],
          }
        : illegal(name, 'ExtFeat.IASup is 0');
    case 'PREFETCH_IOMMU_PAGES':
      return has(registers, 'PreFSup') ? { kind: 'other', name } : illegal(name, 'ExtFeat.PreFSup is 0');
    case 'COMPLETE_PPR_REQUEST':
      return has(registers, 'PPRSup') ? { kind: 'other', name } : illegal(name, 'ExtFeat.PPRSup is 0');
    case 'INVALIDATE_INTERRUPT_TABLE':
      return { kind: 'other', name };
  }
}

/** Done when the invalidations before it are, with every request that used what they removed (§2.4.1). */
function completionWait(words: readonly bigint[]): Command {
  const name = 'COMPLETION_WAIT';
  const { s, i, StoreAddress, StoreData } = LAYOUTS[name].decode(words);
  return {
    kind: 'wait',
    name,
    drainsReads: true,
    drainsWrites: true,
    interrupt: i === 1n,
    ...(s === 1n ? { store: { address: Number(StoreAddress), value: StoreData, bytes: 8 } as const } : {}),
  };
}

function iommuPages(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'INVALIDATE_IOMMU_PAGES';
  const { PASID, DomainID, S, PDE, GN, Address } = LAYOUTS[name].decode(words);
  if (GN === 1n && !has(registers, 'GTSup')) return illegal(name, 'GN is 1, and ExtFeat.GTSup is 0');
  if (PASID !== 0n && GN === 0n) return illegal(name, 'PASID is reserved where GN is 0');
  const { pages, shift: largestShift } = sizedPages(Address, S === 1n);
  const vm = Number(DomainID);
  const tables = PDE === 1n;
  const operations =
    GN === 1n
      ? guestPages(vm, Number(PASID), { pages, largestShift }, tables)
      : hostPages(vm, { pages, largestShift }, tables);
  return { kind: 'invalidate', name, operations };
}

interface Reach {
  readonly pages: ReturnType<typeof sizedPages>['pages'];
  readonly largestShift: number;
}

/** Of the guest tables of one PASID. PDE = 1: its table pointers, and the entry of the GCR3 table that leads to them. */
function guestPages(vm: number, pasid: number, reach: Reach, tables: boolean): CacheOperation[] {
  const tags = { vm, space: pasid, stage1: true };
  const pointers: CacheOperation = { tables: { ...tags, stage: 1, pages: reach.pages } };
  return [
    { translations: { ...tags, ...reach }, ...(tables ? pointers : {}) },
    // PASID 0 is that of requests without a PASID (DTE.GIOV).
    ...(tables ? oneProcess({ vm }, pasid, 0) : []),
  ];
}

/** Of the host tables, by guest physical address: what has host tables only, and guest translations that went through there. */
function hostPages(vm: number, { pages, largestShift }: Reach, tables: boolean): CacheOperation[] {
  const host = { vm, stage1: false, pages };
  return [
    { translations: { ...host, largestShift }, ...(tables ? { tables: { vm, stage: 2, pages } } : {}) },
    {
      translations: { vm, stage1: true, guestPages: pages, largestShift },
      ...(tables ? { tables: { vm, stage: 1, guestPages: pages } } : {}),
    },
  ];
}

function iotlbPages(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'INVALIDATE_IOTLB_PAGES';
  const { DeviceID, PASID, S, GN, Address } = LAYOUTS[name].decode(words);
  if (GN === 1n && !has(registers, 'GTSup')) return illegal(name, 'GN is 1, and ExtFeat.GTSup is 0');
  if (PASID !== 0n && GN === 0n) return illegal(name, 'PASID is reserved where GN is 0');
  return {
    kind: 'device-tlb',
    name,
    operation: {
      requester: Number(DeviceID),
      pasid: GN === 1n ? Number(PASID) : null,
      global: false,
      pages: sizedPages(Address, S === 1n).pages,
    },
  };
}
