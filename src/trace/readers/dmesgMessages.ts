import { decodeFault } from '../../engine/iommu/vendors/smmuv3/faults';
import { FLAGS, type Operation } from '../model/operation';

/** What a message of the kernel says about an IOMMU, in the columns of a row; absent is not said. */
export interface KernelMessage {
  /** Absent of a mark of losses, which is no event. */
  readonly event?: string;
  readonly operation: Operation;
  readonly device?: string | undefined;
  readonly iova?: bigint;
  readonly paddr?: bigint;
  readonly domain?: number;
  readonly pasid?: number;
  readonly flags?: number;
  /** The reason of a fault, the number of a group, messages lost. */
  readonly count?: number;
}

interface Rule {
  readonly pattern: RegExp;
  readonly read: (match: RegExpExecArray) => KernelMessage;
}

const accesses = (writes: boolean): number => (writes ? FLAGS.write : FLAGS.read);
const hexadecimal = (digits: string): bigint => BigInt(`0x${digits.replace(/^0x/, '')}`);

/** `00:07.0`, of kernels that wrote `0x00:0x07.0`. */
const address = (text: string): string => text.replace(/0x/g, '');

/** `0x06` and `06h` in hexadecimal, `06` in decimal: kernels differ. */
function reasonOf(text: string | undefined): { readonly count?: number } {
  if (text === undefined) return {};
  const isHex = text.startsWith('0x') || text.endsWith('h');
  return { count: isHex ? parseInt(text, 16) : Number(text) };
}

/**
 * Linux drivers/iommu/intel/dmar.c, dmar_fault_do_one; PASIDs since 5.3, `NO_PASID` and 0x since 5.16. Before 4.1 the reason stood
 * on a line of its own. Xen writes the same with its own front.
 */
const DMAR: Rule = {
  pattern:
    /DMAR: ?\[DMA (Read|Write)(?: (?:NO_PASID|PASID 0x([0-9a-f]{1,8})))?\] Request device \[([0-9a-fx:.]{4,20})\](?: PASID ([0-9a-f]{1,8}))? fault addr (?:0x)?([0-9a-f]{1,16})\b(?:.*\[fault reason (0x[0-9a-f]{1,4}|\d{1,3}h?|[0-9a-f]{2}h)\])?/,
  read: ([, access, pasid, device = '', oldPasid, iova = '0', reason]) => {
    const number = parseInt(pasid ?? oldPasid ?? '', 16);
    return {
      event: 'DMAR',
      operation: 'fault',
      device: address(device),
      iova: hexadecimal(iova),
      flags: accesses(access === 'Write'),
      ...(number <= 0xfffff ? { pasid: number } : {}),
      ...reasonOf(reason),
    };
  },
};

/** The same function: an interrupt that was refused. */
const INTERRUPT: Rule = {
  pattern:
    /INTR-REMAP[:\]]+ Request device \[{1,2}([0-9a-fx:.]{4,20})\] fault index (?:0x)?[0-9a-f]{1,8}(?:.*\[fault reason (0x[0-9a-f]{1,4}|\d{1,3}h?|[0-9a-f]{2}h)\])?/,
  read: ([, device = '', reason]) => ({
    event: 'INTR-REMAP',
    operation: 'fault',
    device: address(device),
    ...reasonOf(reason),
  }),
};

/** The line of the reason, before Linux 4.1: it belongs to the fault above it. */
const REASON: Rule = {
  pattern: /(?:DMAR|INTR-REMAP): ?\[fault reason (0x[0-9a-f]{1,4}|\d{1,3}h?|[0-9a-f]{2}h)\]/,
  read: ([, reason]) => ({ event: 'DMAR', operation: 'other', ...reasonOf(reason) }),
};

/** Events of AMD's log that a device's request led to; the others are about commands and the unit. */
const AMD_FAULTS = new Set([
  'ILLEGAL_DEV_TABLE_ENTRY',
  'IO_PAGE_FAULT',
  'DEV_TAB_HARDWARE_ERROR',
  'PAGE_TAB_HARDWARE_ERROR',
  'INVALID_DEVICE_REQUEST',
  'INVALID_PPR_REQUEST',
  'RMP_PAGE_FAULT',
  'RMP_HW_ERROR',
]);
/** Their address is that of the structure which could not be read, or of a command (AMD 48882 3.10 §2.5.4 to §2.5.8). */
const AMD_PHYSICAL = new Set([
  'DEV_TAB_HARDWARE_ERROR',
  'PAGE_TAB_HARDWARE_ERROR',
  'ILLEGAL_COMMAND_ERROR',
  'COMMAND_HARDWARE_ERROR',
  'RMP_HW_ERROR',
]);
/** Bits of `flags=`, §2.5.3: GN at bit 48 of the record is bit 0 here. */
const AMD = { gn: 1, interrupt: 8, present: 0x10, write: 0x20, translation: 0x100 } as const;

