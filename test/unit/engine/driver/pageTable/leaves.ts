import assert from 'node:assert/strict';
import { type DomainTables } from '../../../../../src/engine/driver/pageTable/domainTables';
import { type DirtyRequest } from '../../../../../src/engine/driver/pageTable/dirty';
import { survey, type SurveyedLeaf } from '../../../../../src/engine/driver/pageTable/survey';
import { markedHalves } from '../../../../../src/engine/pageTable/marks';
import { DIRTY } from '../../../../../src/engine/pageTable/runColumns';
import { runSteps } from '../../../../../src/engine/steps';
import { valueOf } from './domains';

/** Leaves begin accessed and clean. */
export const CLEAN = { accessed: true, dirty: false };

/** Every entry that maps a part of these pages; those that are not mapped are passed over. */
export function leavesOf(tables: DomainTables, page: number, pages: number): readonly SurveyedLeaf[] {
  const { root, format } = tables.top;
  return runSteps(survey(tables, root, format.rootDepth, page, page + pages)).leaves;
}

/** Marks the entry of a page dirty, as hardware does. */
export function makeDirty(tables: DomainTables, page: number): void {
  const [leaf] = leavesOf(tables, page, 1);
  assert.ok(leaf);
  const { lo, hi } = markedHalves(tables.format, leaf, DIRTY);
  tables.words.fill(leaf.table, leaf.index, lo, hi);
}

/** What a read of dirty marks reports, as [page, pages]. */
export function reported(
  tables: DomainTables,
  startPage: number,
  pages: number,
  more: Partial<DirtyRequest> = {},
): [number, number][] {
  const runs: [number, number][] = [];
  const sink = (start: number, count: number): void => {
    runs.push([start, count]);
  };
  valueOf(runSteps(tables.readAndClearDirty({ startPage, pages, clear: true, sink, ...more })));
  return runs;
}

export const sum = (runs: readonly (readonly [number, number])[]): number =>
  runs.reduce((all, [, count]) => all + count, 0);
