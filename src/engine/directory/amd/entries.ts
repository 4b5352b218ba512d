import { bits, fieldMakers, reservedMask, type BitField } from '../../bits/bitFields';
import { FRAME_ENTRIES } from '../../memory/words';

/** 64-bit words of a device table entry. */
export const DTE_WORDS = 4;
export const DTES_IN_FRAME = FRAME_ENTRIES / DTE_WORDS;

export const DTE_SECTION = 'AMD 48882 3.10 §2.2.2.1';
export const GCR3_SECTION = 'AMD 48882 3.10 §2.2.6';

const dte = fieldMakers(DTE_SECTION);
const gcr3 = fieldMakers(GCR3_SECTION);

/** HAD: what hardware marks in host tables. */
const MARKS = ['neither A nor D is set', 'A is set', 'reserved', 'A and D are set'];
/** GLX + 1 levels, each of 9 PASID bits. */
const GCR3_LEVELS = ['1 level, 512 PASIDs', '2 levels, 256K PASIDs', '3 levels, 1M PASIDs', 'reserved'];
/** GuestPagingMode. */
const GUEST_LEVELS = ['4 levels', '5 levels', 'reserved', 'reserved'];
const PORT_IO = ['aborted', 'forwarded', 'translated', 'reserved'];
const SYSTEM_MANAGEMENT = ['aborted', 'forwarded untranslated', 'INTx forwarded', 'translated'];
const INTERRUPT_CONTROL = ['aborted', 'forwarded', 'remapped', 'reserved'];

const choice =
  (texts: readonly string[]) =>
  (value: bigint): string =>
    texts[Number(value)] ?? '';

/** Says a part of an address that is spread over several fields. */
const part =
  (what: string, low: number) =>
  (value: bigint): string =>
    `bits of ${what}: 0x${(value << BigInt(low)).toString(16)}`;

function mode(value: bigint): string {
  if (value === 0n) return 'no host tables: addresses are not translated';
  return value === 7n
    ? 'reserved'
    : `${value}-level host tables, ${value === 6n ? 64n : 12n + 9n * value} bits`;
}

/** Device table entry, four words: index is the DeviceID. */
export const DTE_LAYOUT: readonly (readonly BitField[])[] = [
  [
    dte.flag('V', 0, 'control', 'entry is valid', 'entry is not valid: addresses are not translated'),
    dte.flag('TV', 1, 'control', 'translation fields are valid', 'translation fields are not valid: blocked'),
    dte.reserved(6, 2),
    dte.field('HAD', 8, 7, 'control', choice(MARKS)),
    dte.field('Mode', 11, 9, 'control', mode),
    dte.address('Host Page Table Root Pointer', 51, 12, 'root of the host tables at'),
    dte.flag('PPR', 52, 'attribute', 'page requests accepted', 'page requests not accepted'),
    dte.flag('GPRP', 53, 'attribute', 'page responses have a PASID', 'page responses have no PASID'),
    dte.flag(
      'GIOV',
      54,
      'control',
      'requests without a PASID use PASID 0',
      'requests without a PASID use host tables only',
    ),
    dte.flag('GV', 55, 'control', 'guest translation', 'no guest translation'),
    dte.field('GLX', 57, 56, 'control', choice(GCR3_LEVELS)),
    dte.field('GCR3 TRP[14:12]', 60, 58, 'address', part('the GCR3 table root', 12)),
    dte.flag('IR', 61, 'permission', 'reads allowed', 'reads not allowed'),
    dte.flag('IW', 62, 'permission', 'writes allowed', 'writes not allowed'),
    dte.reserved(63),
  ],
  [
    dte.field('DomainID', 15, 0, 'control', (value) => `domain ${value}`),
    dte.field('GCR3 TRP[30:15]', 31, 16, 'address', part('the GCR3 table root', 15)),
    dte.flag('I', 32, 'attribute', 'device may have a TLB (ATS)', 'device may not have a TLB'),
    dte.flag('SE', 33, 'attribute', 'only the first page fault is logged', 'page faults are logged'),
    dte.flag('SA', 34, 'attribute', 'no page fault is logged', 'page faults are logged'),
    dte.field('IoCtl', 36, 35, 'attribute', (value) => `port I/O ${choice(PORT_IO)(value)}`),
    dte.flag('Cache', 37, 'attribute', 'translations need not be cached', 'translations are cached'),
    dte.flag('SD', 38, 'attribute', 'snooping disabled', 'snooped as the request says'),
    dte.flag('EX', 39, 'attribute', 'may use the exclusion range', 'may not use the exclusion range'),
    dte.field(
      'SysMgt',
      41,
      40,
      'attribute',
      (value) => `system management ${choice(SYSTEM_MANAGEMENT)(value)}`,
    ),
    dte.flag('SATS', 42, 'attribute', 'secure ATS', 'no secure ATS'),
    dte.field('GCR3 TRP[51:31]', 63, 43, 'address', part('the GCR3 table root', 31)),
  ],
  [
    dte.flag('IV', 0, 'control', 'interrupt fields are valid', 'interrupts are not remapped'),
    dte.field('IntTabLen', 4, 1, 'control', (value) => `${1n << value} interrupt table entries`),
    dte.flag('IG', 5, 'attribute', 'unmapped interrupts are not logged', 'unmapped interrupts are logged'),
    dte.address('Interrupt Table Root Pointer', 51, 6, 'interrupt table at'),
    dte.reserved(53, 52),
    dte.field(
      'GuestPagingMode',
      55,
      54,
      'control',
      (value) => `guest tables of ${choice(GUEST_LEVELS)(value)}`,
    ),
    dte.flag('InitPass', 56, 'attribute', 'INIT passes', 'INIT is blocked'),
    dte.flag('EIntPass', 57, 'attribute', 'ExtInt passes', 'ExtInt is blocked'),
    dte.flag('NMIPass', 58, 'attribute', 'NMI passes', 'NMI is blocked'),
    dte.flag('HPTMode', 59, 'attribute', 'host tables are those of a secure guest', 'ordinary host tables'),
    dte.field('IntCtl', 61, 60, 'control', (value) => `interrupts ${choice(INTERRUPT_CONTROL)(value)}`),
    dte.flag('Lint0Pass', 62, 'attribute', 'LINT0 passes', 'LINT0 is blocked'),
    dte.flag('Lint1Pass', 63, 'attribute', 'LINT1 passes', 'LINT1 is blocked'),
  ],
  [
    dte.reserved(14, 0),
    dte.flag('vImuEn', 15, 'attribute', 'virtual IOMMU', 'no virtual IOMMU'),
    dte.field('GDeviceID', 31, 16, 'attribute', (value) => `the guest's DeviceID 0x${value.toString(16)}`),
    dte.field('GuestID', 47, 32, 'attribute', (value) => `guest ${value}`),
    dte.reserved(53, 48),
    dte.flag('AttrV', 54, 'attribute', 'SnoopAttribute is valid', 'SnoopAttribute is not valid'),
    dte.flag(
      'Mode0FC',
      55,
      'attribute',
      'coherent without tables',
      'coherent as the request says without tables',
    ),
    dte.field('SnoopAttribute', 63, 56, 'attribute', (value) => `snoop attribute 0x${value.toString(16)}`),
  ],
];

