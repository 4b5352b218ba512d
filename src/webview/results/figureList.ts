import { FIGURES, type FigureKey } from '../messages/resultsFigures';
import { bytesText, countText, percentText, secondsText } from '../messages/resultsFormat';
import { type MigrationModel, type RunModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element } from '../shared/dom';

/** Shown of a migration in large, in this order; the rest is in the tables. */
const OF_MIGRATION: readonly FigureKey[] = [
  ...(['blackout', 'downtimeLimit', 'total', 'preparation', 'rounds', 'sent'] as const),
  ...(['amplification', 'over', 'lost', 'missesBefore', 'missesDuring', 'missesAdded'] as const),
];
const OF_STEPS: readonly FigureKey[] = ['written', 'reported', 'over', 'lost', 'requests', 'faults'];

/** The figures of a run, each with its unit. */
export function figureList(run: RunModel, strings: ResultsStrings): HTMLElement {
  const keys = run.migration ? OF_MIGRATION : OF_STEPS;
  const tiles = keys.flatMap((key) => {
    const figure = FIGURES.find((each) => each.key === key);
    const value = figure?.of(run);
    if (!figure || value === undefined) return [];
    const isBad =
      (key === 'lost' && value > 0) ||
      (key === 'blackout' && value > (run.migration?.downtimeLimit ?? Infinity));
    return [
      element(
        'div',
        { class: isBad ? 'tile bad' : 'tile' },
        element('dt', { text: strings.figures[key] }),
        element('dd', { text: figure.text(value, strings) }),
      ),
    ];
  });
  return element('dl', { class: 'tiles' }, ...tiles);
}

interface Bar {
  readonly name: string;
  readonly text: string;
  /** 0 to 1. */
  readonly part: number;
}

/** Amounts as bars of one scale, longest at most as wide as there is room. */
function bars(title: string, rows: readonly Bar[]): HTMLElement {
  const list = rows.map(({ name, text, part }) => {
    const bar = element('span', { class: 'bar', attributes: { 'aria-hidden': 'true' } });
    bar.style.width = `${part * 100}%`;
    return element(
      'div',
      {},
      element('dt', { text: name }),
      element('dd', {}, element('span', { class: 'track' }, bar), element('span', { class: 'amount', text })),
    );
  });
  return element('section', { class: 'bars' }, element('h3', { text: title }), element('dl', {}, ...list));
}

/** Seconds by what took them, longest first. */
export function timeBars({ time }: MigrationModel, strings: ResultsStrings): HTMLElement | undefined {
  const spent = Object.entries(time).filter(([, seconds]) => seconds > 0);
  const all = spent.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (all === 0) return undefined;
  const names: Readonly<Record<string, string>> = strings.spent;
  const rows = spent
    .sort(([, one], [, other]) => other - one)
    .map(([what, seconds]) => ({
      name: names[what] ?? what,
      text: `${secondsText(seconds)} · ${percentText(seconds / all)}`,
      part: seconds / all,
    }));
  return bars(strings.timeBy, rows);
}

/** What was written, reported, lost and reported in vain in a scenario that moves nothing. */
export function dirtyBars({ dirty }: RunModel, strings: ResultsStrings): HTMLElement | undefined {
  const keys = ['written', 'reported', 'over', 'lost'] as const;
  const most = Math.max(...keys.map((key) => dirty[key]));
  if (most === 0) return undefined;
  const rows = keys.map((key) => ({
    name: strings.figures[key],
    text: bytesText(dirty[key]),
    part: dirty[key] / most,
  }));
  return bars(strings.dirty, rows);
}

/** Leaf entries by page size, before and at the end. */
export function leavesTable({ leaves }: MigrationModel, strings: ResultsStrings): HTMLElement | undefined {
  const sizes = [...new Set([...Object.keys(leaves.before), ...Object.keys(leaves.after)])].sort(
    (one, other) => Number(other) - Number(one),
  );
  if (sizes.length === 0) return undefined;
  const heads = [strings.pageSize, strings.before, strings.after];
  return element(
    'section',
    { class: 'leaves' },
    element('h3', { text: strings.leaves }),
    element(
      'table',
      {},
      element('caption', { class: 'sr-only', text: strings.leaves }),
      element(
        'thead',
        {},
        element('tr', {}, ...heads.map((text) => element('th', { text, attributes: { scope: 'col' } }))),
      ),
      element(
        'tbody',
        {},
        ...sizes.map((size) =>
          element(
            'tr',
            {},
            element('th', { text: bytesText(Number(size)), attributes: { scope: 'row' } }),
            element('td', { text: countText(leaves.before[size] ?? 0) }),
            element('td', { text: countText(leaves.after[size] ?? 0) }),
          ),
        ),
      ),
    ),
  );
}
