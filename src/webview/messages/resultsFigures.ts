import { bytesText, countText, secondsText, timesText } from './resultsFormat';
import { type MigrationModel, type RunModel } from './resultsMessages';
import { type ResultsStrings } from './resultsStrings';

export type FigureKey = keyof ResultsStrings['figures'];

/** A figure of a run, where it has it. */
export interface Figure {
  readonly key: FigureKey;
  readonly text: (value: number, strings: ResultsStrings) => string;
  /** Otherwise no value is better than another. */
  readonly lessIsBetter: boolean;
  /** A migration that was given up has it, but has not earned it. */
  readonly needsEnd: boolean;
  readonly of: (run: RunModel) => number | undefined;
}

type Of = (migration: MigrationModel) => number | null;

type Rating = Pick<Figure, 'lessIsBetter' | 'needsEnd'>;

const LESS: Rating = { lessIsBetter: true, needsEnd: false };
const LESS_AT_END: Rating = { lessIsBetter: true, needsEnd: true };
const ANY: Rating = { lessIsBetter: false, needsEnd: false };

const migration = (key: FigureKey, text: Figure['text'], rating: Rating, of: Of): Figure => ({
  ...{ key, text, ...rating },
  of: (run) => (run.migration ? (of(run.migration) ?? undefined) : undefined),
});

const plain = (key: FigureKey, text: Figure['text'], rating: Rating, of: Figure['of']): Figure => ({
  ...{ key, text, ...rating, of },
});

const leaves = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, each) => all + each, 0);

/** In the order in which they are read. */
export const FIGURES: readonly Figure[] = [
  migration(
    'converged',
    (value, { yes, no }) => (value > 0 ? yes : no),
    ANY,
    (each) => Number(each.converged),
  ),
  migration('total', secondsText, LESS_AT_END, ({ total }) => total),
  migration('blackout', secondsText, LESS_AT_END, ({ blackout }) => blackout),
  migration('downtimeLimit', secondsText, ANY, ({ downtimeLimit }) => downtimeLimit),
  migration('preparation', secondsText, LESS, ({ preparation }) => preparation),
  migration('rounds', countText, ANY, ({ rounds, leftOut }) => rounds.length + leftOut),
  migration('sent', bytesText, LESS_AT_END, ({ bytes }) => bytes.sent),
  migration('deviceState', bytesText, ANY, ({ bytes }) => bytes.deviceState),
  plain('written', bytesText, ANY, (run) => run.migration?.bytes.written ?? run.dirty.written),
  plain('reported', bytesText, ANY, (run) => run.migration?.bytes.reported ?? run.dirty.reported),
  migration('amplification', timesText, LESS, ({ amplification }) => amplification),
  plain('over', bytesText, LESS, (run) => run.migration?.bytes.over ?? run.dirty.over),
  plain('lost', bytesText, LESS, (run) => run.migration?.bytes.lost ?? run.dirty.lost),
  migration('leavesBefore', countText, ANY, (each) => leaves(each.leaves.before)),
  migration('leavesAfter', countText, ANY, (each) => leaves(each.leaves.after)),
  migration('missesBefore', countText, ANY, ({ iotlb }) => iotlb.missesBefore),
  migration('missesDuring', countText, LESS, ({ iotlb }) => iotlb.missesDuring),
  migration('missesAdded', countText, LESS, ({ iotlb }) => iotlb.missesAdded),
  plain('requests', countText, ANY, ({ requests }) => requests),
  plain('faults', countText, LESS, ({ faults }) => faults),
];

/** Figures that at least one run has, without those that say the same nothing of all. */
export const figuresOf = (runs: readonly RunModel[]): readonly Figure[] =>
  FIGURES.filter((figure) => runs.some((run) => figure.of(run) !== undefined) && !isIdle(figure, runs));

const MAY_BE_LEFT_OUT: ReadonlySet<FigureKey> = new Set(['deviceState', 'preparation', 'faults', 'requests']);

const isIdle = ({ key, of }: Figure, runs: readonly RunModel[]): boolean =>
  MAY_BE_LEFT_OUT.has(key) && runs.every((run) => (of(run) ?? 0) === 0);

/**
 * Indexes of the runs that are best in a figure; none when all are alike. What was cancelled is best in nothing, and what was given up
 * not in what it took to the end.
 */
export function bestOf(figure: Figure, runs: readonly RunModel[]): ReadonlySet<number> {
  if (!figure.lessIsBetter || runs.length < 2) return new Set();
  const values = runs.map((run) => (isRated(figure, run) ? figure.of(run) : undefined));
  const known = values.filter((value) => value !== undefined);
  const best = Math.min(...known);
  if (runs.every((run) => figure.of(run) === best)) return new Set();
  return new Set(values.flatMap((value, index) => (value === best ? [index] : [])));
}

const isRated = ({ needsEnd }: Figure, run: RunModel): boolean =>
  run.verdict !== 'cancelled' && (!needsEnd || run.migration?.converged === true);

/** `split: fixed`, with what a sweep set; the file is left out where all runs are of one. */
export function runNames(runs: readonly RunModel[]): readonly string[] {
  const isOneFile = new Set(runs.map(({ uri }) => uri)).size <= 1;
  return runs.map(({ file, variant, set }) => {
    const settings = Object.entries(set).map(([path, value]) => `${path}=${value}`);
    const parts = [
      isOneFile && (variant !== null || settings.length > 0) ? '' : file,
      variant ?? '',
      ...settings,
    ];
    return parts.filter((part) => part !== '').join(' · ');
  });
}
