import {
  compareExchange,
  exchange,
  freeChildren,
  invalidate,
  markLarge,
  putOldBack,
  readChildren,
  readChildrenAgain,
  remakeLarge,
  store,
  takeForDirty,
  type ReplaceStep,
} from './steps';

/** When caches cannot be flushed: small pages may still be written, and their tables stay allocated. */
const UNFLUSHED = [takeForDirty, markLarge];

/** Ways to replace tables of small leaves by one large leaf. The last one is this software's own. */
export const COLLAPSES = {
  'collapse.or-cas': [readChildren, compareExchange('again'), invalidate('whole'), freeChildren],
  'collapse.or-cas-acquire': [
    readChildren,
    compareExchange('again'),
    invalidate('whole', UNFLUSHED),
    readChildrenAgain,
    markLarge,
    freeChildren,
  ],
  'collapse.leaf-only-flush': [
    readChildren,
    compareExchange('again'),
    invalidate('leaves-only', UNFLUSHED),
    readChildrenAgain,
    markLarge,
    freeChildren,
  ],
  'collapse.break-before-make': [
    readChildren,
    exchange('nothing'),
    invalidate('whole', [putOldBack]),
    readChildrenAgain,
    remakeLarge,
    store,
    invalidate('leaves-only'),
    freeChildren,
  ],
} as const satisfies Readonly<Record<string, readonly ReplaceStep[]>>;

export type CollapseProtocol = keyof typeof COLLAPSES;

/** The way that loses nothing on this hardware: nT is of no help here, as small pages have none (Arm DDI 0487 D8.16.1). */
export function safeCollapse(bbml: 0 | 1 | 2): CollapseProtocol {
  return bbml < 2 ? 'collapse.break-before-make' : 'collapse.or-cas-acquire';
}
