import { CHUNK_ROWS } from '../../trace/model/columns';
import { type TraceTable } from '../../trace/model/table';
import { type Bits, wordsOf } from '../../trace/query/bits';
import { type TraceFilter } from '../../trace/query/traceFilter';
import { TraceView } from '../../trace/query/traceView';
import { Replay } from '../../trace/replay/replay';
import { type SpaceIndex } from '../../trace/replay/spaceIndex';
import { type RowTest, type SpaceRules, tellSpaces } from '../../trace/replay/spaces';
import { TooManyMappings } from '../../trace/replay/tooMany';
import { type TraceSpaces } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { thatMapped } from './lifetimes';
import { Shared } from './shared';
import { traceFilterOf } from './views';

const AUTO: TraceSpaces = { by: 'auto' };
/** Ways to tell spaces apart that are kept: the one that is set, and the one that is being tried. */
const KEPT = 2;
/** More rules than anyone writes; each is asked of every row. */
const MOST_RULES = 64;

/** What the rows read so far come to under one way to tell address spaces apart. */
interface Way {
  readonly key: string;
  /** All passes go over the same rows, while the trace grows. */
  readonly table: TraceTable;
  /** How often telling the spaces apart goes over the rows, at most. */
  readonly passes: number;
  readonly spaces: Shared<SpaceIndex>;
  replay?: Shared<Replay>;
}

/** Address spaces and what was mapped in them. */
export interface Analysed {
  readonly told: SpaceIndex;
  readonly replay: Replay;
}

/** Address spaces and mappings of one trace, worked out when they are first asked for. */
export class TraceAnalysis {
  readonly #table: TraceTable;
  /** The last used first. */
  #ways: readonly Way[] = [];
  #asked = AUTO;
  #told: SpaceIndex | undefined;
  #turn = 0;
  #lastMaps: { readonly where: string; readonly replay: Replay; readonly view: TraceView } | undefined;

  constructor(table: TraceTable) {
    this.#table = table;
  }

  /** The address spaces that rows are shown with: by the rules last given, as soon as they were worked out. */
  get told(): SpaceIndex | undefined {
    return this.#told;
  }

  /** Goes up whenever rows are shown with other spaces. */
  get turn(): number {
    return this.#turn;
  }

  /** Tells spaces apart in this way from now on. */
  *tell(spaces: TraceSpaces): Work<Analysed> {
    const analysed = yield* this.analysed(spaces);
    this.#asked = spaces;
    this.#show(analysed.told);
    return analysed;
  }

  /** Mappings by the way to tell spaces apart that was last given; rows are shown with these spaces from now on. */
  *current(): Work<Replay> {
    const asked = this.#asked;
    const way = this.#way(asked);
    const told = yield* this.#spacesOf(way);
    const replay = yield* this.#replayOf(way, told);
    if (asked === this.#asked) this.#show(told);
    return replay;
  }

  /** Both of the same rows. */
  *analysed(spaces: TraceSpaces): Work<Analysed> {
    const way = this.#way(spaces);
    const told = yield* this.#spacesOf(way);
    return { told, replay: yield* this.#replayOf(way, told) };
  }

  /** The view of the replay's rows that mapped something and match: pages of life times come from one pass. */
  mapRows(where: string, replay: Replay): TraceView {
    const last = this.#lastMaps;
    if (last?.where === where && last.replay === replay) return last.view;
    const { table, spaces } = replay;
    const asked = traceFilterOf(where, table, spaces);
    const maps = asked.empty ? 'operation = map' : `operation = map and (${where})`;
    const view = new TraceView(table, thatMapped(traceFilterOf(maps, table, spaces), table));
    this.#lastMaps = { where, replay, view };
    return view;
  }

  #spacesOf({ passes, spaces, table }: Way): Work<SpaceIndex> {
    return refusing(spaces.work('Telling address spaces apart', passes * table.rows));
  }

  #replayOf(way: Way, told: SpaceIndex): Work<Replay> {
    if (way.replay?.failed === true) delete way.replay;
    way.replay ??= new Shared(Replay.of(way.table, told));
    return refusing(way.replay.work('Replaying the trace', way.table.rows));
  }

  #show(told: SpaceIndex): void {
    if (told !== this.#told) this.#turn++;
    this.#told = told;
  }

  /** Of the rows that there are now: as more are read, it is worked out anew. */
  #way(asked: TraceSpaces): Way {
    const key = `${this.#table.rows} ${JSON.stringify(asked)}`;
    const known = this.#ways.find((way) => way.key === key && !way.spaces.failed);
    const way = known ?? wayOf(key, asked, rowsSoFar(this.#table));
    this.#ways = [way, ...this.#ways.filter((other) => other.key !== key)].slice(0, KEPT);
    return way;
  }
}

/** Refuses what takes more memory than there may be. */
function* refusing<T>(work: Work<T>): Work<T> {
  try {
    return yield* work;
  } catch (error) {
    if (!(error instanceof TooManyMappings)) throw error;
    const { code, message, hint } = error.failure;
    return refuse(code, message, hint);
  }
}

/** The rows that a table has now, whatever it is given later. */
function rowsSoFar(table: TraceTable): TraceTable {
  const { trace, names, rows, problems, problemCount, unknown, lost } = table;
  return {
    ...{ trace, names, rows, problems, problemCount, unknown, lost },
    chunks: table.chunks.slice(),
    eventCounts: table.eventCounts.slice(),
    // That nothing follows may come out later.
    get complete() {
      return table.complete && table.rows === rows;
    },
    load: (chunk) => table.load(chunk),
  };
}

const wayOf = (key: string, asked: TraceSpaces, table: TraceTable): Way => ({
  ...{ key, table },
  passes: asked.by === 'auto' ? 3 : 1,
  spaces: new Shared(tellSpaces(table, rulesOf(asked, table))),
});

function rulesOf({ by, rules = [] }: TraceSpaces, table: TraceTable): SpaceRules {
  if (by !== 'rules') return { by };
  if (rules.length === 0 || rules.length > MOST_RULES) {
    refuse('trace/rules', `Address spaces are told apart by 1 to ${MOST_RULES} rules, not ${rules.length}.`);
  }
  return {
    by,
    rules: rules.map(({ name, where }) => ({
      name,
      test: new FilterTest(traceFilterOf(where, table, undefined), table),
    })),
  };
}

/** A filter's answers for the rows of one chunk. */
class FilterTest implements RowTest {
  readonly #filter: TraceFilter;
  readonly #table: TraceTable;
  readonly #bits: Bits = new Int32Array(wordsOf(CHUNK_ROWS));

  constructor(filter: TraceFilter, table: TraceTable) {
    this.#filter = filter;
    this.#table = table;
  }

  *enter(chunk: number): Generator<number, void> {
    const rows = this.#table.chunks[chunk]?.rows ?? 0;
    if (this.#filter.empty) {
      this.#bits.fill(-1);
      return;
    }
    const { stepRows } = this.#filter;
    for (let from = 0; from < rows; from += stepRows) {
      this.#filter.ask(chunk, from, Math.min(rows, from + stepRows), undefined, this.#bits);
      yield 0;
    }
  }

  test(row: number): boolean {
    return (((this.#bits[row >> 5] ?? 0) >>> (row & 31)) & 1) === 1;
  }
}
