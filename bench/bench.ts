import * as os from 'node:os';
import * as path from 'node:path';
import { makeDomainImage, makeRequests } from './domainImage';
import { figures, type Figure } from './figures';
import { buildLimit, Limit, type Round } from './limit';
import { secondStage, SHAPES } from './shapes';
import { listRound, makeTranslateRound, openSubject } from './ours';

export interface BenchOptions {
  readonly quick: boolean;
  readonly json: boolean;
  readonly figures: boolean;
  readonly strict: boolean;
  readonly seed: number;
  /** The name of one format. */
  readonly only?: string;
}

interface Result {
  readonly bench: string;
  /** ours / limit. */
  readonly ratio: number;
  readonly goal: number;
  /** Medians. */
  readonly ours: number;
  readonly limit: number;
  readonly unit: 'ns';
}

/** Not measured: caches are filled and loops compiled. */
const WARM_UP_ROUNDS = 8;
const GOAL = 3;

/** Runs everything; gives the exit code. `home` is the directory of the benchmarks, `out` where files may be made. */
export async function bench(options: BenchOptions, home: string, out: string): Promise<number> {
  const leafTables = options.quick ? 2048 : 32768;
  const requestCount = options.quick ? 200_000 : 1_000_000;
  const rounds = options.quick ? 9 : 11;
  const program = buildLimit(path.join(home, 'limit', 'limit.c'), out);
  if (program === undefined) {
    process.stderr.write(
      'No C compiler was found (cc, gcc, clang, or the one CC names): the benchmarks are ratios to a limit in C.\n' +
        'Install one, on Debian with: apt-get install gcc libc6-dev\n',
    );
    return 1;
  }
  const leaves = leafTables * 512;
  const requestFile = path.join(out, 'requests.bin');
  const requests = makeRequests(requestFile, requestCount, leaves, options.seed);

  const results: Result[] = [];
  const differing: string[] = [];
  for (const shape of SHAPES.filter(({ name }) => options.only === undefined || name === options.only)) {
    const image = makeDomainImage(out, shape, leafTables, options.seed);
    const subject = await openSubject(image);
    const measure = async (what: string, ours: () => Round, limit: Limit): Promise<void> => {
      const result = await compare(`${shape.name} ${what}`, ours, limit, rounds);
      limit.end();
      if (!result) {
        differing.push(shape.name);
        return;
      }
      results.push(result);
      process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : '');
    };
    await measure('list', () => listRound(subject), new Limit(program, image, ['list']));
    const limit = new Limit(program, image, ['translate', requestFile]);
    await measure('translate', makeTranslateRound(subject, requests), limit);
    subject.memory.close();
  }
  if (!options.json && results.length > 0) print(results, leaves, requestCount, rounds);
  if (options.figures) {
    const image = makeDomainImage(out, secondStage, leafTables, options.seed);
    showFigures(await figures(image, path.join(__dirname, 'engineWorker.js')), options.json);
  }
  const missed = results.filter(({ ratio, goal }) => ratio > goal);
  for (const { bench: name, ratio, goal } of missed) {
    process.stderr.write(`${name}: goal missed, ${ratio} times the limit instead of at most ${goal}.\n`);
  }
  return differing.length === 0 && !(options.strict && missed.length > 0) ? 0 : 1;
}

/** Rounds of both in turn; undefined when what they computed differs. */
async function compare(
  name: string,
  ours: () => Round,
  limit: Limit,
  rounds: number,
): Promise<Result | undefined> {
  const ourTimes: number[] = [];
  const limitTimes: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const mine = ours();
    const its = await limit.round();
    if (mine.checksum !== its.checksum || mine.count !== its.count) {
      process.stderr.write(
        `${name}: the results differ: ours ${mine.count} with checksum ${mine.checksum}, ` +
          `the limit's ${its.count} with ${its.checksum}.\n`,
      );
      return undefined;
    }
    if (round < 0) continue;
    ourTimes.push(mine.cpuNanoseconds / mine.count);
    limitTimes.push(its.cpuNanoseconds / its.count);
  }
  const [mine, its] = [median(ourTimes), median(limitTimes)];
  return {
    bench: name,
    ratio: rounded(mine / its),
    goal: GOAL,
    ours: rounded(mine),
    limit: rounded(its),
    unit: 'ns',
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

const rounded = (value: number): number => Number(value.toPrecision(3));

function print(results: readonly Result[], leaves: number, requests: number, rounds: number): void {
  const processor = os.cpus()[0]?.model ?? 'unknown processor';
  const lines = [
    `${leaves.toLocaleString('en')} leaves of 4K, ${requests.toLocaleString('en')} requests; ${processor}, Node ${process.versions.node}`,
    `CPU time, medians of ${rounds} rounds; list: ns per leaf, translate: ns per request`,
    '',
    ['bench', 'ours', 'C limit', 'ratio', 'goal'].map((title) => title.padStart(18)).join(''),
    ...results.map(({ bench: name, ours, limit, ratio, goal }) =>
      [name, ours, limit, ratio, `<= ${goal}`].map((cell) => String(cell).padStart(18)).join(''),
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function showFigures(all: readonly Figure[], json: boolean): void {
  const lines = all.map((figure) =>
    json
      ? JSON.stringify(figure)
      : `${figure.bench.padStart(36)}${String(figure.ours).padStart(9)} ${figure.unit}`,
  );
  const title = json ? '' : '\nWall-clock time through the worker, compared with nothing:\n';
  process.stdout.write(`${title}${lines.join('\n')}\n`);
}
