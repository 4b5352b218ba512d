import { bits } from '../../../bits/bitFields';
import { type CacheOperation } from '../../cacheOperation';
import { type Command } from '../../commands';
import { type RegisterFile } from '../../vendor';
import { Layout, at, split, take, type Field, type NamedForm } from '../layout';
import { alignedPages, oneProcess, sizedPages } from '../ranges';

// Descriptors of VT-d 5.10 §6.5.2. The type is in bits 11:9 (high part) and 3:0. Encoders give the four words of a 256-bit
// queue (IQA.DW = 1); in a queue of 128 bits the first two of them are the descriptor.
const TYPE = split([3, 0], [11, 9]);
const layout = <F extends Readonly<Record<string, Field>>>(type: number, fields: F) =>
  new Layout(4, fields, [[TYPE, type]]);

const LAYOUTS = {
  /** §6.5.2.1 */
  'context-cache': layout(1, { G: at(5, 4), DID: at(31, 16), SID: at(47, 32), FM: at(49, 48) }),
  /** §6.5.2.3 */
  iotlb: layout(2, {
    G: at(5, 4),
    DW: at(6),
    DR: at(7),
    DID: at(31, 16),
    AM: at(69, 64),
    IH: at(70),
    ADDR: at(127, 76, 12),
  }),
  /** §6.5.2.5. S: the size stands in ADDR. */
  'device-tlb': layout(3, {
    MIP: at(20, 16),
    PFSID: split([15, 12], [63, 52]),
    SID: at(47, 32),
    S: at(64),
    ADDR: at(127, 76, 12),
  }),
  /** §6.5.2.7 */
  'interrupt-entry-cache': layout(4, { G: at(4), IM: at(31, 27), IIDX: at(47, 32) }),
  /** §6.5.2.8. PD waits for page requests. */
  wait: layout(5, {
    IF: at(4),
    SW: at(5),
    FN: at(6),
    PD: at(7),
    SDATA: at(63, 32),
    SADDR: at(127, 66, 2),
  }),
  /** §6.5.2.4 */
  'pasid-iotlb': layout(6, {
    G: at(5, 4),
    DID: at(31, 16),
    PASID: at(51, 32),
    AM: at(69, 64),
    IH: at(70),
    ADDR: at(127, 76, 12),
  }),
  /** §6.5.2.2 */
  'pasid-cache': layout(7, { G: at(5, 4), DID: at(31, 16), PASID: at(51, 32) }),
  /** §6.5.2.6 */
  'pasid-device-tlb': layout(8, {
    MIP: at(8, 4),
    PFSID: split([15, 12], [63, 52]),
    SID: at(31, 16),
    PASID: at(51, 32),
    G: at(64),
    S: at(75),
    ADDR: at(127, 76, 12),
  }),
  /** §7.7.1 */
  'page-group-response': layout(9, {
    PP: at(4),
    RC: at(15, 12),
    RID: at(31, 16),
    PASID: at(51, 32),
    LPIG: at(66),
    PRGI: at(75, 67),
  }),
};

/** By name, with the fields as they are named here. */
export const VTD_FORMS: Readonly<Record<string, NamedForm>> = LAYOUTS;

type Name = keyof typeof LAYOUTS;
const NAMES: Readonly<Record<number, Name>> = {
  1: 'context-cache',
  2: 'iotlb',
  3: 'device-tlb',
  4: 'interrupt-entry-cache',
  5: 'wait',
  6: 'pasid-iotlb',
  7: 'pasid-cache',
  8: 'pasid-device-tlb',
  9: 'page-group-response',
};

type Inputs<N extends Name> = Parameters<(typeof LAYOUTS)[N]['encode']>[0];
/** Granularities in field G: of the context cache and of the IOTLB, of the PASID cache, of the PASID-based IOTLB. */
export const VTD_GRANULARITY = {
  global: 1,
  domain: 2,
  /** Context cache. */
  device: 3,
  /** IOTLB. */
  page: 3,
  pasidCacheDomain: 0,
  pasidCachePasid: 1,
  pasidCacheGlobal: 3,
  pasidAll: 2,
  pasidPage: 3,
} as const;

