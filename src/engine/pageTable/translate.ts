import { levelOf, type CompiledLevel } from '../formats/compile';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_ENTRIES, frameOf } from '../memory/words';
import { beyondWidth, isInterruptInput, type AddressSpace, type InterruptPattern } from './addressSpace';
import {
  baseHi,
  baseLo,
  belowHi,
  belowLo,
  classify,
  entryFrame,
  entryPermission,
  indexAt,
  isForbiddenOutput,
  nextDepth,
  pageShift,
  skipsZeros,
} from './entry';
import { ABSENT, LEAF, MALFORMED, READ, READ_WRITE, TABLE, WRITE } from './entryClass';
import { leafFault, malformedFault } from './entryFaults';
import { KIND_MARKS_SHIFT, KIND_PAGE, KIND_PERMISSION, leafKindsOf } from './leafKinds';
import { LeafTables, LOOKUP_ROWS } from './leafTables';
import { ACCESSED, DIRTY } from './runColumns';
import { marksLeaf, marksTable } from './marks';
import { makeBatch, statusOf, TRANSLATED, type TranslationBatch } from './translationBatch';
import { walkTables } from './walk';

/** Not a status: the entry points to a table. */
const GO_ON = 255;
/** Nor is this: hardware marks a table entry on the way, for which it must be allowed to write there. */
const MARKS = 254;
const INTERRUPT_WINDOW = statusOf('interrupt-window');
const ADDRESS_WIDTH = statusOf('address-width');
const ADDRESS_SIZE = statusOf('address-size');
const LEVEL_SKIP = statusOf('level-skip');
const TABLE_UNREADABLE = statusOf('table-unreadable');
const NOT_PRESENT = statusOf('not-present');
const INTERRUPT_OUTPUT = statusOf('interrupt-output');
const READ_DENIED = statusOf('read-denied');
const WRITE_DENIED = statusOf('write-denied');

/** Frames that are remembered as ones that hardware may write to. */
const MOST_MARKED = 2 ** 16;

/** What the batches of one address space share: leaf-most tables of its stage, and of the stage 2 below. */
export class BatchTables {
  readonly own: LeafTables;
  readonly below: BatchTables | undefined;
  readonly #memory: PhysicalMemory;
  readonly #marked = new Set<number>();
  /** Of the memory, when the first of the marked ones was remembered. */
  #version: number | undefined;

  constructor(space: AddressSpace, requests: number) {
    this.#memory = space.memory;
    this.#version = space.memory.version;
    this.own = new LeafTables(space, requests);
    this.below = space.stage2 && new BatchTables(space.stage2, requests);
  }

  /** Frames of tables, as `frameKey` names them, in which stage 2 lets hardware mark entries: as long as no word changes. */
  get marked(): Set<number> {
    const { version } = this.#memory;
    if (version !== this.#version) this.#marked.clear();
    this.#version = version;
    return this.#marked;
  }
}

/**
 * Translates the rows [from, to) of a batch: `walkTables` fused, equal to it on every input. Who translates many batches of
 * the same address space gives the same `tables` to each.
 */
export function translateBatch(
  space: AddressSpace,
  batch: TranslationBatch,
  from = 0,
  to = batch.count,
  tables = new BatchTables(space, to - from),
): void {
  translateStage(space, batch, from, to, tables.own);
  if (space.interruptPattern) refuseInterrupts(space.interruptPattern, batch, from, to);
  if (space.memory.knows) retellUnknown(space, batch, from, to);
  if (space.format.refusesMarks) retellMarked(space, batch, from, to);
  if (space.stage2) translateBelow(space, space.stage2, batch, from, to, tables);
}

/** Puts the results of stage 1 through stage 2. */
function translateBelow(
  space: AddressSpace,
  stage2: AddressSpace,
  batch: TranslationBatch,
  from: number,
  to: number,
  tables: BatchTables,
): void {
  const rows: number[] = [];
  const { marked } = tables;
  for (let row = from; row < to; row++) {
    const status = batch.status[row];
    if (status === TRANSLATED) {
      if (!marksRow(space, batch, row) || marked.has(frameKey(space, batch, row))) rows.push(row);
      else takeMarks(space, batch, row, marked);
      // Which access to a table stage 2 refuses the walk tells: one that reads it, or one that marks its entries.
    } else if (status === TABLE_UNREADABLE || status === MARKS) takeWalk(space, batch, row);
  }
  const below = makeBatch(rows.length);
  rows.forEach((row, at) => {
    below.addressLo[at] = batch.paddrLo[row] ?? 0;
    below.addressHi[at] = batch.paddrHi[row] ?? 0;
    below.write[at] = batch.write[row] ?? 0;
  });
  translateBatch(stage2, below, 0, rows.length, tables.below);
  rows.forEach((row, at) => {
    const status = below.status[at] ?? 0;
    batch.status[row] = status;
    if (status !== TRANSLATED) {
      batch.stage[row] = 2;
      batch.depth[row] = below.depth[at] ?? 0;
      return;
    }
    batch.permission[row] = (batch.permission[row] ?? 0) & (below.permission[at] ?? 0);
    batch.paddrLo[row] = below.paddrLo[at] ?? 0;
    batch.paddrHi[row] = below.paddrHi[at] ?? 0;
  });
}

/** Whether hardware marks the leaf of a translated row. */
function marksRow({ format }: AddressSpace, batch: TranslationBatch, row: number): boolean {
  const write = batch.write[row] === 1;
  return marksLeaf(format, batch.entryLo[row] ?? 0, batch.entryHi[row] ?? 0, write);
}

/** Answers a row for which hardware marks a leaf; when stage 2 allows that, it does so for the leaves beside, too. */
function takeMarks(space: AddressSpace, batch: TranslationBatch, row: number, marked: Set<number>): void {
  const key = frameKey(space, batch, row);
  takeWalk(space, batch, row);
  if (batch.status[row] !== TRANSLATED) return;
  if (marked.size === MOST_MARKED) marked.clear();
  marked.add(key);
}

/** Names the frame of a table that the leaf of a translated row is in, by its depth and what the frame covers. */
function frameKey({ format }: AddressSpace, batch: TranslationBatch, row: number): number {
  const { depth, pagesPerEntry } = levelOf(format, batch.depth[row] ?? 0);
  const page = (batch.addressHi[row] ?? 0) * 0x100000 + ((batch.addressLo[row] ?? 0) >>> 12);
  return Math.floor(page / (pagesPerEntry * FRAME_ENTRIES)) * 8 + depth;
}

/** Interrupt messages never get to the tables, whatever these say of them. */
function refuseInterrupts(
  pattern: InterruptPattern,
  batch: TranslationBatch,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    if (!isInterruptInput(pattern, batch.addressLo[row] ?? 0, batch.addressHi[row] ?? 0)) continue;
    batch.status[row] = INTERRUPT_WINDOW;
    batch.depth[row] = 0;
  }
}

