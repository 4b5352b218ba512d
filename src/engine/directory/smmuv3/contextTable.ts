import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { type StructureEntry } from '../deviceDirectory';
import { readStructure, refusal, refusedBelow, type Refusal } from '../structures';
import { CD_WORDS, L1CD_LAYOUT, sayCd, sayL1Cd } from './contexts';
import { addressOf, flagOf } from './fields';
import { placeOf } from './streams';
import { type Ste } from './streamTable';

const CD_BYTES = CD_WORDS * 8;
const IMAGE_HINT = 'Check the stream table entry, and that the image holds the table.';

/** log2 of the CDs of a table of the second level by S1Fmt; undefined: linear. */
export function contextSplit({ contextFormat, contextsLog2 }: Ste): 6 | 10 | undefined {
  if (contextsLog2 === 0) return undefined;
  return contextFormat === 1 ? 6 : contextFormat === 2 ? 10 : undefined;
}

/** Reads the context descriptor of a substream, through stage 2 where there is one: its entries go into `entries`. */
export function readContext(
  memory: PhysicalMemory,
  stage2: AddressSpace | undefined,
  ste: Ste,
  substream: number,
  entries: StructureEntry[],
): StructureEntry | Refusal {
  const split = contextSplit(ste);
  if (split === undefined) {
    const base = aligned(ste.contextPointer, CD_BYTES * 2 ** ste.contextsLog2);
    return readOne(memory, stage2, { role: 'process', base, index: substream }, entries);
  }
  const size = Math.max(64, 8 * 2 ** Math.max(0, ste.contextsLog2 - split));
  const index = Math.floor(substream / 2 ** split);
  const base = aligned(ste.contextPointer, size);
  const l1 = readOne(memory, stage2, { role: 'process-directory', base, index }, entries);
  if ('kind' in l1) return l1;
  if (!flagOf(l1.words, 0, 0)) {
    const why = `The level 1 context descriptor of SubstreamID ${substream} is not valid.`;
    return refusal('process-entry-not-present', why);
  }
  const table = aligned(addressOf(l1.words, 0, 55, 12), CD_BYTES * 2 ** split);
  return readOne(memory, stage2, { role: 'process', base: table, index: substream % 2 ** split }, entries);
}

const aligned = (address: bigint, size: number): bigint => address - (address % BigInt(size));

interface ContextPlace {
  readonly role: 'process-directory' | 'process';
  readonly base: bigint;
  readonly index: number;
}

function readOne(
  memory: PhysicalMemory,
  stage2: AddressSpace | undefined,
  { role, base, index }: ContextPlace,
  entries: StructureEntry[],
): StructureEntry | Refusal {
  const directory = role === 'process-directory';
  const words = directory ? L1CD_LAYOUT.length : CD_WORDS;
  const say = directory ? sayL1Cd : sayCd;
  const place = { ...placeOf(base), role, index, words };
  const read = readStructure(memory, stage2?.forTables ?? stage2, place, say);
  if (read.ok) {
    entries.push(read.entry);
    return read.entry;
  }
  const what = `The ${directory ? 'level 1 context descriptor' : 'context descriptor'}`;
  const at = `0x${(base + BigInt(index * words * 8)).toString(16)}`;
  if (!read.refused) {
    const why = `${what} at ${at} cannot be read: ${read.why}.`;
    return refusal('process-entry-unreadable', why, IMAGE_HINT);
  }
  return refusedBelow(read.refused, stage2, { what, address: 'intermediate address' });
}