/** Four words a descriptor, for software that writes the queue. Addresses in bytes. */
export const vtdCommands = {
  contextCache: (inputs: Inputs<'context-cache'>) => LAYOUTS['context-cache'].encode(inputs),
  iotlb: (inputs: Inputs<'iotlb'>) => LAYOUTS.iotlb.encode(inputs),
  deviceTlb: (inputs: Inputs<'device-tlb'>) => LAYOUTS['device-tlb'].encode(inputs),
  interruptEntryCache: (inputs: Inputs<'interrupt-entry-cache'>) =>
    LAYOUTS['interrupt-entry-cache'].encode(inputs),
  wait: (inputs: Inputs<'wait'>) => LAYOUTS.wait.encode(inputs),
  pasidIotlb: (inputs: Inputs<'pasid-iotlb'>) => LAYOUTS['pasid-iotlb'].encode(inputs),
  pasidCache: (inputs: Inputs<'pasid-cache'>) => LAYOUTS['pasid-cache'].encode(inputs),
  pasidDeviceTlb: (inputs: Inputs<'pasid-device-tlb'>) => LAYOUTS['pasid-device-tlb'].encode(inputs),
  pageGroupResponse: (inputs: Inputs<'page-group-response'>) => LAYOUTS['page-group-response'].encode(inputs),
};

const illegal = (name: string, why: string): Command => ({ kind: 'illegal', name, why });
const capability = (registers: RegisterFile, name: 'CAP' | 'ECAP', high: number, low = high): number =>
  Number(bits(registers.get(name) ?? 0n, high, low));
const isScalable = (registers: RegisterFile): boolean => bits(registers.get('RTADDR') ?? 0n, 11, 10) === 1n;

/** Decodes one descriptor; reserved types, granularities and bits are an invalidation queue error (§6.5.2.10). */
export function decodeVtd(words: readonly bigint[], registers: RegisterFile): Command {
  const type = Number(take(words, TYPE));
  const name = NAMES[type];
  if (name === undefined) return illegal('reserved', `type ${type} is reserved`);
  if (reservedSet(name, words)) return illegal(name, 'reserved fields are not 0');
  switch (name) {
    case 'context-cache':
      return contextCache(words, registers);
    case 'iotlb':
      return iotlb(words, registers);
    case 'pasid-iotlb':
      return pasidIotlb(words, registers);
    case 'pasid-cache':
      return pasidCache(words);
    case 'device-tlb':
    case 'pasid-device-tlb':
      return deviceTlb(name, words, registers);
    case 'wait':
      return wait(words);
    case 'interrupt-entry-cache':
      return { kind: 'other', name };
    case 'page-group-response':
      return words.length === 4
        ? { kind: 'other', name }
        : illegal(name, 'the queue has 128-bit descriptors');
  }
}

/** The last two words of a page group response are private data. */
function reservedSet(name: Name, words: readonly bigint[]): boolean {
  return LAYOUTS[name].setsReserved(name === 'page-group-response' ? words.slice(0, 2) : words);
}

/** FM: which low bits of the function number do not count (§6.5.1.1). */
const FUNCTION_MASKS = [0, 4, 6, 7] as const;

function contextCache(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'context-cache';
  const { G, DID, SID, FM } = LAYOUTS[name].decode(words);
  const granularity = Number(G);
  if (granularity === 0) return illegal(name, 'granularity 0 is reserved');
  // Context entries of scalable mode have no DID, so that a domain means all of them.
  const domain = isScalable(registers) ? {} : { vm: Number(DID) };
  const device = { requester: Number(SID), mask: FUNCTION_MASKS[Number(FM)] ?? 0 };
  const contexts = [{}, {}, domain, device][granularity] ?? {};
  return { kind: 'invalidate', name, operations: [{ contexts }] };
}

function iotlb(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'iotlb';
  const { G, DR, DW, DID, AM, IH, ADDR } = LAYOUTS[name].decode(words);
  const vm = Number(DID);
  const granularity = Number(G);
  if (granularity === 0) return illegal(name, 'granularity 0 is reserved');
  const order = Number(AM);
  if (granularity === VTD_GRANULARITY.page && order > capability(registers, 'CAP', 53, 48))
    return illegal(name, `AM ${order} is larger than CAP.MAMV`);
  return {
    kind: 'invalidate',
    name,
    operations:
      granularity === VTD_GRANULARITY.global
        ? [{ translations: {}, tables: {} }]
        : granularity === VTD_GRANULARITY.domain
          ? [{ translations: { vm }, tables: { vm } }]
          : domainPages(vm, ADDR, order, IH === 1n),
    drainsReads: DR === 1n && capability(registers, 'CAP', 55) === 1,
    drainsWrites: DW === 1n && capability(registers, 'CAP', 54) === 1,
  };
}