/** Walks again what is not present only because the source does not say it. */
function retellUnknown(space: AddressSpace, batch: TranslationBatch, from: number, to: number): void {
  for (let row = from; row < to; row++) if (batch.status[row] === NOT_PRESENT) takeWalk(space, batch, row);
}

/** Walks again what hardware would mark, and may not. */
function retellMarked(space: AddressSpace, batch: TranslationBatch, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    const status = batch.status[row];
    if (status === MARKS || (status === TRANSLATED && marksRow(space, batch, row)))
      takeWalk(space, batch, row);
  }
}

/** Answers a row by a walk step by step. */
function takeWalk(space: AddressSpace, batch: TranslationBatch, row: number): void {
  const write = batch.write[row] === 1;
  const { outcome, steps } = walkTables(space, batch.addressLo[row] ?? 0, batch.addressHi[row] ?? 0, write);
  batch.status[row] = outcome.ok ? TRANSLATED : statusOf(outcome.fault);
  if (!outcome.ok) {
    batch.stage[row] = outcome.stage;
    batch.depth[row] = outcome.depth;
    return;
  }
  const leaf = steps.at(-1);
  batch.depth[row] = leaf?.depth ?? 0;
  batch.entryLo[row] = leaf?.lo ?? 0;
  batch.entryHi[row] = leaf?.hi ?? 0;
  batch.pageShift[row] = outcome.pageShift;
  batch.permission[row] = outcome.permission;
  batch.paddrLo[row] = outcome.paddrLo;
  batch.paddrHi[row] = outcome.paddrHi;
}

function translateStage(
  space: AddressSpace,
  batch: TranslationBatch,
  from: number,
  to: number,
  tables: LeafTables,
): void {
  const { format } = space;
  const leafMost = levelOf(format, 1);
  const { shift } = leafMost;
  const kinds = leafKindsOf(format);
  // Outputs of limited width are looked at one by one.
  const unlimited = format.outputEnd === Infinity && !format.readsNeedDirty ? KIND_PAGE : -1;
  const forRead = unlimited | (format.needsAccessed ? ACCESSED << KIND_MARKS_SHIFT : 0);
  const forWrite = forRead | (format.needsDirty ? DIRTY << KIND_MARKS_SHIFT : 0);
  batch.stage.fill(space.stage, from, to);
  for (let first = from; first < to; first += LOOKUP_ROWS) {
    const end = Math.min(first + LOOKUP_ROWS, to);
    tables.lookUp(batch.addressLo, batch.addressHi, first, end);
    let current = true;
    for (let row = first; row < end; row++) {
      const needed = batch.write[row] === 1 ? WRITE : READ;
      const permission = tables.permission[row - first] ?? 0;
      if (!current || (permission & needed) === 0) {
        batch.status[row] = walkRow(space, tables, batch, row, needed);
        current = tables.current;
        continue;
      }
      const lo = tables.lo(row - first);
      const hi = tables.hi(row - first);
      batch.depth[row] = 1;
      const kind = kinds.of(lo, hi);
      const allowed = permission & kind;
      const wanted = needed === WRITE ? forWrite : forRead;
      // Most are good leaves that allow the request; what the others are is said by all the rules.
      batch.status[row] =
        (kind & wanted) === wanted && (allowed & needed) !== 0
          ? answer(space, batch, row, shift, shift, allowed & KIND_PERMISSION, lo, hi)
          : takeEntry(space, leafMost, batch, row, needed, permission, lo, hi);
    }
  }
}

