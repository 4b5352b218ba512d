import * as vscode from 'vscode';
import type { ScenarioOutcome } from '../../inspection/protocol';
import { failureText, whatFailed } from './failures';
import { stemOf } from './files';
import type { ScenarioRun } from './results';
import { verdict } from './runner';

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

/** Settings of a sweep, each once, in their order. */
const settingsOf = (runs: readonly ScenarioRun[]): readonly string[] => [
  ...new Set(runs.flatMap(({ set }) => Object.keys(set))),
];

/** The runs as CSV, a row each: file, variant, what was set, and every figure. */
export function resultsCsv(runs: readonly ScenarioRun[]): string {
  const settings = settingsOf(runs);
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
  return [head, ...rows].map((row) => `${row.map((field) => csvField(String(field))).join(',')}\n`).join('');
}

/**
 * RFC 4180, section 2: fields with commas, quotes or line breaks stand in quotes, quotes doubled. A field that a spreadsheet would
 * take for a formula is none.
 */
export function csvField(text: string): string {
  const plain = /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** The runs side by side: a column each, a row for each figure. */
export function resultsMarkdown(runs: readonly ScenarioRun[]): string {
  const settings = settingsOf(runs);
  const names = runs.map(({ uri, outcome: { variant } }) =>
    variant === null ? stemOf(uri) : `${stemOf(uri)}: ${variant}`,
  );
  const figures = COLUMNS.filter(({ of }) => runs.some(({ outcome }) => (of(outcome) ?? null) !== null));
  const rows = [
    ['', ...names],
    ['', ...names].map(() => '---'),
    ...settings.map((name) => [name, ...runs.map(({ set }) => set[name] ?? '')]),
    ['', ...runs.map(({ outcome }) => verdict(outcome))],
    ...figures.slice(1).map(({ name, of }) => [name, ...runs.map(({ outcome }) => figure(of(outcome)))]),
  ];
  const failures = runs.flatMap(({ outcome }, index) =>
    outcome.failures.map(
      (failure) =>
        `- ${names[index] ?? ''}, ${vscode.l10n.t('line {0}', failure.line)}: ${failureText(failure)}`,
    ),
  );
  return [
    `# ${vscode.l10n.t('Scenario Results')}`,
    '',
    ...aligned(rows),
    ...(failures.length > 0 ? ['', ...failures] : []),
    '',
  ].join('\n');
}

/** Columns as wide as what is in them: the table is read as it stands, too. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => row.map(cell));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const rule = (text: string): string => (text === '---' ? '-' : ' ');
  return cells.map(
    (row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0, rule(text))).join(' | ')} |`,
  );
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const figure = (value: Figure): string =>
  typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value ?? '');