/** Linux drivers/iommu/amd/iommu.c, iommu_print_event and what it calls: the device is in the brackets, or the one that is told. */
const AMD_EVENT: Rule = {
  pattern:
    /^(?:(\S+) (\S+): )?(?:AMD-Vi|amd_iommu): (?:AMD-Vi: )?Event logged \[([A-Z_]{3,40})((?: [^\]]{0,200})?)\]?/,
  read: ([, , told, name = '', rest = '']) => {
    const field = (key: string): bigint | undefined => {
      const digits = new RegExp(`\\b${key}=0x([0-9a-f]{1,16})\\b`).exec(rest)?.[1];
      return digits === undefined ? undefined : hexadecimal(digits);
    };
    const flags = Number(field('flags') ?? 0n);
    const at = field('address') ?? field('gpa') ?? field('spa');
    const domain = field('domain');
    const pasid = field('pasid') ?? ((flags & AMD.gn) !== 0 ? domain : undefined);
    // §2.5.3: RW counts when the page is present, and neither an interrupt nor a translation was asked for.
    const known = (flags & (AMD.present | AMD.interrupt | AMD.translation)) === AMD.present;
    return {
      event: name,
      operation: AMD_FAULTS.has(name) ? 'fault' : 'other',
      device: /\bdevice=((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/.exec(rest)?.[1] ?? told,
      ...(at === undefined ? {} : AMD_PHYSICAL.has(name) ? { paddr: at } : { iova: at }),
      ...(pasid !== undefined
        ? { pasid: Number(pasid) }
        : domain !== undefined
          ? { domain: Number(domain) }
          : {}),
      ...(name === 'IO_PAGE_FAULT' && known ? { flags: accesses((flags & AMD.write) !== 0) } : {}),
      ...(AMD_FAULTS.has(name) ? { count: flags } : {}),
    };
  },
};

/** FSYNR0.WNR, Arm IHI 0062 SMMU_CBn_FSYNR0: the access was a write. */
const WRITE_NOT_READ = 0x10;
/** SMMU_GR1_CBFRSYNRA.StreamID. */
const STREAM_MASK = 0xffff;

/** Linux drivers/iommu/arm/arm-smmu/arm-smmu.c: a context fault of an SMMUv2. */
const CONTEXT_FAULT: Rule = {
  pattern:
    /Unhandled context fault: (?:fsr=0x([0-9a-f]{1,8}), )?iova=0x([0-9a-f]{1,16}), fsynr=0x([0-9a-f]{1,8})(?:, cbfrsynra=0x([0-9a-f]{1,8}))?, cb=(\d{1,4})/,
  read: ([, status, iova = '0', syndrome = '0', stream]) => ({
    event: 'context-fault',
    operation: 'fault',
    iova: hexadecimal(iova),
    flags: accesses((parseInt(syndrome, 16) & WRITE_NOT_READ) !== 0),
    ...(stream === undefined ? {} : { device: streamName(parseInt(stream, 16) & STREAM_MASK) }),
    ...(status === undefined ? {} : { count: parseInt(status, 16) }),
  }),
};

const streamName = (id: number): string => `sid 0x${id.toString(16)}`;

/** What kernels since 6.14 say below the words of an SMMUv3's event, which are the fault: its device has a name here. */
const EXPLAINED: Rule = {
  pattern:
    /arm-smmu-v3 \S+: event: ([A-Z_]{3,40}) client: (.{1,64}?) sid: (?:0x)?([0-9a-f]{1,8}) ssid: (?:0x)?([0-9a-f]{1,8})(?: iova: (?:0x)?([0-9a-f]{1,16}))?/,
  read: ([, event = '', client = '', , , iova]) => ({
    event,
    operation: 'other',
    ...(client.startsWith('(') ? {} : { device: client }),
    ...(iova === undefined ? {} : { iova: hexadecimal(iova) }),
  }),
};

/** Causes of RISC-V IOMMU 1.0 §3.2 table 11 that are of writes (stores and atomics), and of reads and fetches. */
const RISCV_WRITES = new Set([7, 15, 23]);
const RISCV_READS = new Set([1, 5, 12, 13, 20, 21]);

/** Linux drivers/iommu/riscv/iommu.c, riscv_iommu_fault. */
const RISCV: Rule = {
  pattern: /Fault (\d{1,4}) devid: (0x[0-9a-f]{1,8}) iotval: ([0-9a-f]{1,16}) iotval2: [0-9a-f]{1,16}/,
  read: ([, cause = '0', device = '', iova = '0']) => {
    const count = Number(cause);
    const flags = RISCV_WRITES.has(count) ? FLAGS.write : RISCV_READS.has(count) ? FLAGS.read : undefined;
    return {
      event: 'riscv-fault',
      operation: 'fault',
      device: `devid ${device}`,
      iova: hexadecimal(iova),
      count,
      ...(flags === undefined ? {} : { flags }),
    };
  },
};

/** Linux drivers/iommu/virtio-iommu.c, viommu_fault_handler. */
const VIRTIO: Rule = {
  pattern: /(domain|page|unknown) fault from EP (\d{1,10})(?: at (?:0x)?([0-9a-f]{1,16}) \[([RWX]{0,3})\])?/,
  read: ([, , endpoint = '', iova, access = '']) => ({
    event: 'virtio-iommu-fault',
    operation: 'fault',
    device: `endpoint ${endpoint}`,
    ...(iova === undefined ? {} : { iova: hexadecimal(iova) }),
    flags: (/[RX]/.test(access) ? FLAGS.read : 0) | (access.includes('W') ? FLAGS.write : 0),
  }),
};

/** Linux drivers/iommu/iommu.c; before 5.4 `iommu: Adding device .. to group 1`. */
const GROUP: Rule = {
  pattern:
    /^(?:\S+ (\S{1,64}): (Adding to|Removing from) iommu group|iommu: (Adding|Removing) device (\S{1,64}) (?:to|from) group) (\d{1,6})/,
  read: ([, device, new_ = '', old = '', oldDevice, group]) => ({
    event: 'iommu-group',
    operation: (new_ + old).startsWith('Adding') ? 'attach' : 'detach',
    device: device ?? oldDevice,
    count: Number(group),
  }),
};

/** What the kernel did not print, or the unit had no room for. */
const LOST: Rule = {
  pattern:
    /^\*\* (\d{1,9}) printk messages dropped|^(?:\w*(?:iommu|smmu|dmar)\w*): (\d{1,9}) callbacks suppressed|EVTQ overflow detected|AMD-Vi: (?:IOMMU )?[Ee]vent (?:log|buffer) overflow/i,
  read: ([, dropped, suppressed]) => {
    const count = dropped ?? suppressed;
    return { operation: 'lost', ...(count === undefined ? {} : { count: Number(count) }) };
  },
};

const RULES: readonly Rule[] = [
  DMAR,
  INTERRUPT,
  REASON,
  AMD_EVENT,
  CONTEXT_FAULT,
  EXPLAINED,
  RISCV,
  VIRTIO,
  GROUP,
  LOST,
];
/** A word that each of them has: most messages have none. */
const HINT = /DMAR|INTR-REMAP|AMD-Vi|smmu|iommu|fault|suppressed|dropped/i;

/** What a message says of an IOMMU; undefined when nothing is known of it. */
export function readMessage(message: string): KernelMessage | undefined {
  if (!HINT.test(message)) return undefined;
  for (const { pattern, read } of RULES) {
    const match = pattern.exec(message);
    if (match) return read(match);
  }
  return undefined;
}

/** An event of an SMMUv3 that is being read: its unit, and the words so far in hexadecimal. Plain JSON. */
export interface EventWords {
  readonly unit: string;
  readonly words: readonly string[];
}

/** The same from what was stored; undefined when it is anything else. */
export function eventWords(stored: unknown): EventWords | undefined {
  if (typeof stored !== 'object' || stored === null || !('unit' in stored && 'words' in stored))
    return undefined;
  const { unit, words } = stored;
  if (typeof unit !== 'string' || !Array.isArray(words)) return undefined;
  const isWord = (word: unknown): word is string => typeof word === 'string' && /^[0-9a-f]{16}$/.test(word);
  return words.every(isWord) ? { unit, words } : undefined;
}

const EVENT_START = /arm-smmu-v3 (\S{1,64}): event 0x[0-9a-f]{2} received:/;
const EVENT_WORD = /arm-smmu-v3 (\S{1,64}): \t?0x([0-9a-f]{16})$/;
const EVENT_WORDS = 4;

/** The first line of an event: `event 0x13 received:`. Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c. */
export function eventStart(message: string): EventWords | undefined {
  const unit = EVENT_START.exec(message)?.[1];
  return unit === undefined ? undefined : { unit, words: [] };
}

/** The words with the one in this message; undefined when it is none of this event. */
export function nextWord(message: string, { unit, words }: EventWords): EventWords | undefined {
  const match = EVENT_WORD.exec(message);
  if (match?.[1] !== unit || match[2] === undefined) return undefined;
  return { unit, words: [...words, match[2]] };
}

/** Below it events have no InputAddr and no RnW: F_WALK_EABT, Arm IHI 0070 7.3. */
const FIRST_TRANSLATION_EVENT = 0x0b;
/** S2, bit 103 of the record. */
const STAGE2 = 39n;

/** The fault that the words of an event are (Arm IHI 0070 7.3, decoded by the engine); undefined until there are all four. */
export function eventFault({ words }: EventWords): KernelMessage | undefined {
  if (words.length < EVENT_WORDS) return undefined;
  const values = words.map(hexadecimal);
  const { code, requester, pasid, address: iova, write } = decodeFault(values);
  const number = Number((values[0] ?? 0n) & 0xffn);
  const translates = number >= FIRST_TRANSLATION_EVENT;
  const stage = (((values[1] ?? 0n) >> STAGE2) & 1n) === 1n ? FLAGS.stage2 : FLAGS.stage1;
  return {
    event: code.split(' ')[0] ?? code,
    operation: 'fault',
    device: streamName(requester),
    count: number,
    ...(pasid === null ? {} : { pasid }),
    ...(translates ? { iova, flags: accesses(write) | stage } : {}),
  };
}
