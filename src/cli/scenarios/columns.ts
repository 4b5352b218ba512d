/** The columns of a sweep's results, as docs/sweeps.md describes them. */
import { type MigrationResult, type ScenarioOutcome } from '../../inspection/protocol';
import { type Row } from './grid';
import { type Settings } from './settings';

export type ColumnType = 'INT32' | 'INT64' | 'DOUBLE' | 'BOOLEAN' | 'STRING' | 'JSON';
/** As JSON has it; a whole number of more than 53 bits is a string. */
export type Value = string | number | boolean | object | null;

export interface SweepColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly of: (result: RowResult) => Value;
}

/** What came of a row: an outcome, or why it could not run. */
export interface RowResult {
  readonly row: Row;
  readonly outcome?: ScenarioOutcome;
  readonly error?: string;
}

/** A row of the results: a value for each column. */
export interface FlatRow {
  readonly index: number;
  readonly values: readonly Value[];
}

/** Leaves out what has no column, of which a long migration has much. */
export const flatten = (columns: readonly SweepColumn[], result: RowResult): FlatRow => ({
  index: result.row.index,
  values: columns.map(({ of }) => {
    const value = of(result);
    // JSON, in which rows are kept until the file is written, has no infinity.
    return typeof value === 'number' && !Number.isFinite(value) ? null : value;
  }),
});

type Get<T> = (from: T) => Value | undefined;

const OUTCOME: readonly (readonly [string, ColumnType, Get<ScenarioOutcome>])[] = [
  ['failures', 'INT32', ({ failures }) => failures.length],
  ['first_failure', 'STRING', ({ failures: [first] }) => first && failureOf(first)],
  ['requests', 'INT64', ({ requests }) => requests],
  ['faults', 'INT64', ({ faults }) => faults],
  ['dirty_written_bytes', 'INT64', ({ dirty }) => dirty.written],
  ['dirty_reported_bytes', 'INT64', ({ dirty }) => dirty.reported],
  ['dirty_lost_bytes', 'INT64', ({ dirty }) => dirty.lost],
  ['dirty_over_bytes', 'INT64', ({ dirty }) => dirty.over],
];

const failureOf = ({ what, expected, actual }: ScenarioOutcome['failures'][number]): string =>
  `${what}: expected ${expected}, got ${actual}`;

/** Where a migration's seconds went: the keys of MigrationResult.time. */
const SPENT = ['link', 'scan', 'flush', 'split', 'collapse', 'device'] as const;

const MIGRATION: readonly (readonly [string, ColumnType, Get<MigrationResult>])[] = [
  ['converged', 'BOOLEAN', ({ converged }) => converged],
  ['why', 'STRING', ({ why }) => why],
  ['rounds', 'INT32', ({ rounds }) => rounds.length],
  ['preparation_seconds', 'DOUBLE', ({ preparation }) => preparation],
  ['total_seconds', 'DOUBLE', ({ total }) => total],
  ['blackout_seconds', 'DOUBLE', ({ blackout }) => blackout],
  ['sent_bytes', 'INT64', ({ bytes }) => bytes.sent],
  ['device_state_bytes', 'INT64', ({ bytes }) => bytes.deviceState],
  ['device_state_in_blackout_bytes', 'INT64', ({ bytes }) => bytes.deviceStateInBlackout],
  ['written_bytes', 'INT64', ({ bytes }) => bytes.written],
  ['reported_bytes', 'INT64', ({ bytes }) => bytes.reported],
  ['over_bytes', 'INT64', ({ bytes }) => bytes.over],
  ['lost_bytes', 'INT64', ({ bytes }) => bytes.lost],
  ['amplification', 'DOUBLE', ({ amplification }) => amplification],
  ['leaves_before', 'JSON', ({ leaves }) => leaves.before],
  ['leaves_after', 'JSON', ({ leaves }) => leaves.after],
  ['misses_before_per_million', 'DOUBLE', ({ iotlb }) => iotlb.missesBefore],
  ['misses_during_per_million', 'DOUBLE', ({ iotlb }) => iotlb.missesDuring],
  ['misses_added', 'DOUBLE', ({ iotlb }) => iotlb.missesAdded],
  ['requests_sampled', 'INT64', ({ iotlb }) => iotlb.sampled],
  ...SPENT.map(
    (what) => [`${what}_seconds`, 'DOUBLE', ({ time }: MigrationResult) => time[what] ?? 0] as const,
  ),
  ['computed_by', 'STRING', ({ by }) => by],
];

/** Every column of a sweep with these settings, in order. They do not depend on the shard or on what came out. */
export function sweepColumns(settings: Settings): readonly SweepColumn[] {
  return [
    { name: 'row', type: 'INT32', of: ({ row }) => row.index },
    { name: 'variant', type: 'STRING', of: ({ row }) => row.variant },
    ...[...settings].map(([key, values]) => settingColumn(key, values)),
    { name: 'passed', type: 'BOOLEAN', of: ({ outcome }) => outcome?.passed ?? false },
    { name: 'error', type: 'STRING', of: ({ error }) => error ?? null },
    ...OUTCOME.map(([name, type, get]): SweepColumn => ({
      name,
      type,
      of: ({ outcome }) => (outcome && get(outcome)) ?? null,
    })),
    ...MIGRATION.map(([name, type, get]): SweepColumn => ({
      name,
      type,
      of: ({ outcome }) => (outcome?.migration && get(outcome.migration)) ?? null,
    })),
  ];
}

/**
 * A setting is a number or a boolean when all its values are, and a number holds each of them exactly, so that two that differ never
 * look alike; else the text as it was given.
 */
function settingColumn(key: string, values: readonly string[]): SweepColumn {
  const text = (row: Row): string => row.set[key] ?? '';
  if (values.every(isWhole)) return { name: key, type: 'INT64', of: ({ row }) => text(row) };
  if (values.every(isNumber)) return { name: key, type: 'DOUBLE', of: ({ row }) => Number(text(row)) };
  if (values.every(isFlag)) return { name: key, type: 'BOOLEAN', of: ({ row }) => text(row) === 'true' };
  return { name: key, type: 'STRING', of: ({ row }) => text(row) };
}

const MOST_DIGITS = 20;

/** Of 64 bits, as two's complement has them. */
function isWhole(text: string): boolean {
  if (text.length > MOST_DIGITS || !/^(-?\d+|0x[0-9a-f]+)$/.test(text)) return false;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value;
}

/** Of 15 digits: a double gives as many back, whatever they are (IEEE 754 binary64). */
function isNumber(text: string): boolean {
  const [, whole = '', fraction = ''] = /^-?(\d+)(?:\.(\d+))?(?:e[-+]?\d+)?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  return whole !== '' && digits.length <= 15 && isOrdinary(Number(text), digits === '');
}

/** Neither infinite nor so small that digits are lost. */
const isOrdinary = (value: number, zero: boolean): boolean =>
  zero || (Number.isFinite(value) && Math.abs(value) >= SMALLEST_NORMAL);
const SMALLEST_NORMAL = 2 ** -1022;
const isFlag = (text: string): boolean => text === 'true' || text === 'false';
