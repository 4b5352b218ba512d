import { type EntryDetails, type EntryProblem, type FieldValue } from '../../../src/inspection/protocol';

type Row = readonly [name: string, high: number, low: number, kind: FieldValue['kind'], meaning: string];

/** Fields of a word from rows, highest bit first. */
function fields(word: bigint, section: string, rows: readonly Row[]): FieldValue[] {
  return rows.map(([name, high, low, kind, meaning]) => {
    const value = (word >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
    return { name, high, low, kind, meaning, section, value };
  });
}

const SECOND_STAGE = 'VT-d 4.1 §9.8';

const largeLeaf: readonly Row[] = [
  ['Ignored', 63, 63, 'ignored', 'ignored by hardware'],
  ['TM', 62, 62, 'attribute', 'device-TLB entry is not transient'],
  ['Ignored', 61, 52, 'ignored', 'ignored by hardware'],
  ['ADDR', 51, 21, 'address', 'page at 0x158a00000'],
  ['Reserved', 20, 12, 'reserved', 'must be 0'],
  ['SNP', 11, 11, 'attribute', 'snooped as the request says'],
  ['Ignored', 10, 10, 'ignored', 'ignored by hardware'],
  ['D', 9, 9, 'status', 'clean'],
  ['A', 8, 8, 'status', 'not accessed'],
  ['PS', 7, 7, 'control', 'maps a 2M page'],
  ['IPAT', 6, 6, 'attribute', 'PAT honoured'],
  ['EMT', 5, 3, 'attribute', 'memory type UC'],
  ['X', 2, 2, 'permission', 'execute not allowed'],
  ['W', 1, 1, 'permission', 'writes allowed'],
  ['R', 0, 0, 'permission', 'reads allowed'],
];

/** A 2M leaf; with `problems`, one whose reserved address bits are set. */
export function largePage(problems = false): EntryDetails {
  const word = problems ? 0x158a04083n : 0x158a00083n;
  const misaligned: EntryProblem = {
    code: 'entry/misaligned-leaf',
    message: 'The page does not start at a multiple of its size: bits 20:12 must be 0 but are 0x4',
    hint: 'Hardware reports a reserved field. Software probably set PS without aligning the address to 2M.',
    severity: 'error',
    word: 0,
    high: 20,
    low: 12,
  };
  return {
    ref: { iommu: 'dmar0', address: 0x14b377ff0n, role: 'table', level: 2, iova: 0xffc00000n },
    title: 'SS-PDE, level 2 (2M page)',
    words: [word],
    fields: [fields(word, SECOND_STAGE, largeLeaf)],
    problems: problems ? [misaligned] : [],
    target: { address: 0x158a00000n, what: 'Maps' },
    range: { start: 0xffc00000n, end: 0xffe00000n },
    specification: SECOND_STAGE,
  };
}

/** A legacy context entry: two words. */
export function contextEntry(): EntryDetails {
  const low = 0x14ab2b001n;
  const high = 0x401n;
  const section = 'VT-d 4.1 §9.3';
  return {
    ref: { iommu: 'dmar0', address: 0x14ab1f100n, role: 'context' },
    title: 'Context entry of 00:02.0',
    words: [low, high],
    fields: [
      fields(low, section, [
        ['SSPTPTR', 63, 12, 'address', 'page-table root at 0x14ab2b000'],
        ['Reserved', 11, 4, 'reserved', 'must be 0'],
        ['T', 3, 2, 'control', 'untranslated requests through the second stage'],
        ['FPD', 1, 1, 'control', 'faults are reported'],
        ['P', 0, 0, 'status', 'present'],
      ]),
      fields(high, section, [
        ['Reserved', 63, 24, 'reserved', 'must be 0'],
        ['DID', 23, 8, 'attribute', 'domain 4'],
        ['Reserved', 7, 7, 'reserved', 'must be 0'],
        ['IGN', 6, 3, 'software', 'free for software'],
        ['AW', 2, 0, 'control', '39-bit, 3 levels'],
      ]),
    ],
    problems: [],
    target: { address: 0x14ab2b000n, what: 'Root table' },
    specification: section,
  };
}
