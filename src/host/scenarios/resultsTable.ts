import type * as vscode from 'vscode';
import type { ScenarioOutcome } from '../../inspection/protocol';
import { csvField } from '../../webview/messages/resultsTables';
import { whatFailed } from './failures';
import { nameOf } from './files';
import type { ScenarioRun } from './results';

type Figure = string | number | boolean | null | undefined;

/** A figure of an outcome, where it has it. Bytes and seconds are plain numbers: the table goes into programs. */
interface Column {
  readonly name: string;
  readonly of: (outcome: ScenarioOutcome) => Figure;
}

const COLUMNS: readonly Column[] = [
  { name: 'passed', of: ({ passed }) => passed },
  { name: 'requests', of: ({ requests }) => requests },
  { name: 'written', of: ({ dirty }) => dirty.written },
  { name: 'reported', of: ({ dirty }) => dirty.reported },
  { name: 'lost', of: ({ dirty }) => dirty.lost },
  { name: 'over', of: ({ dirty }) => dirty.over },
  { name: 'faults', of: ({ faults }) => faults },
  { name: 'converged', of: ({ migration }) => migration?.converged },
  { name: 'rounds', of: ({ migration }) => migration?.rounds.length },
  { name: 'preparation', of: ({ migration }) => migration?.preparation },
  { name: 'total', of: ({ migration }) => migration?.total },
  { name: 'blackout', of: ({ migration }) => migration?.blackout },
  { name: 'sent', of: ({ migration }) => migration?.bytes.sent },
  { name: 'amplification', of: ({ migration }) => migration?.amplification },
  { name: 'missesAdded', of: ({ migration }) => migration?.iotlb.missesAdded },
  { name: 'why', of: ({ migration }) => migration?.why },
];

/** A run of a sweep that could not begin, and why. */
export interface Impossible {
  readonly uri: vscode.Uri;
  readonly variant: string | null;
  readonly set: Readonly<Record<string, string>>;
  readonly why: string;
}

/** Settings of a sweep, each once, in their order. */
const settingsOf = (runs: readonly Pick<ScenarioRun, 'set'>[]): readonly string[] => [
  ...new Set(runs.flatMap(({ set }) => Object.keys(set))),
];

/** The runs as CSV, a row each: file, variant, what was set, and every figure; then those that could not begin, without figures. */
export function resultsCsv(runs: readonly ScenarioRun[], impossible: readonly Impossible[] = []): string {
  const settings = settingsOf([...runs, ...impossible]);
  const head = ['file', 'variant', ...settings, ...COLUMNS.map(({ name }) => name), 'failures', 'seconds'];
  const rows = runs.map(({ outcome, set }) => [
    outcome.file,
    outcome.variant ?? '',
    ...settings.map((name) => set[name] ?? ''),
    ...COLUMNS.map(({ of }) => of(outcome) ?? ''),
    outcome.failures
      .map((failure) => `${whatFailed(failure)}: ${failure.expected}, got ${failure.actual}`)
      .join('; '),
    outcome.seconds,
  ]);
  const others = impossible.map(({ uri, variant, set, why }) => [
    nameOf(uri),
    variant ?? '',
    ...settings.map((name) => set[name] ?? ''),
    ...COLUMNS.map(() => ''),
    why,
    '',
  ]);
  return [head, ...rows, ...others].map((row) => `${row.map(csvField).join(',')}\n`).join('');
}
