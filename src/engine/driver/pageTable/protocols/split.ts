import {
  build,
  clearNoTranslate,
  compareExchange,
  exchange,
  invalidate,
  markBuilt,
  markNoTranslate,
  moveStray,
  putOldBack,
  readLeaf,
  sprinkle,
  store,
  takeForDirty,
  type ReplaceStep,
} from './steps';

/** When caches cannot be flushed: no mark may be lost by it. */
const UNFLUSHED = [takeForDirty, sprinkle];

/**
 * Ways to replace a large leaf by smaller ones, each as its steps in order. Most are known to lose something: they are here to
 * be looked at. The last one is this software's own.
 */
export const SPLITS = {
  'split.cut-2024': [readLeaf, build('clean'), compareExchange('give-up'), invalidate('leaves-only')],
  'split.snapshot-store': [readLeaf, build('as-seen'), store, invalidate('leaves-only')],
  'split.snapshot-cas': [readLeaf, build('as-seen'), compareExchange('again'), invalidate('leaves-only')],
  'split.snapshot-cas-noflush': [readLeaf, build('as-seen'), compareExchange('again')],
  'split.xchg-sprinkle': [
    readLeaf,
    build('clean'),
    exchange('words'),
    invalidate('leaves-only', UNFLUSHED),
    sprinkle,
  ],
  'split.xchg-sprinkle-slot': [
    readLeaf,
    build('clean'),
    exchange('words'),
    invalidate('leaves-only', UNFLUSHED),
    sprinkle,
    moveStray,
  ],
  'split.break-before-make': [
    readLeaf,
    build('clean'),
    exchange('nothing'),
    invalidate('leaves-only', [putOldBack]),
    markBuilt,
    store,
    invalidate('leaves-only'),
  ],
  'split.pessimistic': [readLeaf, build('dirty'), exchange('words'), invalidate('leaves-only')],
  'split.nt-2021': [
    readLeaf,
    markNoTranslate('store'),
    invalidate('leaves-only'),
    build('as-seen'),
    store,
    invalidate('leaves-only'),
  ],
  'split.nt-acquire': [
    readLeaf,
    build('clean'),
    markNoTranslate('modify'),
    invalidate('leaves-only', [clearNoTranslate]),
    exchange('words'),
    invalidate('leaves-only', UNFLUSHED),
    sprinkle,
    moveStray,
  ],
} as const satisfies Readonly<Record<string, readonly ReplaceStep[]>>;

export type SplitProtocol = keyof typeof SPLITS;

/**
 * The way that loses nothing on this hardware. Without the right to change sizes under a walk (Arm BBML 0, and with BBML 1 for
 * a run of entries, which has no nT bit) the page is away for a while; with BBML 1 the block says first that it will change;
 * everywhere else the entry is exchanged, and what it had or gets late is given to all the small pages.
 */
export function safeSplit(bbml: 0 | 1 | 2, isRun: boolean): SplitProtocol {
  if (bbml === 0 || (bbml === 1 && isRun)) return 'split.break-before-make';
  return bbml === 1 ? 'split.nt-acquire' : 'split.xchg-sprinkle-slot';
}
