import { compileTraceFilter, type TraceFilter } from '../../trace/query/traceFilter';
import { type Bits, wordsOf } from '../../trace/query/bits';
import { CHUNK_ROWS } from '../../trace/model/columns';
import { type TraceTable } from '../../trace/model/table';
import { Replay } from '../../trace/replay/replay';
import { type SpaceIndex } from '../../trace/replay/spaceIndex';
import { type RowTest, type SpaceRules, tellSpaces } from '../../trace/replay/spaces';
import { type TraceSpaces } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { overRows } from './openTraces';

/** A trace's address spaces by some rules, and what its rows do to them. */
export interface ReplayedSpaces {
  readonly index: SpaceIndex;
  readonly replay: Replay;
}

/** Of one trace: views, tables and lists use the same rules as a rule, and two while they are changed. */
const MOST_KEPT = 2;

const kept = new WeakMap<TraceTable, Map<string, ReplayedSpaces>>();

/** The spaces of all rows read so far, and their replay; made again when more rows were read meanwhile. */
export function* replayOf(table: TraceTable, spaces: TraceSpaces): Work<ReplayedSpaces> {
  const key = JSON.stringify([spaces.by, spaces.by === 'rules' ? (spaces.rules ?? []) : []]);
  const known = kept.get(table) ?? new Map<string, ReplayedSpaces>();
  kept.set(table, known);
  const found = known.get(key);
  if (found?.replay.rows === table.rows) return found;
  const index = yield* spacesOf(table, spaces);
  const replay = yield* overRows('Replaying', table.rows, Replay.of(table, index));
  const made = { index, replay };
  known.delete(key);
  for (const old of [...known.keys()].slice(0, Math.max(0, known.size + 1 - MOST_KEPT))) known.delete(old);
  known.set(key, made);
  return made;
}

/** Forgets what is kept of a trace. */
export function forgetReplays(table: TraceTable): void {
  kept.delete(table);
}

function* spacesOf(table: TraceTable, spaces: TraceSpaces): Work<SpaceIndex> {
  const rules = rulesOf(table, spaces);
  return yield* overRows('Telling address spaces apart', 0, tellSpaces(table, rules));
}

/** Refuses rules that are none. */
export function rulesOf(table: TraceTable, { by, rules = [] }: TraceSpaces): SpaceRules {
  if (by !== 'rules') return { by };
  if (rules.length === 0)
    refuse('trace/no-rules', 'There are no rules to tell address spaces apart by.', RULE);
  if (rules.length > MOST_RULES)
    refuse(
      'trace/rules',
      `There are ${rules.length} rules, and ${MOST_RULES} at most are asked of each row.`,
    );
  return {
    by,
    rules: rules.map(({ name, where }) => {
      if (name.trim() === '') refuse('trace/rule-name', `The rule "${where}" has no name.`, RULE);
      const compiled = compileTraceFilter(where, table);
      if (!compiled.ok) {
        const [problem] = compiled.problems;
        return refuse('trace/rule', `Rule ${name}: ${problem?.message ?? 'is no filter'}.`, RULE);
      }
      return { name, test: testOf(table, compiled.filter) };
    }),
  };
}

const MOST_RULES = 256;
const RULE = 'A rule is a name and a filter: disk: iova in 0xfff00000..0x100000000.';

/** A filter as it is asked row by row: a chunk's answers are made when the chunk is entered. */
function testOf(table: TraceTable, filter: TraceFilter): RowTest {
  const bits: Bits = new Int32Array(wordsOf(CHUNK_ROWS));
  return {
    enter(chunk) {
      const rows = table.chunks[chunk]?.rows ?? 0;
      for (let from = 0; from < rows; from += filter.stepRows)
        filter.ask(chunk, from, Math.min(rows, from + filter.stepRows), undefined, bits);
    },
    test: (row) => (((bits[row >> 5] ?? 0) >>> (row & 31)) & 1) === 1,
  };
}
