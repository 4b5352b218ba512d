import { bits } from '../../bits/bitFields';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { frameNumber } from '../../values';
import { type StructureEntry, type StructureRole } from '../deviceDirectory';
import { readStructure, refusal, type Refusal, type StructurePlace } from '../structures';
import { addressOf, numberOf } from './fields';
import { type SmmuFeatures } from './features';
import { splitOf } from './registers';
import { STE_WORDS, sayL1, saySte } from './streamTable';

const STE_BYTES = STE_WORDS * 8;
const STES_IN_FRAME = 4096 / STE_BYTES;
const LARGEST_SPAN = 11;
const TABLE_HINT = 'Check STRTAB_BASE and STRTAB_BASE_CFG, and that the image holds the table.';

/** Frames of a linear table whose devices are listed: 16,777,216 StreamIDs; and missing ones that one step passes over. */
const MOST_LISTED_FRAMES = 2 ** 18;
const MOST_PASSED_FRAMES = 2 ** 12;

/** StreamIDs [from, to) may have an entry; `next`: where to go on. */
interface StreamPart {
  readonly from: number;
  readonly to: number;
  readonly next: number;
}

/** The stream table of an SMMU: linear, or of two levels. */
export class StreamTable {
  readonly #memory: PhysicalMemory;
  readonly #base: bigint;
  readonly twoLevel: boolean;
  /** log2 of the StreamIDs there are, at most 32. */
  readonly idBits: number;
  /** StreamID bits of the second level. */
  readonly split: number;

  constructor(memory: PhysicalMemory, base: bigint, config: bigint, features: SmmuFeatures) {
    this.#memory = memory;
    const log2Size = Number(bits(config, 5, 0));
    // FMT is there only where tables of two levels are (6.3.25).
    this.twoLevel = bits(config, 17, 16) === 1n && features.twoLevelStreams !== false;
    this.split = splitOf(Number(bits(config, 10, 6)));
    this.idBits = Math.min(log2Size, features.streamIdBits ?? 32, 32);
    const tableLog2 = this.twoLevel ? Math.max(6, log2Size - this.split + 3) : log2Size + 6;
    const address = addressOf([base], 0, 55, 6);
    this.#base = (address >> BigInt(tableLog2)) << BigInt(tableLog2);
  }

  /** Reads the entry of a StreamID, and on the way what leads to it: into `entries`. */
  read(stream: number, entries: StructureEntry[]): StructureEntry | Refusal {
    const name = `0x${stream.toString(16)}`;
    if (stream >= 2 ** this.idBits) {
      const why = `StreamID ${name} is beyond the ${2 ** this.idBits} StreamIDs of the stream table.`;
      return refusal('requester-out-of-range', why);
    }
    if (!this.twoLevel) return this.#entry('context', this.#base, stream, entries);
    const index = Math.floor(stream / 2 ** this.split);
    const l1 = this.#entry('root', this.#base, index, entries);
    if (!('role' in l1)) return l1;
    const span = numberOf(l1.words, 0, 4, 0);
    const where = `The level 1 stream table descriptor of StreamID ${name}`;
    if (span === 0) return refusal('root-entry-not-present', `${where} has no level 2 table (Span is 0).`);
    if (span > LARGEST_SPAN || span > this.split + 1) {
      const why = `${where} has Span ${span}, above ${Math.min(LARGEST_SPAN, this.split + 1)}, the most there can be.`;
      return refusal('root-entry-reserved', why);
    }
    const slot = stream % 2 ** this.split;
    if (slot >= 2 ** (span - 1)) {
      const why = `StreamID ${name} is number ${slot} of a level 2 table of ${2 ** (span - 1)} entries.`;
      return refusal('requester-out-of-range', why);
    }
    return this.#entry('context', level2(l1, span), slot, entries);
  }

  /** The StreamID that listing ends at: a linear table may claim gigabytes of memory that is not there. */
  get listedEnd(): number {
    return Math.min(2 ** this.idBits, this.twoLevel ? Infinity : MOST_LISTED_FRAMES * STES_IN_FRAME);
  }

  /** StreamIDs that may have an entry, from `start` on, and the StreamID to go on from: at most 1,024 of one table. */
  part(start: number): StreamPart {
    const end = this.listedEnd;
    if (!this.twoLevel) return this.#linearPart(start, end);
    const size = 2 ** this.split;
    const next = Math.min(start - (start % size) + size, end);
    const index = Math.floor(start / size);
    const frame = this.#frame(index * 8);
    // A frame that is missing takes all its descriptors with it.
    if (!frame) return { from: start, to: start, next: Math.min((index - (index % 512) + 512) * size, end) };
    const word = (Number(this.#base & 0xfffn) / 8 + index) % 512;
    const span = (frame[2 * word] ?? 0) & 0x1f;
    const good = span !== 0 && span <= LARGEST_SPAN && span <= this.split + 1;
    return { from: start, to: good ? Math.min(start + 2 ** (span - 1), next) : start, next };
  }

  /** Passes over frames that are missing, a bounded number at once. */
  #linearPart(start: number, end: number): StreamPart {
    const table = Number(this.#base >> 12n);
    let from = start;
    for (let passed = 0; passed < MOST_PASSED_FRAMES && from < end; passed++) {
      const frame = Math.floor(from / STES_IN_FRAME);
      const next = Math.min((frame + 1) * STES_IN_FRAME, end);
      if (this.#memory.readFrame(frameNumber(table + frame))) return { from, to: next, next };
      from = next;
    }
    return { from, to: from, next: from };
  }

  /** The frame of the stream table that holds its byte `offset`. */
  #frame(offset: number): Uint32Array | undefined {
    return this.#memory.readFrame(frameNumber(Number((this.#base + BigInt(offset)) >> 12n)));
  }

  #entry(
    role: StructureRole & ('root' | 'context'),
    table: bigint,
    index: number,
    entries: StructureEntry[],
  ): StructureEntry | Refusal {
    const words = role === 'root' ? 1 : STE_WORDS;
    const place = { ...placeOf(table), role, index, words };
    const read = readStructure(this.#memory, undefined, place, role === 'root' ? sayL1 : saySte);
    if (read.ok) {
      entries.push(read.entry);
      return read.entry;
    }
    const what = role === 'root' ? 'level 1 stream table descriptor' : 'stream table entry';
    const why = `The ${what} at 0x${(table + BigInt(index * words * 8)).toString(16)} cannot be read: ${read.refused ? 'stage 2 refuses it' : read.why}.`;
    return refusal(role === 'root' ? 'root-entry-unreadable' : 'context-entry-unreadable', why, TABLE_HINT);
  }
}

function level2(l1: StructureEntry, span: number): bigint {
  const address = addressOf(l1.words, 0, 55, 6);
  const size = BigInt(STE_BYTES) << BigInt(span - 1);
  return address - (address % size);
}

/** Where a table at this byte address is. */
export function placeOf(table: bigint): Pick<StructurePlace, 'table' | 'offset'> {
  return { table: frameNumber(Number(table >> 12n)), offset: Number(table & 0xfffn) };
}
