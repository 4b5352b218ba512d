import { readColors, type Painted } from '../../shared/theme';
import { type Paint } from './scene';

export type Palette = Painted<Paint>;

const PAINTS: readonly Paint[] = [
  ...(['text', 'quiet', 'grid', 'sent', 'reported', 'written'] as const),
  ...(['pending', 'limit', 'blackout', 'estimate', 'focus', 'background'] as const),
];

/** The colours of the charts now. */
export const readPalette = (): Palette => readColors(PAINTS);
