import { type Axis, type MigrationModel, type RunModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { ChartView } from './chart/chartView';
import { type Domain } from './chart/domain';
import { type Palette } from './chart/palette';
import { dirtyBars, figureList, leavesTable, timeBars } from './figureList';
import { roundInWords, roundTable } from './roundTable';
import { convergedMark, verdictMark } from './verdict';

export interface CardOptions {
  readonly name: string;
  /** Empty where it is said elsewhere. */
  readonly title: string;
  readonly isCompared: boolean;
  readonly strings: ResultsStrings;
  readonly domain: Domain;
  readonly axis: Axis;
  readonly palette: Palette;
  readonly cursor: number | undefined;
  readonly reveal: (failure: number) => void;
  readonly moved: (cursor: number) => void;
}

/** One run in two parts: what it came to, with its chart; and the figures behind that. */
export interface Card {
  readonly summary: readonly HTMLElement[];
  readonly details: readonly HTMLElement[];
  readonly chart: ChartView | undefined;
}

/** All that there is to know of one run; its figures stand in it unless a comparison has them. */
export function runCard(run: RunModel, options: CardOptions): Card {
  const { strings, name, isCompared } = options;
  const { migration } = run;
  const made = chartOf(run, options);
  const summary = [
    element('header', {}, element('h2', { text: name }), verdictMark(run.verdict, strings)),
    options.title === '' ? undefined : element('p', { class: 'about', text: options.title }),
    failureList(run, strings, options.reveal),
    migration && ending(migration, strings),
    ...(made ? [made.frame, made.said] : []),
    isCompared ? undefined : figureList(run, strings),
  ];
  const details = migration
    ? [made?.table, timeBars(migration, strings), leavesTable(migration, strings)]
    : [dirtyBars(run, strings)];
  return { summary: present(summary), details: present(details), chart: made?.view };
}

const present = (elements: readonly (HTMLElement | null | undefined)[]): readonly HTMLElement[] =>
  elements.flatMap((each) => each ?? []);

/** How a migration ended, and why. */
const ending = ({ converged, why, by, byWhy }: MigrationModel, strings: ResultsStrings): HTMLElement =>
  element(
    'p',
    { class: 'why' },
    convergedMark(converged, strings),
    ' ',
    element('span', { text: why }),
    ' ',
    element('span', {
      class: 'quiet',
      text: `${by === 'machine' ? strings.byMachine : strings.byModel} ${byWhy}`,
    }),
  );

function failureList(
  { failures }: RunModel,
  strings: ResultsStrings,
  reveal: (failure: number) => void,
): HTMLElement | undefined {
  if (failures.length === 0) return undefined;
  const items = failures.map(({ line, what, expected, actual }, index) => {
    const button = element('button', {
      class: 'link',
      text: fill(strings.line, line),
      attributes: { type: 'button' },
    });
    button.addEventListener('click', () => reveal(index));
    const text = fill(strings.expected, what.replace(/^expect\./, ''), expected, actual);
    return element('li', {}, button, ` ${text}`);
  });
  return element('ul', { class: 'failures', attributes: { 'aria-label': strings.failures } }, ...items);
}

/** The chart, the line that says the round under its cursor, and the table of rounds. */
function chartOf(run: RunModel, options: CardOptions) {
  const { strings, name, domain, axis, palette } = options;
  const { migration } = run;
  if (!migration || migration.rounds.length === 0) return undefined;
  const said = element('p', { class: 'said', attributes: { role: 'status', 'aria-live': 'polite' } });
  const label = `${fill(strings.chart, name)}. ${migration.why} ${strings.keys}`;
  const say = (cursor: number | undefined): void => {
    const round = cursor === undefined ? undefined : migration.rounds[cursor];
    said.classList.toggle('quiet', !round);
    said.textContent = round ? roundInWords(round, strings) : strings.keys;
  };
  const moved = (cursor: number): void => {
    say(cursor);
    table.setCursor(cursor);
    options.moved(cursor);
  };
  const view = new ChartView({ migration, domain, axis, strings, label }, palette, moved);
  const table = roundTable(migration, strings, name, (index) => {
    view.setCursor(index);
    moved(index);
  });
  view.setCursor(options.cursor);
  say(options.cursor);
  table.setCursor(options.cursor);
  const frame = element('div', { class: 'chart-frame' }, view.element);
  const details = element('details', {}, element('summary', { text: strings.table }), table.element);
  details.open = true;
  return { view, frame, said, table: details };
}
