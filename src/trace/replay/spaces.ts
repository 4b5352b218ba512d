import { type TraceTable } from '../model/table';
import { tellByThemselves } from './autoSpaces';
import { ChunkRows, keep, ROWS_PER_YIELD } from './chunkRows';
import { putSpace, SpaceIndex } from './spaceIndex';

/** Asks rows of one chunk after the other, as a compiled filter does. */
export interface RowTest {
  /** Goes to a chunk, before any of its rows is asked; yields between parts of it. */
  enter(chunk: number): Generator<number, void>;
  /** `row` counts from the chunk's first. */
  test(row: number): boolean;
}

/** How rows are told apart by address space. */
export type SpaceRules =
  | { readonly by: 'auto' | 'device' | 'domain' }
  | { readonly by: 'rules'; readonly rules: readonly { readonly name: string; readonly test: RowTest }[] };

/** Rows that name no device or domain, or that no rule matches. */
const OTHER = 'other';

/**
 * Tells the address spaces of all rows apart: a chunk a step, which yields its rows. `auto` reads the trace twice, or three times
 * where it has events of the DMA API. Throws TooManyMappings.
 */
export function* tellSpaces(table: TraceTable, how: SpaceRules): Generator<number, SpaceIndex> {
  const index = new SpaceIndex(table);
  if (how.by === 'auto') yield* tellByThemselves(table, index);
  else if (how.by === 'rules') yield* tellByRules(table, index, how.rules);
  else yield* tellByColumn(table, index, how.by);
  return index;
}

function* tellByRules(
  table: TraceTable,
  index: SpaceIndex,
  rules: Extract<SpaceRules, { by: 'rules' }>['rules'],
): Generator<number, void> {
  const tests = rules.map(({ name, test }) => ({ test, space: index.add(name) }));
  let other = -1;
  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    for (const { test } of tests) yield* test.enter(chunk);
    const spaces = index.chunk(chunk);
    for (let row = 0; row < spaces.length; row++) {
      let space = tests.find(({ test }) => test.test(row))?.space;
      if (space === undefined) {
        if (other < 0) other = index.add(OTHER);
        space = other;
      }
      putSpace(spaces, row, space);
      if (row % ROWS_PER_YIELD === ROWS_PER_YIELD - 1) yield ROWS_PER_YIELD;
    }
    yield spaces.length % ROWS_PER_YIELD;
  }
}

function* tellByColumn(
  table: TraceTable,
  index: SpaceIndex,
  by: 'device' | 'domain',
): Generator<number, void> {
  const rows = new ChunkRows([by] as const);
  const known = new Map<number, number>();
  const nameOf = (value: number): string => {
    if (Number.isNaN(value)) return OTHER;
    return by === 'device' ? table.names.devices.text(value) : `domain ${value}`;
  };
  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    rows.load(table, chunk);
    const spaces = index.chunk(chunk);
    const column = rows.columns[by];
    for (let row = 0; row < rows.rows; row++) {
      const value = column[row] ?? Number.NaN;
      let space = known.get(value);
      if (space === undefined) {
        space = index.add(nameOf(value));
        keep(known, value, space);
      }
      putSpace(spaces, row, space);
    }
    yield rows.rows;
  }
}
