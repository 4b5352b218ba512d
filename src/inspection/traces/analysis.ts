import { CHUNK_ROWS } from '../../trace/model/columns';
import { type TraceTable } from '../../trace/model/table';
import { type Bits, wordsOf } from '../../trace/query/bits';
import { type TraceFilter } from '../../trace/query/traceFilter';
import { Replay } from '../../trace/replay/replay';
import { type SpaceIndex } from '../../trace/replay/spaceIndex';
import { type RowTest, type SpaceRules, tellSpaces } from '../../trace/replay/spaces';
import { type TraceSpaces } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { Shared } from './shared';
import { traceFilterOf } from './views';

const AUTO: TraceSpaces = { by: 'auto' };
/** Ways to tell spaces apart that are kept: the one that is set, and the one that is being tried. */
const KEPT = 2;
/** More rules than anyone writes; each is asked of every row. */
const MOST_RULES = 1000;

/** What the rows read so far come to under one way to tell address spaces apart. */
interface Way {
  readonly key: string;
  /** How often telling the spaces apart goes over the rows, at most. */
  readonly passes: number;
  readonly spaces: Shared<SpaceIndex>;
  replay?: Shared<Replay>;
}

/** Address spaces and mappings of one trace, worked out when they are first asked for. */
export class TraceAnalysis {
  readonly #table: TraceTable;
  /** The last used first. */
  #ways: readonly Way[] = [];
  #asked = AUTO;
  #told: SpaceIndex | undefined;
  #turn = 0;

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
  *tell(spaces: TraceSpaces): Work<SpaceIndex> {
    const told = yield* this.spaces(spaces);
    this.#asked = spaces;
    this.#show(told);
    return told;
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

  *spaces(spaces: TraceSpaces): Work<SpaceIndex> {
    return yield* this.#spacesOf(this.#way(spaces));
  }

  *replay(spaces: TraceSpaces): Work<Replay> {
    const way = this.#way(spaces);
    return yield* this.#replayOf(way, yield* this.#spacesOf(way));
  }

  #spacesOf({ passes, spaces }: Way): Work<SpaceIndex> {
    return spaces.work('Telling address spaces apart', passes * this.#table.rows);
  }

  #replayOf(way: Way, told: SpaceIndex): Work<Replay> {
    if (way.replay?.failed === true) delete way.replay;
    way.replay ??= new Shared(Replay.of(this.#table, told));
    return way.replay.work('Replaying the trace', this.#table.rows);
  }

  #show(told: SpaceIndex): void {
    if (told !== this.#told) this.#turn++;
    this.#told = told;
  }

  /** Of the rows that there are now: as more are read, it is worked out anew. */
  #way(asked: TraceSpaces): Way {
    const key = `${this.#table.rows} ${JSON.stringify(asked)}`;
    const known = this.#ways.find((way) => way.key === key && !way.spaces.failed);
    const way = known ?? {
      key,
      passes: asked.by === 'auto' ? 3 : 1,
      spaces: new Shared(tellSpaces(this.#table, rulesOf(asked, this.#table))),
    };
    this.#ways = [way, ...this.#ways.filter((other) => other.key !== key)].slice(0, KEPT);
    return way;
  }
}

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

  enter(chunk: number): void {
    const rows = this.#table.chunks[chunk]?.rows ?? 0;
    if (this.#filter.empty) this.#bits.fill(-1);
    else this.#filter.ask(chunk, 0, rows, undefined, this.#bits);
  }

  test(row: number): boolean {
    return (((this.#bits[row >> 5] ?? 0) >>> (row & 31)) & 1) === 1;
  }
}
