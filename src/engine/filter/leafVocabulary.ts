import { type Vocabulary } from './vocabulary';

/**
 * What a filter may ask about one leaf of a page table. A walk keeps one and overwrites it for every leaf: nothing here
 * is a bigint and nothing is allocated.
 */
export interface LeafFacts {
  /** First IOVA / 4096, below 2^52. */
  iovaPage: number;
  /** Size of the leaf / 4096. */
  pages: number;
  /** Physical address / 4096. */
  frame: number;
  /** Effective, over all levels: bit 0 read, bit 1 write. */
  permission: number;
  accessed: boolean;
  dirty: boolean;
  /** As the format's specification numbers it. */
  level: number;
  /** The entry, as two 32-bit halves. */
  lo: number;
  hi: number;
}

const PAGE_SHIFT = 12;
const READ = 1;
const WRITE = 2;
/** Snoop control of a second-stage leaf: Intel VT-d specification, second-stage paging entries. */
const SNOOP_BIT = 1 << 11;

export const leafVocabulary: Vocabulary<LeafFacts> = {
  bounded: 'iova',
  fields: [
    {
      name: 'iova',
      aliases: ['va'],
      type: 'range',
      shift: PAGE_SHIFT,
      doc: 'IO virtual addresses of the leaf: in a..b overlaps, = contains',
      values: [{ text: '0x1000..0x2000', doc: 'from 0x1000 up to, not including, 0x2000' }],
      start: (leaf) => leaf.iovaPage,
      length: (leaf) => leaf.pages,
    },
    {
      name: 'paddr',
      aliases: ['pa', 'address'],
      type: 'range',
      shift: PAGE_SHIFT,
      doc: 'physical addresses of the leaf: in a..b overlaps, = contains',
      values: [{ text: '4G..', doc: 'from 4G on' }],
      start: (leaf) => leaf.frame,
      length: (leaf) => leaf.pages,
    },
    {
      name: 'size',
      aliases: ['pagesize'],
      type: 'integer',
      shift: PAGE_SHIFT,
      doc: 'bytes one leaf maps',
      values: [
        { text: '4K', doc: 'a page' },
        { text: '2M', doc: 'a large page' },
        { text: '1G', doc: 'a huge page' },
      ],
      read: (leaf) => leaf.pages,
    },
    {
      name: 'level',
      type: 'integer',
      shift: 0,
      doc: 'level of the leaf, as the specification numbers it',
      values: ['1', '2', '3'].map((text) => ({ text, doc: `level ${text}` })),
      read: (leaf) => leaf.level,
    },
    {
      name: 'perm',
      aliases: ['permission', 'permissions'],
      type: 'set',
      doc: 'effective permission over all levels: = exactly, has at least',
      members: { r: READ, w: WRITE, rw: READ | WRITE, wr: READ | WRITE, none: 0, '-': 0 },
      values: [
        { text: 'rw', doc: 'read and write' },
        { text: 'r', doc: 'read' },
        { text: 'w', doc: 'write' },
        { text: 'none', doc: 'neither' },
      ],
      read: (leaf) => leaf.permission,
    },
    {
      name: 'readable',
      aliases: ['read'],
      type: 'flag',
      doc: 'devices may read, whether or not they may write',
      read: (leaf) => (leaf.permission & READ) !== 0,
    },
    {
      name: 'writable',
      aliases: ['write', 'writeable'],
      type: 'flag',
      doc: 'devices may write, whether or not they may read',
      read: (leaf) => (leaf.permission & WRITE) !== 0,
    },
    {
      name: 'accessed',
      type: 'flag',
      doc: 'the accessed bit of the leaf is set',
      read: (leaf) => leaf.accessed,
    },
    {
      name: 'dirty',
      type: 'flag',
      doc: 'the dirty bit of the leaf is set',
      read: (leaf) => leaf.dirty,
    },
    {
      name: 'snoop',
      aliases: ['snp'],
      type: 'flag',
      doc: 'bit 11 of the entry: snooped in VT-d second-stage leaves',
      read: (leaf) => (leaf.lo & SNOOP_BIT) !== 0,
    },
    {
      name: 'entry',
      aliases: ['word'],
      type: 'word',
      doc: 'the 64-bit entry as it stands in memory, whole or under a mask',
      values: [{ text: '0x800', doc: 'a word in hexadecimal' }],
      low: (leaf) => leaf.lo,
      high: (leaf) => leaf.hi,
    },
  ],
};
