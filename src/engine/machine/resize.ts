import { done, refused, type Outcome } from '../driver/errno';
import { COLLAPSES, safeCollapse, type CollapseProtocol } from '../driver/pageTable/protocols/collapse';
import { safeSplit, SPLITS, type SplitProtocol } from '../driver/pageTable/protocols/split';
import { type SoftwareStep } from '../driver/softwareStep';
import { walkTables } from '../pageTable/walk';
import { type Steps } from '../steps';
import { formatSize, frameHalves } from '../values';
import { type MachineHwpt } from './domains';

/** Half-open pages of 4 KiB. */
interface Stretch {
  readonly startPage: number;
  readonly endPage: number;
}

/** A protocol that makes a page fault for a while says so: what faults then is no finding. */
export interface WindowListener {
  opens(range: Stretch): void;
  closes(): void;
}

const isSplit = (id: string): id is SplitProtocol => Object.hasOwn(SPLITS, id);
const isCollapse = (id: string): id is CollapseProtocol => Object.hasOwn(COLLAPSES, id);
const hasWindow = (id: string): boolean => id.endsWith('break-before-make');

/** Splits every leaf of these pages that is larger; how many there were. */
export function* splitRange(
  { paging }: MachineHwpt,
  stretches: readonly Stretch[],
  shift: number,
  protocol: string | undefined,
  windows: WindowListener,
): Steps<SoftwareStep, Outcome<number>> {
  const { tables } = paging.kernel;
  if (protocol !== undefined && !isSplit(protocol)) return unknown(protocol, Object.keys(SPLITS));
  let changed = 0;
  for (const { startPage, endPage } of stretches) {
    for (let page = startPage; page < endPage;) {
      const large = leafShift(tables.space, page);
      const length = 2 ** ((large ?? 12) - 12);
      const next = page - (page % length) + length;
      if (large !== undefined && large > shift) {
        const window = hasWindow(protocol ?? safeSplit(tables.bbml, false));
        if (window) windows.opens({ startPage: next - length, endPage: next });
        const split = yield* tables.split(page, shift, protocol);
        if (window) windows.closes();
        if (!split.ok) return split;
        changed++;
      }
      page = next;
    }
  }
  return done(changed);
}

/** Collapses what maps each aligned part of these pages into one leaf; how many there were. */
export function* collapseRange(
  { paging }: MachineHwpt,
  stretches: readonly Stretch[],
  shift: number,
  protocol: string | undefined,
  windows: WindowListener,
): Steps<SoftwareStep, Outcome<number>> {
  const { tables } = paging.kernel;
  if (protocol !== undefined && !isCollapse(protocol)) return unknown(protocol, Object.keys(COLLAPSES));
  const length = 2 ** (shift - 12);
  let changed = 0;
  for (const { startPage, endPage } of stretches) {
    const first = Math.ceil(startPage / length) * length;
    for (let page = first; page + length <= endPage; page += length) {
      const window = hasWindow(protocol ?? safeCollapse(tables.bbml));
      if (window) windows.opens({ startPage: page, endPage: page + length });
      const collapsed = yield* tables.collapse(page, shift, protocol);
      if (window) windows.closes();
      if (collapsed.ok) changed++;
      else if (collapsed.errno !== 'EEXIST') return collapsed;
    }
  }
  if (changed > 0 || stretches.some(({ startPage, endPage }) => endPage - startPage >= length))
    return done(changed);
  return refused('EINVAL', `the range holds no aligned ${formatSize(2 ** shift)}`);
}

/** log2 bytes of the leaf that maps a page; undefined: none does. */
function leafShift(space: Parameters<typeof walkTables>[0], page: number): number | undefined {
  const { lo, hi } = frameHalves(page);
  const { outcome } = walkTables(space, lo, hi, false);
  if (outcome.ok) return outcome.pageShift;
  const write = walkTables(space, lo, hi, true).outcome;
  return write.ok ? write.pageShift : undefined;
}

const unknown = (protocol: string, ids: readonly string[]): Outcome<never> =>
  refused('EINVAL', `"${protocol}" is no protocol; there are ${ids.join(', ')}`);
