import { type ResultsStrings } from '../../messages/resultsStrings';
import { textWidth, type Mark } from './scene';

export const LEGEND_LINE = 18;
const SWATCH = 22;
const APART = 14;

/** What is drawn how, in as many lines as it takes. */
export function legend(
  { series, limit, blackout }: ResultsStrings,
  width: number,
): { readonly marks: readonly Mark[]; readonly lines: number } {
  const marks: Mark[] = [];
  let [x, line] = [2, 0];
  const entries: readonly (readonly [string, (x: number, y: number) => Mark[]])[] = [
    [series.sent, (at, y) => [swatch('sent', 'solid', at, y)]],
    [series.reported, (at, y) => [swatch('reported', 'open', at, y)]],
    [series.written, (at, y) => [swatch('written', 'hatched', at, y)]],
    [series.pending, (at, y) => [...stroke('pending', at, y), dot('pending', 'circle', at, y)]],
    [limit.replace(/\s*\{0\}/, ''), (at, y) => stroke('limit', at, y, [5, 3])],
    [
      blackout.replace(/\s*\{0\}/, ''),
      (at, y) => [swatch('blackout', 'hatched', at, y), dot('blackout', 'diamond', at, y)],
    ],
  ];
  for (const [text, draw] of entries) {
    const wanted = SWATCH + textWidth(text);
    if (x > 2 && x + wanted > width) [x, line] = [2, line + 1];
    const y = line * LEGEND_LINE + LEGEND_LINE / 2;
    marks.push(...draw(x, y), { kind: 'text', paint: 'text', text, align: 'left', x: x + SWATCH, y });
    x += wanted + APART;
  }
  return { marks, lines: line + 1 };
}

type Boxed = Extract<Mark, { kind: 'box' }>;

const swatch = (paint: Boxed['paint'], how: Boxed['fill'], x: number, y: number): Mark => ({
  ...{ kind: 'box', paint, fill: how, x, y: y - 5, width: 16, height: 10 },
});

const stroke = (paint: Mark['paint'], x: number, y: number, dash?: readonly number[]): Mark[] => [
  {
    ...{
      kind: 'line',
      paint,
      width: 2,
      points: [
        { x, y },
        { x: x + 16, y },
      ],
    },
    ...(dash && { dash }),
  },
];

const dot = (paint: Mark['paint'], shape: 'circle' | 'diamond', x: number, y: number): Mark => ({
  ...{ kind: 'dot', paint, shape, x: x + 8, y },
});
