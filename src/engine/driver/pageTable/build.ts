import { levelOf } from '../../formats/compile';
import { FRAME_ENTRIES, type EntryHalves } from '../../memory/words';
import { cleanedHalves, hasDirtyMark, marksOf } from '../../pageTable/marks';
import { DIRTY } from '../../pageTable/runColumns';
import { type FrameNumber } from '../../values';
import { type SoftwareStep } from '../softwareStep';
import { type LeafTemplate } from './leafEncoder';
import { framesOfTable, type TableTree } from './tableTree';

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
  const count = template.entries;
  const halves: EntryHalves = { lo: 0, hi: 0 };
  const frames = Math.max(1, entries / FRAME_ENTRIES);
  const perFrame = Math.min(entries, FRAME_ENTRIES);
  for (let part = 0; part < frames; part++) {
    const first = part * perFrame;
    if (count === 1 && fillUniform(tree, table, template, frame, first)) continue;
    for (let index = first; index < first + perFrame; index++) {
      const page = frame + Math.floor(index / count) * count * level.pagesPerEntry;
      tree.encoder.write(format, template, page, index % count, halves);
      tree.words.fill(table, index, halves.lo, halves.hi);
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
  const memory = words.memory.uniformFrames;
  const { format } = top;
  const { pagesPerEntry, indexMask } = levelOf(format, template.depth);
  if (!memory || indexMask + 1 < FRAME_ENTRIES) return false;
  const base: EntryHalves = { lo: 0, hi: 0 };
  const next: EntryHalves = { lo: 0, hi: 0 };
  const last: EntryHalves = { lo: 0, hi: 0 };
  encoder.write(format, template, frame + first * pagesPerEntry, 0, base);
  encoder.write(format, template, frame + (first + 1) * pagesPerEntry, 0, next);
  encoder.write(format, template, frame + (first + FRAME_ENTRIES - 1) * pagesPerEntry, 0, last);
  const step = distance(base, next);
  // Address fields in two parts, or a carry out of the lower one, are no sums.
  if (step <= 0 || distance(base, last) !== step * (FRAME_ENTRIES - 1)) return false;
  const at = words.frameHolding(table, first);
  const clean = cleanedHalves(format, base);
  const marks = marksOf(format, base.lo, base.hi);
  const mayBeDirty = hasDirtyMark(format, base.lo, base.hi);
  const written = memory.writeUniform(at, {
    baseLo: clean.lo >>> 0,
    baseHi: clean.hi >>> 0,
    stepLo: step % 2 ** 32,
    stepHi: Math.floor(step / 2 ** 32),
    accessedLo: format.accessedLo >>> 0,
    accessedHi: format.accessedHi >>> 0,
    dirtyLo: mayBeDirty ? format.dirtyMarkLo >>> 0 : 0,
    dirtyHi: mayBeDirty ? format.dirtyMarkHi >>> 0 : 0,
  });
  if (!written) return false;
  if ((marks & DIRTY) !== 0 && mayBeDirty) memory.setDirty(at);
  words.cleanFrame(at);
  return true;
}

/** How far two words lie apart; exact below 2^53, as addresses within a table are. */
function distance(from: EntryHalves, to: EntryHalves): number {
  return (to.hi - from.hi) * 2 ** 32 + (to.lo - from.lo);
}