/** Walks from the root. */
function walkRow(
  space: AddressSpace,
  tables: LeafTables,
  batch: TranslationBatch,
  row: number,
  needed: number,
): number {
  const { format, memory } = space;
  const addressLo = batch.addressLo[row] ?? 0;
  const addressHi = batch.addressHi[row] ?? 0;
  batch.depth[row] = 0;
  if (beyondWidth(space, addressLo, addressHi)) return ADDRESS_WIDTH;
  let permission = READ_WRITE;
  let table = space.root;
  let depth = format.rootDepth;
  while (depth > 0) {
    const level = levelOf(format, depth);
    const index = indexAt(level, addressLo, addressHi);
    const slot = depth === format.rootDepth ? index + space.rootEntry : index;
    const words = memory.readFrame(frameOf(table, slot));
    batch.depth[row] = depth;
    if (!words) return TABLE_UNREADABLE;
    if (depth === 1) tables.keep(addressLo, addressHi, words, permission);
    const at = 2 * (slot & 511);
    const lo = words[at] ?? 0;
    const hi = words[at + 1] ?? 0;
    const status = takeEntry(space, level, batch, row, needed, permission, lo, hi);
    if (status !== GO_ON) return status;
    const next = nextDepth(format, level, lo);
    if (!skipsZeros(format, level, next, addressLo, addressHi)) return LEVEL_SKIP;
    permission &= entryPermission(format, TABLE, lo, hi);
    table = entryFrame(format, lo, hi);
    if (table >= format.outputEnd) return ADDRESS_SIZE;
    if ((space.stage2 || format.refusesMarks) && marksTable(format, lo, hi)) return MARKS;
    depth = next;
  }
  return TABLE_UNREADABLE;
}

/** What one entry makes of a row: its status, with the answer when it is translated, or GO_ON for a table. */
function takeEntry(
  space: AddressSpace,
  level: CompiledLevel,
  batch: TranslationBatch,
  row: number,
  needed: number,
  above: number,
  lo: number,
  hi: number,
): number {
  const { format } = space;
  const found = classify(format, level, lo, hi);
  if (found === ABSENT) return NOT_PRESENT;
  if (found === MALFORMED) return statusOf(malformedFault(format, level, lo));
  const permission = above & entryPermission(format, found, lo, hi);
  if (found === LEAF) {
    if (format.needsAccessed || format.needsDirty || entryFrame(format, lo, hi) >= format.outputEnd) {
      const fault = leafFault(format, level, lo, hi, permission, needed === WRITE);
      if (fault) return statusOf(fault);
    }
  } else if (format.deniesAtLeaf) return GO_ON;
  if ((permission & needed) === 0) return needed === WRITE ? WRITE_DENIED : READ_DENIED;
  if (found !== LEAF) return GO_ON;
  const page = format.runKind === 'none' ? level.shift : pageShift(format, level, lo, hi);
  const shift = format.runKind === 'own-address' ? level.shift : page;
  return answer(space, batch, row, page, shift, permission, lo, hi);
}

/** Answers a row by a good leaf of a page, of which it says the address down to `shift`. */
function answer(
  { format }: AddressSpace,
  batch: TranslationBatch,
  row: number,
  page: number,
  shift: number,
  permission: number,
  lo: number,
  hi: number,
): number {
  const addressLo = batch.addressLo[row] ?? 0;
  const addressHi = batch.addressHi[row] ?? 0;
  const offsetLo = belowLo(shift);
  const offsetHi = belowHi(shift);
  const paddrLo = (baseLo(format, lo) & ~offsetLo) | (addressLo & offsetLo);
  const paddrHi = (baseHi(format, lo, hi) & ~offsetHi) | (addressHi & offsetHi);
  if (isForbiddenOutput(format, paddrLo, paddrHi)) return INTERRUPT_OUTPUT;
  batch.pageShift[row] = page;
  batch.permission[row] = permission;
  batch.paddrLo[row] = paddrLo;
  batch.paddrHi[row] = paddrHi;
  batch.entryLo[row] = lo;
  batch.entryHi[row] = hi;
  return TRANSLATED;
}
