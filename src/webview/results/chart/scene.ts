/** What a mark is drawn in: a colour of the theme, and for some a pattern, so that no two differ by colour alone. */
export type Paint =
  | 'text'
  | 'quiet'
  | 'grid'
  | 'sent'
  | 'reported'
  | 'written'
  | 'pending'
  | 'limit'
  | 'blackout'
  | 'estimate'
  | 'focus'
  | 'background';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Mark =
  | ({
      readonly kind: 'box';
      readonly paint: Paint;
      /** solid: a tint with a line around it; tint: no line; hatched: lines at 45 degrees; open: the line alone. */
      readonly fill: 'solid' | 'tint' | 'hatched' | 'open';
    } & Box)
  | {
      readonly kind: 'line';
      readonly paint: Paint;
      readonly points: readonly Point[];
      readonly width: number;
      readonly dash?: readonly number[];
    }
  | ({ readonly kind: 'dot'; readonly paint: Paint; readonly shape: 'circle' | 'diamond' } & Point)
  | ({
      readonly kind: 'text';
      readonly paint: Paint;
      readonly text: string;
      readonly align: 'left' | 'center' | 'right';
      readonly bold?: true;
      /** On what is behind it. */
      readonly boxed?: true;
    } & Point);

/** Where a round stands: from left to right, half-open. */
export interface Slot {
  readonly from: number;
  readonly to: number;
}

/** A drawing in pixels, to be painted in order. */
export interface Scene {
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
  /** By index of the round. */
  readonly slots: readonly Slot[];
}

/** Of every text in a chart. */
export const FONT_PIXELS = 11;

/** Wide enough for most fonts; only used to see whether texts have room. */
export const textWidth = (text: string): number => text.length * FONT_PIXELS * 0.58;

/** The round at this place, or the nearest one. */
export function slotAt(slots: readonly Slot[], x: number): number {
  let nearest = 0;
  let least = Infinity;
  slots.forEach(({ from, to }, index) => {
    const distance = x < from ? from - x : Math.max(0, x - to);
    if (distance < least) [nearest, least] = [index, distance];
  });
  return nearest;
}
