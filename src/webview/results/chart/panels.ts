import { secondsText } from '../../messages/resultsFormat';
import { type MigrationModel, type RoundModel } from '../../messages/resultsMessages';
import { type ResultsStrings } from '../../messages/resultsStrings';
import { fill } from '../../shared/fill';
import { textWidth, type Box, type Mark, type Point, type Slot } from './scene';
import { type Scale } from './scales';

/** One of the drawings that stand above each other. */
export interface Panel {
  readonly box: Box;
  readonly scale: Scale;
  readonly slots: readonly Slot[];
  readonly migration: MigrationModel;
  readonly strings: ResultsStrings;
  /** Where in its slot a round ends. */
  readonly end: (slot: Slot) => number;
}

/** Narrower rounds have only a box for what was sent, and a stroke for what was reported. */
const TWO_BOXES = 7;
const MOST_FOUND = 40;
const MARKERS = 6;

/** On the points of those rounds that have room for one. */
const dots = (paint: Mark['paint'], points: readonly Point[], slots: readonly Slot[]): Mark[] =>
  points.flatMap((at, index): Mark[] => {
    const slot = slots[index];
    return slot && slot.to - slot.from >= MARKERS ? [{ kind: 'dot', paint, shape: 'circle', ...at }] : [];
  });

/** What each round sent, reported and found written, and the line of what was pending when it began. */
export function bytesPanel(panel: Panel): Mark[] {
  const { box, slots, migration } = panel;
  const { rounds } = migration;
  const pairs = rounds.flatMap((round, index) => {
    const slot = slots[index];
    return slot ? [{ round, slot }] : [];
  });
  const pending = pairs.map(({ round, slot }): Point => ({ x: slot.from, y: panel.scale.at(round.pending) }));
  return [
    ...pairs.filter(({ round }) => round.blackout).flatMap(({ slot }) => band(slot, box)),
    ...pairs.flatMap(({ round, slot }) => roundBoxes(round, slot, panel)),
    { kind: 'line', paint: 'pending', width: 2, points: pending },
    ...dots('pending', pending, slots),
    ...pairs
      .filter(({ round }) => round.blackout)
      .flatMap(({ round, slot }) => blackoutName(round, slot, panel)),
  ];
}

function roundBoxes(round: RoundModel, slot: Slot, { box, scale }: Panel): Mark[] {
  const bottom = box.y + box.height;
  const width = slot.to - slot.from;
  const standing = (x: number, wide: number, value: number) => ({
    ...{ x, y: scale.at(value), width: wide, height: bottom - scale.at(value) },
  });
  if (width < TWO_BOXES) {
    const y = scale.at(round.reported);
    return [
      {
        kind: 'box',
        paint: 'sent',
        fill: 'solid',
        ...standing(slot.from, Math.max(1, width - 1), round.sent),
      },
      {
        kind: 'line',
        paint: 'reported',
        width: 2,
        points: [
          { x: slot.from, y },
          { x: slot.to, y },
        ],
      },
    ];
  }
  const space = Math.min(2, width * 0.08);
  const inner = width - space * 2;
  // At the end of the round stands what its harvest found.
  const found = Math.min(MOST_FOUND, inner / 2);
  const [left, right] = [slot.from + space, slot.to - space - found];
  return [
    { kind: 'box', paint: 'sent', fill: 'solid', ...standing(left, inner - found - space, round.sent) },
    { kind: 'box', paint: 'written', fill: 'hatched', ...standing(right, found, round.written) },
    { kind: 'box', paint: 'reported', fill: 'open', ...standing(right, found, round.reported) },
  ];
}

const band = ({ from, to }: Slot, { y, height }: Box): Mark[] => [
  { kind: 'box', paint: 'blackout', fill: 'hatched', x: from, y, width: Math.max(2, to - from), height },
];

/** Its name stands on the side where there is room. */
function blackoutName({ seconds }: RoundModel, slot: Slot, { box, strings }: Panel): Mark[] {
  const text = fill(strings.blackout, secondsText(seconds));
  const isLeft = slot.to + textWidth(text) > box.x + box.width;
  const x = isLeft ? Math.min(slot.to, box.x + box.width) - 3 : slot.from + 3;
  const align = isLeft ? 'right' : 'left';
  return [{ kind: 'text', paint: 'text', bold: true, boxed: true, text, align, x, y: box.y + 9 }];
}

/** How long a stop at the end of each round would have taken, with the limit and with what it took at last. */
export function downtimePanel(panel: Panel): Mark[] {
  const { box, scale, slots, migration, strings } = panel;
  const live = migration.rounds.flatMap((round, index) => {
    const slot = slots[index];
    return slot && !round.blackout ? [{ x: panel.end(slot), y: scale.at(round.estimatedDowntime) }] : [];
  });
  const last = migration.rounds.at(-1);
  const slot = slots[migration.rounds.length - 1];
  const stop =
    last?.blackout === true && slot
      ? { x: (slot.from + slot.to) / 2, y: scale.at(migration.blackout ?? last.seconds), slot }
      : undefined;
  const y = scale.at(migration.downtimeLimit);
  const name = fill(strings.limit, secondsText(migration.downtimeLimit));
  return [
    {
      kind: 'box',
      paint: 'limit',
      fill: 'tint',
      x: box.x,
      y,
      width: box.width,
      height: box.y + box.height - y,
    },
    ...(stop ? band(stop.slot, box) : []),
    {
      kind: 'line',
      paint: 'limit',
      width: 2,
      dash: [5, 3],
      points: [
        { x: box.x, y },
        { x: box.x + box.width, y },
      ],
    },
    { kind: 'line', paint: 'estimate', width: 2, points: stop ? [...live, stop] : live },
    ...dots('estimate', live, slots),
    ...(stop ? [{ kind: 'dot', paint: 'blackout', shape: 'diamond', x: stop.x, y: stop.y } as const] : []),
    ...limitName(name, y, live, box),
  ];
}

/** Below the line, or above it where the box ends; on the side that the curve leaves free. */
function limitName(text: string, y: number, live: readonly Point[], box: Box): Mark[] {
  const isLow = y + 18 > box.y + box.height;
  const [first] = live;
  const isFirstClear = !first || (isLow ? first.y < y - 22 : first.y < y || first.y > y + 22);
  return [
    {
      ...{ kind: 'text', paint: 'text', bold: true, boxed: true, text },
      align: isFirstClear ? 'left' : 'right',
      x: isFirstClear ? box.x + 4 : box.x + box.width - 4,
      y: isLow ? y - 10 : y + 10,
    },
  ];
}