/**
 * Page-selective within a domain (§6.5.2.3): by address what has a second stage only; of first-stage and nested entries all of
 * the domain. IH = 1: table pointers may stay.
 */
function domainPages(vm: number, address: bigint, order: number, hint: boolean): CacheOperation[] {
  const pages = alignedPages(address, order);
  const second = { vm, stage1: false, pages };
  const first = { vm, stage1: true };
  return [
    { translations: { ...second, largestShift: 12 + order }, ...(hint ? {} : { tables: second }) },
    { translations: first, ...(hint ? {} : { tables: first }) },
  ];
}

function pasidIotlb(words: readonly bigint[], registers: RegisterFile): Command {
  const name = 'pasid-iotlb';
  const { G, DID, PASID, AM, IH, ADDR } = LAYOUTS[name].decode(words);
  const granularity = Number(G);
  const order = Number(AM);
  if (granularity !== VTD_GRANULARITY.pasidAll && granularity !== VTD_GRANULARITY.pasidPage)
    return illegal(name, `granularity ${granularity} is reserved`);
  const tags = { vm: Number(DID), space: Number(PASID), stage1: true };
  const paged = granularity === VTD_GRANULARITY.pasidPage;
  const range = paged ? { pages: alignedPages(ADDR, order) } : {};
  const largest = paged ? { largestShift: 12 + order } : {};
  const keepsTables = paged && IH === 1n;
  const operation: CacheOperation = {
    translations: { ...tags, ...range, ...largest },
    ...(keepsTables ? {} : { tables: { ...tags, ...range } }),
  };
  // These descriptors have no drain bits: they always drain, where the unit can.
  return {
    kind: 'invalidate',
    name,
    operations: [operation],
    drainsReads: capability(registers, 'CAP', 55) === 1,
    drainsWrites: capability(registers, 'CAP', 54) === 1,
  };
}

function pasidCache(words: readonly bigint[]): Command {
  const name = 'pasid-cache';
  const { G, DID, PASID } = LAYOUTS[name].decode(words);
  const vm = Number(DID);
  // RID_PASID may be any PASID.
  const one = oneProcess({ vm }, Number(PASID), undefined);
  const operations = [[{ processes: { vm } }], one, undefined, [{ processes: {} }]][Number(G)];
  if (!operations) return illegal(name, 'granularity 2 is reserved');
  return { kind: 'invalidate', name, operations };
}

function deviceTlb(
  name: 'device-tlb' | 'pasid-device-tlb',
  words: readonly bigint[],
  registers: RegisterFile,
): Command {
  if (capability(registers, 'ECAP', 2) === 0) return illegal(name, 'ECAP.DT is 0');
  const { SID, S, ADDR, PFSID } = LAYOUTS[name].decode(words);
  if (PFSID !== 0n && capability(registers, 'ECAP', 41) === 0)
    return illegal(name, 'PFSID is reserved where ECAP.DIT is 0');
  const { pages } = sizedPages(ADDR, S === 1n);
  const process = name === 'pasid-device-tlb' ? LAYOUTS[name].decode(words) : undefined;
  const operation = {
    requester: Number(SID),
    pasid: process ? Number(process.PASID) : null,
    global: process?.G === 1n,
    pages,
  };
  return { kind: 'device-tlb', name, operation };
}

function wait(words: readonly bigint[]): Command {
  const name = 'wait';
  const { IF, SW, SDATA, SADDR } = LAYOUTS[name].decode(words);
  return {
    kind: 'wait',
    name,
    // It waits for what the IOTLB descriptors before it drain, and drains nothing by itself.
    drainsReads: false,
    drainsWrites: false,
    interrupt: IF === 1n,
    ...(SW === 1n ? { store: { address: Number(SADDR), value: SDATA, bytes: 4 } as const } : {}),
  };
}
