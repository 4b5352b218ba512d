import { bytesText, countText, secondsText } from '../messages/resultsFormat';
import { type MigrationModel, type RoundModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';

type Column = keyof ResultsStrings['columns'];

const COLUMNS: readonly (readonly [Column, (round: RoundModel) => string])[] = [
  ['start', ({ start }) => secondsText(start)],
  ['seconds', ({ seconds }) => secondsText(seconds)],
  ['pending', ({ pending }) => bytesText(pending)],
  ['sent', ({ sent }) => bytesText(sent)],
  ['written', ({ written }) => bytesText(written)],
  ['reported', ({ reported }) => bytesText(reported)],
  ['splits', ({ splits }) => countText(splits)],
  ['estimatedDowntime', ({ estimatedDowntime }) => secondsText(estimatedDowntime)],
];

/** `Round 3, blackout`: what a round is called in words. */
const roundName = ({ round, blackout }: RoundModel, strings: ResultsStrings): string =>
  `${strings.round} ${round}${blackout ? `, ${fill(strings.blackout, '').trim()}` : ''}`;

/** All figures of a round in a line. */
export function roundInWords(round: RoundModel, strings: ResultsStrings): string {
  const parts = COLUMNS.filter(([column]) => column !== 'splits' || round.splits > 0).map(
    ([column, of]) => `${strings.columns[column]} ${of(round)}`,
  );
  return `${roundName(round, strings)}: ${parts.join(', ')}`;
}

export interface RoundTable {
  readonly element: HTMLElement;
  /** Marks the row of the round that the chart's cursor is on. */
  setCursor(cursor: number | undefined): void;
}

/** @param pick  called with the index of the round whose row is clicked */
export function roundTable(
  { rounds, leftOut }: MigrationModel,
  strings: ResultsStrings,
  label: string,
  pick: (index: number) => void,
): RoundTable {
  const heads = [strings.columns.round, ...COLUMNS.map(([column]) => strings.columns[column])];
  const rows = rounds.map((round, index) => {
    const row = element(
      'tr',
      { class: round.blackout ? 'blackout' : '' },
      element('th', {
        attributes: { scope: 'row' },
        text: round.blackout ? `${round.round} ${fill(strings.blackout, '').trim()}` : String(round.round),
      }),
      ...COLUMNS.map(([, of]) => element('td', { text: of(round) })),
    );
    row.addEventListener('click', () => pick(index));
    return row;
  });
  const gap = rounds.findIndex(({ round }, index) => round !== (rounds[0]?.round ?? 1) + index);
  const body = rows.flatMap((row, index) =>
    leftOut > 0 && index === gap
      ? [
          element(
            'tr',
            {},
            element('td', {
              attributes: { colspan: String(heads.length) },
              text: fill(strings.leftOut, leftOut),
            }),
          ),
          row,
        ]
      : [row],
  );
  const table = element(
    'table',
    {},
    element('caption', { class: 'sr-only', text: `${strings.table}: ${label}` }),
    element(
      'thead',
      {},
      element('tr', {}, ...heads.map((text) => element('th', { text, attributes: { scope: 'col' } }))),
    ),
    element('tbody', {}, ...body),
  );
  return {
    // What may scroll sideways can be scrolled by keyboard.
    element: element(
      'div',
      {
        class: 'scroller rounds',
        attributes: { tabindex: '0', role: 'region', 'aria-label': `${strings.table}: ${label}` },
      },
      table,
    ),
    setCursor: (cursor) => rows.forEach((row, index) => row.classList.toggle('current', index === cursor)),
  };
}
