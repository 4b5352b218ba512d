import { bestOf, figuresOf, runNames } from '../messages/resultsFigures';
import { type RunModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { verdictMark } from './verdict';

/** More runs than this have a row each instead of a column: a page scrolls down more easily than sideways. */
const MOST_COLUMNS = 8;

type Cell = HTMLTableCellElement;

/**
 * The runs beside each other, figure by figure, the best values marked.
 * @param pick  called with the index of a run whose details are wanted; absent: all are shown
 */
export function comparison(
  runs: readonly RunModel[],
  strings: ResultsStrings,
  picked: number,
  pick: ((index: number) => void) | undefined,
): HTMLElement {
  const names = runNames(runs);
  const figures = figuresOf(runs);
  const isTurned = runs.length > MOST_COLUMNS;
  const head = (scope: 'col' | 'row', ...children: (Node | string)[]): Cell =>
    element('th', { attributes: { scope } }, ...children);
  const [runScope, figureScope] = isTurned ? (['row', 'col'] as const) : (['col', 'row'] as const);

  const runHeads = runs.map((run, index) => {
    const name = names[index] ?? '';
    return head(runScope, verdictMark(run.verdict, strings), pick ? picker(name, index) : name);
  });
  const columns: Cell[][] = [
    [head('col', strings.figure), ...runHeads],
    ...figures.map((figure) => {
      const best = bestOf(figure, runs);
      const cells = runs.map((run, index) => {
        const value = figure.of(run);
        const text = value === undefined ? '–' : figure.text(value, strings);
        const cell = element('td', { class: best.has(index) ? 'best' : '', text });
        if (best.has(index)) cell.append(' ', element('span', { class: 'best-mark', text: strings.best }));
        return cell;
      });
      return [head(figureScope, strings.figures[figure.key]), ...cells];
    }),
  ];
  const rows = isTurned
    ? columns[0]?.map((_, row) => columns.flatMap((column) => column[row] ?? []))
    : columns;
  const [first, ...others] = rows ?? [];
  const table = element(
    'table',
    { class: 'comparison' },
    element('caption', { class: 'sr-only', text: strings.comparison }),
    element('thead', {}, element('tr', {}, ...(first ?? []))),
    element('tbody', {}, ...others.map((cells) => element('tr', {}, ...cells))),
  );

  function picker(name: string, index: number): HTMLElement {
    const button = element('button', {
      class: 'link',
      text: name,
      attributes: {
        ...{ type: 'button', 'aria-pressed': String(index === picked) },
        'aria-label': fill(strings.show, name),
      },
    });
    button.addEventListener('click', () => pick?.(index));
    return button;
  }

  return element(
    'div',
    { class: 'compared' },
    element('h2', { text: strings.comparison }),
    element(
      'div',
      {
        class: 'scroller',
        attributes: { tabindex: '0', role: 'region', 'aria-label': strings.comparison },
      },
      table,
    ),
  );
}
