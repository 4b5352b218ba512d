import { secondsText } from '../../messages/resultsFormat';
import { type MigrationModel, type RoundModel } from '../../messages/resultsMessages';
import { type ResultsStrings } from '../../messages/resultsStrings';
import { fill } from '../../shared/fill';
import { textWidth, type Box, type Mark, type Slot } from './scene';
import { type Scale } from './scales';

const upright = (x: number, boxes: readonly Box[]): Mark[] =>
  boxes.map(({ y, height }) => ({
    ...{ kind: 'line', paint: 'grid', width: 1 },
    points: [
      { x, y },
      { x, y: y + height },
    ],
  }));

const endOf = (boxes: readonly Box[]): number =>
  boxes.reduce((end, { y, height }) => Math.max(end, y + height), 0);

/** Seconds since the first round. */
export function timeAxis(
  scale: Scale,
  boxes: readonly Box[],
  { preparation }: MigrationModel,
  strings: ResultsStrings,
  height: number,
): Mark[] {
  const [box] = boxes;
  const below = endOf(boxes) + 10;
  const before = preparation > 0 ? fill(strings.preparation, secondsText(preparation)) : '';
  const width = box?.width ?? 0;
  const hasRoom = textWidth(before) + textWidth(strings.timeSince) + 12 < width;
  const ticks = scale.ticks.filter((tick) => tick >= 0);
  return [
    ...ticks.flatMap((tick): Mark[] => [
      ...upright(scale.at(tick), boxes),
      { kind: 'text', paint: 'quiet', text: secondsText(tick), align: 'center', x: scale.at(tick), y: below },
    ]),
    { kind: 'text', paint: 'quiet', text: before, align: 'left', x: box?.x ?? 0, y: height - 8 },
    ...(before === '' || hasRoom
      ? [
          {
            ...({ kind: 'text', paint: 'quiet', text: strings.timeSince, align: 'right' } as const),
            ...{ x: (box?.x ?? 0) + width, y: height - 8 },
          },
        ]
      : []),
  ];
}

/** The number of each round and when it began, as far as there is room. */
export function roundAxis(
  slots: readonly Slot[],
  rounds: readonly RoundModel[],
  boxes: readonly Box[],
  strings: ResultsStrings,
  height: number,
): Mark[] {
  const [box] = boxes;
  const below = endOf(boxes) + 10;
  const names = rounds.map(({ round, start }) => [String(round), secondsText(start)] as const);
  const widest = names.reduce((most, [, start]) => Math.max(most, textWidth(start)), 0) + 8;
  const slot = slots[0] ? slots[0].to - slots[0].from : widest;
  const every = Math.max(1, Math.ceil(widest / slot));
  const texts = slots.flatMap(({ from, to }, index): Mark[] => {
    const [number, start] = names[index] ?? ['', ''];
    if (index % every !== 0) return [];
    const x = (from + to) / 2;
    return [
      { kind: 'text', paint: 'text', text: number, align: 'center', x, y: below },
      { kind: 'text', paint: 'quiet', text: start, align: 'center', x, y: height - 8 },
    ];
  });
  const left = (box?.x ?? 0) - 6;
  return [
    ...slots.filter((_, index) => index % every === 0).flatMap(({ from }) => upright(from, boxes)),
    ...texts,
    { kind: 'text', paint: 'quiet', text: strings.round, align: 'right', x: left, y: below },
    { kind: 'text', paint: 'quiet', text: strings.roundStart, align: 'right', x: left, y: height - 8 },
  ];
}
