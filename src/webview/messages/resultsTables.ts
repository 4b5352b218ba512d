import { bestOf, figuresOf, runNames } from './resultsFigures';
import { type ResultsModel, type RoundModel } from './resultsMessages';
import { type ResultsStrings } from './resultsStrings';

type Field = string | number | boolean;

const ROUND_COLUMNS: readonly (readonly [string, (round: RoundModel) => Field])[] = [
  ['round', ({ round }) => round],
  ['blackout', ({ blackout }) => blackout],
  ['start (s)', ({ start }) => start],
  ['duration (s)', ({ seconds }) => seconds],
  ['pending (bytes)', ({ pending }) => pending],
  ['sent (bytes)', ({ sent }) => sent],
  ['written (bytes)', ({ written }) => written],
  ['reported (bytes)', ({ reported }) => reported],
  ['splits', ({ splits }) => splits],
  ['estimated downtime (s)', ({ estimatedDowntime }) => estimatedDowntime],
];

/** The rounds of all migrations as CSV (RFC 4180), units in the heading: file, variant, what a sweep set, and every figure. */
export function roundsCsv({ runs }: ResultsModel): string {
  const settings = [...new Set(runs.flatMap(({ set }) => Object.keys(set)))];
  const head = ['file', 'variant', ...settings, ...ROUND_COLUMNS.map(([name]) => name), 'downtime limit (s)'];
  const rows = runs.flatMap(({ file, variant, set, migration }) =>
    (migration?.rounds ?? []).map((round): readonly Field[] => [
      file,
      variant ?? '',
      ...settings.map((name) => set[name] ?? ''),
      ...ROUND_COLUMNS.map(([, of]) => of(round)),
      migration?.downtimeLimit ?? '',
    ]),
  );
  return [head, ...rows].map((row) => `${row.map(csvField).join(',')}\n`).join('');
}

/** Quoted where it must be (RFC 4180, section 2). A text that a spreadsheet would take for a formula is none. */
export function csvField(field: Field): string {
  const text = String(field);
  const isFormula = typeof field === 'string' && /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text));
  const plain = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** The runs side by side as a table in Markdown, a row for each figure with its unit, best values in bold. */
export function comparisonMarkdown({ runs }: ResultsModel, strings: ResultsStrings): string {
  const rows = [
    [strings.figure, ...runNames(runs)],
    ['---', ...runs.map(() => '---:')],
    ['', ...runs.map(({ verdict }) => strings.verdicts[verdict])],
    ...figuresOf(runs).map((figure) => {
      const best = bestOf(figure, runs);
      const values = runs.map((run, index) => {
        const value = figure.of(run);
        const text = value === undefined ? '' : figure.text(value, strings);
        return best.has(index) ? `**${text}**` : text;
      });
      return [strings.figures[figure.key], ...values];
    }),
  ];
  return rows.map((row) => `| ${row.map(markdownCell).join(' | ')} |\n`).join('');
}

const markdownCell = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replace(/\s+/g, ' ');
