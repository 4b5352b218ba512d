import {
  type ExpectationFailure,
  type MigrationResult,
  type MigrationRound,
  type ScenarioOutcome,
} from '../../inspection/protocol';
import { positionOf } from '../errors';
import { bytesText, timeText } from '../figures';
import { type Output } from '../output';
import { printable, type Column } from '../table';
import { runName } from './runs';

/** An outcome as docs/cli.md describes it. */
export function outcomeJson(outcome: ScenarioOutcome, text: string): object {
  const { file, variant, passed, requests, dirty, faults, seconds, migration, cancelled } = outcome;
  const failures = outcome.failures.map((failure) => ({
    line: failure.line,
    column: columnOf(text, failure),
    what: failure.what,
    expected: failure.expected,
    actual: failure.actual,
  }));
  const stopped = cancelled === undefined ? {} : { cancelled };
  return { file, variant, passed, failures, requests, dirty, faults, seconds, migration, ...stopped };
}

/** `a.iopte.yaml:12:5: error: lost: expected 0, got 3`. */
export const failureLine = (file: string, text: string, failure: ExpectationFailure): string =>
  `${file}:${failure.line}:${columnOf(text, failure)}: error: ${failureText(failure)}`;

export const failureText = ({ what, expected, actual }: ExpectationFailure): string =>
  printable(`${what}: expected ${expected}, got ${actual}`);

const columnOf = (text: string, { start }: ExpectationFailure): number => positionOf(text, start).column;

/** One line for each run, then what failed in it, then the rounds of its migration. */
export async function printOutcome(output: Output, outcome: ScenarioOutcome, text: string): Promise<void> {
  const { file, variant, passed, failures, seconds, migration, cancelled } = outcome;
  const word = cancelled ? 'stopped' : passed ? 'ok     ' : output.red('FAILED ');
  await output.lines([
    `${word} ${printable(runName(file, variant))}  ${timeText(seconds)}`,
    ...failures.map((failure) => failureLine(file, text, failure)),
  ]);
  if (migration) await printMigration(output, migration);
}

const ROUNDS: readonly Column[] = [
  { title: 'ROUND', align: 'right' },
  { title: 'TIME', align: 'right' },
  { title: 'PENDING', align: 'right' },
  { title: 'SENT', align: 'right' },
  { title: 'WRITTEN', align: 'right' },
  { title: 'REPORTED', align: 'right' },
  { title: 'SPLITS', align: 'right' },
  { title: 'DOWNTIME IF STOPPED', align: 'right' },
];
/** Rounds of a table at its beginning and at its end; those between say little. */
const FIRST_ROUNDS = 12;
const LAST_ROUNDS = 4;
const INDENT = 8;

async function printMigration(output: Output, migration: MigrationResult): Promise<void> {
  const { rounds, why, blackout, total, preparation, bytes, amplification, by, byWhy } = migration;
  const long = rounds.length > FIRST_ROUNDS + LAST_ROUNDS;
  const rows = long
    ? [
        ...rounds.slice(0, FIRST_ROUNDS).map(roundCells),
        ['...'],
        ...rounds.slice(-LAST_ROUNDS).map(roundCells),
      ]
    : rounds.map(roundCells);
  await output.table(ROUNDS, rows, { indent: INDENT });
  const facts = [
    blackout === null ? 'no blackout: given up' : `blackout ${timeText(blackout)}`,
    `total ${timeText(total)}`,
    ...(preparation > 0 ? [`prepared in ${timeText(preparation)}`] : []),
    `sent ${bytesText(bytes.sent)}`,
    ...(bytes.written > 0 ? [`reported ${digits(amplification)} times what was written`] : []),
  ];
  const indent = ' '.repeat(INDENT);
  await output.lines([
    `${indent}${printable(why)}`,
    `${indent}By the ${by}: ${printable(byWhy)}`,
    `${indent}${facts.join(', ')}`,
  ]);
}

const digits = (value: number): string => String(Number(value.toPrecision(3)));

const roundCells = (round: MigrationRound): readonly string[] => [
  round.blackout ? `${round.round} blackout` : String(round.round),
  timeText(round.seconds),
  bytesText(round.pending),
  bytesText(round.sent),
  bytesText(round.written),
  bytesText(round.reported),
  String(round.splits),
  timeText(round.estimatedDowntime),
];
