import { levelOf } from '../../formats/compile';
import { FRAME_ENTRIES } from '../../memory/words';
import { type WritableMemory } from '../../memory/writableMemory';
import { type FrameNumber } from '../../values';
import { type SoftwareStep } from '../softwareStep';
import { halvesOf, type LeafTemplate } from './leafEncoder';
import { framesOfTable, type TableTree } from './tableTree';

/** Memory that can hold a frame of like entries as one thing. */
interface UniformMemory extends WritableMemory {
  /** Writes a frame of 512 entries of which entry i is base + i * step (64 bits); false when it cannot. */
  writeUniform(frame: FrameNumber, baseLo: number, baseHi: number, step: number): boolean;
}

const isUniform = (memory: WritableMemory): memory is UniformMemory => 'writeUniform' in memory;

/** Frames for a table of zeros at a depth below the root; undefined: memory is full. */
export function newTable({ frames, top }: TableTree, depth: number): FrameNumber | undefined {
  return frames.allocate(framesOfTable(top.format, depth));
}

/** Gives back a table that hardware has never seen. */
export function freeTable({ frames, top }: TableTree, table: FrameNumber, depth: number): void {
  frames.free(table, framesOfTable(top.format, depth));
}

/** Fills a table that nobody can reach yet with pages of one kind, the first at `frame`. One step for all. */
export function buildTable(
  tree: TableTree,
  table: FrameNumber,
  template: LeafTemplate,
  frame: number,
): SoftwareStep {
  const { format } = tree.top;
  const level = levelOf(format, template.depth);
  const entries = level.indexMask + 1;
  const count = template.words.length;
  const frames = Math.max(1, entries / FRAME_ENTRIES);
  const perFrame = Math.min(entries, FRAME_ENTRIES);
  for (let part = 0; part < frames; part++) {
    const first = part * perFrame;
    if (count === 1 && fillUniform(tree, table, template, frame, first)) continue;
    for (let index = first; index < first + perFrame; index++) {
      const page = frame + Math.floor(index / count) * count * level.pagesPerEntry;
      const { lo, hi } = halvesOf(tree.encoder.word(format, template, page, index % count));
      tree.words.fill(table, index, lo, hi);
    }
  }
  return { kind: 'build', name: 'fill the table', frames };
}

function fillUniform(
  { words, encoder, top }: TableTree,
  table: FrameNumber,
  template: LeafTemplate,
  frame: number,
  first: number,
): boolean {
  const { memory } = words;
  if (!isUniform(memory)) return false;
  const { pagesPerEntry, indexMask } = levelOf(top.format, template.depth);
  if (indexMask + 1 < FRAME_ENTRIES) return false;
  const wordOf = (index: number) => encoder.word(top.format, template, frame + index * pagesPerEntry, 0);
  const base = wordOf(first);
  const step = wordOf(first + 1) - base;
  // Address fields in two parts, or a carry out of the lower one, are no sums.
  const isSum = wordOf(first + FRAME_ENTRIES - 1) === base + step * BigInt(FRAME_ENTRIES - 1);
  if (!isSum || step < 0n) return false;
  const { lo, hi } = halvesOf(base);
  const at = words.frameHolding(table, first);
  const written = memory.writeUniform(at, lo, hi, Number(step));
  if (written) words.cleanFrame(at);
  return written;
}
