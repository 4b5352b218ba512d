import { bytesText, secondsText } from '../../messages/resultsFormat';
import { type Axis, type MigrationModel } from '../../messages/resultsMessages';
import { type ResultsStrings } from '../../messages/resultsStrings';
import { type Domain } from './domain';
import { legend, LEGEND_LINE } from './legend';
import { bytesPanel, downtimePanel, type Panel } from './panels';
import { type Box, type Mark, type Scene, type Slot } from './scene';
import { linearScale, logScale, type Scale } from './scales';
import { roundAxis, timeAxis } from './xAxes';

export interface Chart {
  readonly migration: MigrationModel;
  readonly domain: Domain;
  readonly axis: Axis;
  /** Pixels. */
  readonly width: number;
  readonly strings: ResultsStrings;
  /** Index of the round that the cursor is on. */
  readonly cursor: number | undefined;
}

const LEFT = 62;
const RIGHT = 12;
const TITLE = 20;
const BYTES_HEIGHT = 190;
const DOWNTIME_HEIGHT = 104;
const GAP = 14;
const AXIS_HEIGHT = 34;
/** Every second power of two, ..., every 2^20. */
const BYTE_STRIDES = [1, 2, 5, 10, 20];
const DECADES = [1, 2, 3, 6];

/**
 * A migration's rounds over time. Above: the bytes that each sent, and those that were reported and written meanwhile, as boxes, and
 * what was pending as a line, by powers of two. Below: how long a stop at its end would have taken, by powers of ten, with the limit.
 */
export function layout(chart: Chart): Scene {
  const { migration, domain, axis, width, strings } = chart;
  const { rounds } = migration;
  const inner = { x: LEFT, width: Math.max(40, width - LEFT - RIGHT) };
  const head = legend(strings, width);
  const above: Box = { ...inner, y: head.lines * LEGEND_LINE + TITLE + 4, height: BYTES_HEIGHT };
  const below: Box = { ...inner, y: above.y + above.height + GAP + TITLE, height: DOWNTIME_HEIGHT };
  const height = below.y + below.height + AXIS_HEIGHT;

  const start = axis === 'time' ? -domain.preparation : 0;
  const time = linearScale(start, domain.total, { from: LEFT, to: LEFT + inner.width }, 70);
  const slots: readonly Slot[] = rounds.map((round, index) =>
    axis === 'time'
      ? wide(time.at(round.start), time.at(round.start + round.seconds))
      : {
          from: LEFT + (inner.width * index) / rounds.length,
          to: LEFT + (inner.width * (index + 1)) / rounds.length,
        },
  );
  const bytes = logScale(domain.bytes, 2, BYTE_STRIDES, { from: above.y + above.height, to: above.y }, 34);
  const seconds = logScale(domain.downtime, 10, DECADES, { from: below.y + below.height, to: below.y }, 24);
  const end = (slot: Slot): number => (axis === 'time' ? slot.to : (slot.from + slot.to) / 2);
  const shared = { slots, migration, strings, end };
  const bytesPart: Panel = { ...shared, box: above, scale: bytes };
  const downtimePart: Panel = { ...shared, box: below, scale: seconds };

  const marks: Mark[] = [
    ...head.marks,
    ...frame(bytesPart, strings.bytesOfRound, bytesText),
    ...frame(downtimePart, strings.downtimeIfStopped, decadeText),
    ...(axis === 'time'
      ? timeAxis(time, [above, below], migration, strings, height)
      : roundAxis(slots, rounds, [above, below], strings, height)),
    ...(axis === 'time' ? preparation(time, domain, [above, below], migration) : []),
    ...cursorBand(slots[chart.cursor ?? -1], [above, below]),
    ...bytesPanel(bytesPart),
    ...downtimePanel(downtimePart),
    ...cursorLine(slots[chart.cursor ?? -1], [above, below]),
  ];
  return { width, height, marks, slots };
}

/** A round that lasted no time is seen nevertheless. */
const wide = (from: number, to: number): Slot => ({ from: to - from < 2 ? to - 2 : from, to });

/** A power of ten is not told in minutes. */
const decadeText = (seconds: number): string => (seconds > 100 ? `${seconds} s` : secondsText(seconds));

/** Title, grid and what its lines mean. */
function frame({ box, scale }: Panel, title: string, text: (value: number) => string): Mark[] {
  const lines = scale.ticks.flatMap((tick): Mark[] => {
    const y = scale.at(tick);
    return [
      {
        kind: 'line',
        paint: 'grid',
        width: 1,
        points: [
          { x: box.x, y },
          { x: box.x + box.width, y },
        ],
      },
      { kind: 'text', paint: 'quiet', text: text(tick), align: 'right', x: box.x - 6, y },
    ];
  });
  return [
    { kind: 'text', paint: 'text', bold: true, text: title, align: 'left', x: 2, y: box.y - 11 },
    ...lines,
  ];
}

/** What came before the first round, as far as there is room for it. */
function preparation(
  time: Scale,
  domain: Domain,
  boxes: readonly Box[],
  { preparation: seconds }: MigrationModel,
): Mark[] {
  const from = time.at(-Math.min(domain.preparation, seconds));
  const width = time.at(0) - from;
  return width < 2
    ? []
    : boxes.map(({ y, height }) => ({
        ...{ kind: 'box', paint: 'quiet', fill: 'hatched' },
        ...{ x: from, y, width, height },
      }));
}

function cursorBand(slot: Slot | undefined, boxes: readonly Box[]): Mark[] {
  if (!slot) return [];
  return boxes.map(({ y, height }) => ({
    ...{ kind: 'box', paint: 'focus', fill: 'tint' },
    ...{ x: slot.from, y, width: Math.max(2, slot.to - slot.from), height },
  }));
}

/** A frame around the round, in both panels. */
function cursorLine(slot: Slot | undefined, boxes: readonly Box[]): Mark[] {
  if (!slot) return [];
  return boxes.map(({ y, height }) => ({
    ...{ kind: 'box', paint: 'focus', fill: 'open' },
    ...{ x: slot.from - 1, y: y - 1, width: Math.max(3, slot.to - slot.from + 2), height: height + 2 },
  }));
}