export const DTE_RESERVED = DTE_LAYOUT.map(reservedMask);

const gcr3Layout = (name: string, what: string): readonly BitField[] => [
  gcr3.flag('V', 0, 'control', 'valid', 'not valid'),
  gcr3.reserved(11, 1),
  gcr3.address(name, 51, 12, what),
  gcr3.reserved(63, 52),
];

/** Entry of a GCR3 table above level 1, one word. */
export const GCR3_DIRECTORY_LAYOUT = [gcr3Layout('Next GCR3 Table', 'GCR3 table of the next level at')];
/** Entry of a level-1 GCR3 table, one word: the guest CR3 of a PASID. */
export const GCR3_LAYOUT = [gcr3Layout('GCR3', 'root of the guest tables at')];
export const GCR3_RESERVED = GCR3_LAYOUT.map(reservedMask);

/** A device table entry, taken apart. Addresses as they stand in it: an encryption bit is still there. */
export interface DeviceTableEntry {
  readonly valid: boolean;
  readonly translationValid: boolean;
  readonly had: number;
  readonly mode: number;
  readonly hostRoot: bigint;
  readonly giov: boolean;
  readonly gv: boolean;
  readonly glx: number;
  readonly gcr3Root: bigint;
  /** READ | WRITE: IR is bit 61 and IW the next. */
  readonly permission: number;
  readonly domainId: number;
  readonly guestPagingMode: number;
}

export function decodeDte([low = 0n, second = 0n, third = 0n]: readonly bigint[]): DeviceTableEntry {
  return {
    valid: bits(low, 0) === 1n,
    translationValid: bits(low, 1) === 1n,
    had: Number(bits(low, 8, 7)),
    mode: Number(bits(low, 11, 9)),
    hostRoot: bits(low, 51, 12) << 12n,
    giov: bits(low, 54) === 1n,
    gv: bits(low, 55) === 1n,
    glx: Number(bits(low, 57, 56)),
    gcr3Root: (bits(low, 60, 58) << 12n) | (bits(second, 31, 16) << 15n) | (bits(second, 63, 43) << 31n),
    permission: Number(bits(low, 62, 61)),
    domainId: Number(bits(second, 15, 0)),
    guestPagingMode: Number(bits(third, 55, 54)),
  };
}

/** What a device table entry says, in a few words. */
export function sayDte(words: readonly bigint[]): string {
  const entry = decodeDte(words);
  if (!entry.valid) return 'not valid: addresses are not translated';
  const domain = `domain ${entry.domainId}`;
  if (!entry.translationValid) return `${domain}, translation fields not valid: blocked`;
  const allowed = ['no access', 'reads only', 'writes only', 'reads and writes'][entry.permission] ?? '';
  const host =
    entry.mode === 0
      ? 'no host tables'
      : `${entry.mode}-level host tables at 0x${entry.hostRoot.toString(16)}`;
  const guest = entry.gv ? `, GCR3 table of ${entry.glx + 1} levels at 0x${entry.gcr3Root.toString(16)}` : '';
  return `${domain}, ${host}${guest}, ${allowed}`;
}

/** What a GCR3 table entry says. */
export function sayGcr3([word = 0n]: readonly bigint[]): string {
  return bits(word, 0) === 0n ? 'not valid' : `leads to 0x${(bits(word, 51, 12) << 12n).toString(16)}`;
}
