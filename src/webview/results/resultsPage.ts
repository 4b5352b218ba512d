import { runNames } from '../messages/resultsFigures';
import { type Axis, type ExportFormat, type ResultsModel, type RunModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { type ChartView } from './chart/chartView';
import { domainOf } from './chart/domain';
import { type Palette } from './chart/palette';
import { comparison } from './comparison';
import { runCard, type Card } from './runCard';

/** The details of more runs than this would be a page that nobody reads: one of them is picked. */
export const MOST_CARDS = 12;

export interface PageChoices {
  readonly picked: number;
  readonly axis: Axis;
  /** By index of the run: that of the round under its cursor. */
  readonly cursors: Readonly<Record<string, number>>;
}

export interface PageActions {
  readonly pick: (run: number) => void;
  useAxis(axis: Axis): void;
  moved(run: number, cursor: number): void;
  reveal(run: number, failure: number): void;
  export(format: ExportFormat): void;
}

export interface Page {
  readonly elements: readonly HTMLElement[];
  readonly charts: readonly ChartView[];
}

/** The indexes of the runs whose details are shown. */
export const shownOf = ({ runs }: ResultsModel, picked: number): readonly number[] =>
  runs.length > MOST_CARDS ? [Math.min(picked, runs.length - 1)] : runs.map((_, index) => index);

/** Everything that the panel shows of runs; charts are painted once they stand in the document. */
export function resultsPage(
  results: ResultsModel,
  strings: ResultsStrings,
  choices: PageChoices,
  palette: Palette,
  actions: PageActions,
): Page {
  const { runs } = results;
  const names = runNames(runs);
  const shown = shownOf(results, choices.picked);
  /** A comparison has the figures of all of them. */
  const isEachShown = runs.length > 1 && shown.length === runs.length;
  const domain = domainOf(shown.flatMap((index) => runs[index]?.migration ?? []));
  const cards = shown.flatMap((index) => {
    const run = runs[index];
    if (!run) return [];
    const card = runCard(run, {
      ...{ strings, domain, palette, axis: choices.axis, name: names[index] ?? '' },
      title: isOneTitle(runs) ? '' : run.title,
      isCompared: isEachShown,
      cursor: choices.cursors[String(index)],
      reveal: (failure) => actions.reveal(index, failure),
      moved: (cursor) => actions.moved(index, cursor),
    });
    return [{ ...card, name: names[index] ?? '' }];
  });
  const charts = cards.flatMap(({ chart }) => chart ?? []);
  const pick = runs.length > MOST_CARDS ? actions.pick : undefined;
  const compared = comparison(runs, strings, choices.picked, pick);
  return {
    charts,
    elements: [
      heading(results, strings),
      toolbar(charts.length > 0, strings, choices.axis, actions),
      ...(isEachShown
        ? [row(cards.map(summaryOf)), compared, row(cards.map(detailsOf(strings)))]
        : [...(runs.length > 1 ? [compared] : []), row(cards.map(wholeOf))]),
    ],
  };
}

type NamedCard = Card & { readonly name: string };

const section = (name: string, children: readonly HTMLElement[]): HTMLElement =>
  element('section', { class: 'card', attributes: { 'aria-label': name } }, ...children);

const wholeOf = ({ name, summary, details }: NamedCard): HTMLElement =>
  section(name, [...summary, ...details]);

const summaryOf = ({ name, summary }: NamedCard): HTMLElement => section(name, summary);

const detailsOf =
  (strings: ResultsStrings) =>
  ({ name, details }: NamedCard): HTMLElement =>
    section(fill(strings.details, name), [element('h2', { text: name }), ...details]);

const row = (cards: readonly HTMLElement[]): HTMLElement =>
  element('div', { class: cards.length > 1 ? 'cards several' : 'cards' }, ...cards);

const isOneTitle = (runs: readonly RunModel[]): boolean => new Set(runs.map(({ title }) => title)).size === 1;

function heading({ runs }: ResultsModel, strings: ResultsStrings): HTMLElement {
  const files = [...new Set(runs.map(({ file }) => file))];
  const failed = runs.filter(({ verdict }) => verdict !== 'passed').length;
  const said = failed === 0 ? strings.allPassed : fill(strings.someFailed, failed, runs.length);
  const count = runs.length > 1 ? fill(strings.runs, runs.length) : '';
  return element(
    'header',
    { class: 'page' },
    element('h1', { text: isOneTitle(runs) ? (runs[0]?.title ?? '') : strings.heading }),
    element('p', { text: [files.join(', '), count, said].filter((part) => part !== '').join(' · ') }),
  );
}

function toolbar(hasCharts: boolean, strings: ResultsStrings, axis: Axis, actions: PageActions): HTMLElement {
  const button = (text: string, pressed: boolean | undefined, act: () => void): HTMLElement => {
    const made = element('button', {
      class: pressed === undefined ? 'button' : 'button toggle',
      text,
      attributes: { type: 'button', ...(pressed !== undefined && { 'aria-pressed': String(pressed) }) },
    });
    made.addEventListener('click', act);
    return made;
  };
  const axisButtons = element(
    'span',
    { class: 'group', attributes: { role: 'group', 'aria-label': strings.axis } },
    button(strings.byTime, axis === 'time', () => actions.useAxis('time')),
    button(strings.byRounds, axis === 'rounds', () => actions.useAxis('rounds')),
  );
  return element(
    'div',
    { class: 'toolbar' },
    hasCharts && axisButtons,
    hasCharts && button(strings.exportCsv, undefined, () => actions.export('csv')),
    hasCharts && button(strings.exportPng, undefined, () => actions.export('png')),
    button(strings.copyMarkdown, undefined, () => actions.export('markdown')),
  );
}
