import { bits } from '../../bits/bitFields';
import { hex } from '../../values';
import { LEVELS_OF_WIDTH } from './legacyEntries';
import { directoryEntries, PGTT } from './scalableEntries';

// One sentence for each structure entry of scalable mode, from its words.

const pointer = (word: bigint): string => hex(bits(word, 51, 12) << 12n);

export function sayRoot([low = 0n, high = 0n]: readonly bigint[]): string {
  const half = (name: string, word: bigint): string =>
    bits(word, 0) === 0n ? `${name} half not present` : `${name} context table at ${pointer(word)}`;
  return `${half('lower', low)}, ${half('upper', high)}`;
}

export function sayContext([control = 0n, rid = 0n]: readonly bigint[]): string {
  if (bits(control, 0) === 0n) return 'not present';
  const size = `${directoryEntries(bits(control, 11, 9))} entries`;
  const pasids = bits(control, 3) === 1n ? 'PASIDs allowed' : 'no PASIDs';
  return `PASID directory of ${size} at ${pointer(control)}, RID_PASID ${bits(rid, 19, 0)}, ${pasids}`;
}

export function sayDirectory([word = 0n]: readonly bigint[]): string {
  return bits(word, 0) === 0n ? 'not present' : `PASID table at ${pointer(word)}`;
}

export function sayProcess([control = 0n, tags = 0n, first = 0n]: readonly bigint[]): string {
  if (bits(control, 0) === 0n) return 'not present';
  const domain = `domain ${bits(tags, 15, 0)}`;
  const own = `first stage of ${bits(first, 3, 2) === 1n ? 5 : 4} levels at ${pointer(first)}`;
  const levels = LEVELS_OF_WIDTH[Number(bits(control, 4, 2))];
  const below = `second stage of ${levels ?? 'reserved'} levels at ${pointer(control)}`;
  switch (bits(control, 8, 6)) {
    case PGTT.first:
      return `${domain}, ${own}`;
    case PGTT.second:
      return `${domain}, ${below}`;
    case PGTT.nested:
      return `${domain}, ${own} (guest physical), nested in ${below}`;
    case PGTT.passThrough:
      return `${domain}, pass-through`;
    default:
      return `${domain}, reserved PGTT ${bits(control, 8, 6)}`;
  }
}
