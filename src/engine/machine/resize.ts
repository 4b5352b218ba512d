import { done, refused, type Outcome } from '../driver/errno';
import { COLLAPSES, safeCollapse, type CollapseProtocol } from '../driver/pageTable/protocols/collapse';
import { safeSplit, SPLITS, type SplitProtocol } from '../driver/pageTable/protocols/split';
import { type SoftwareStep } from '../driver/softwareStep';
import { type Ledger } from '../ledger/ledger';
import { walkTables } from '../pageTable/walk';
import { type Steps } from '../steps';
import { formatSize, frameHalves } from '../values';
import { type MachineHwpt } from './domains';

/** Half-open pages of 4 KiB. */
interface Stretch {
  readonly startPage: number;
  readonly endPage: number;
}

/** What is to be resized: pages, as far as they are in areas. */
interface Resize {
  readonly how: 'split' | 'collapse';
  readonly wanted: Stretch;
  readonly areas: readonly Stretch[];
  /** log2 bytes of the leaves that are wanted. */
  readonly shift: number;
  readonly protocol: string | undefined;
}

/** Changes the size of what maps pages; the ledger hears what may fault meanwhile. How many leaves or tables were replaced. */
export function* resizeRange(
  ledger: Ledger,
  hwpt: MachineHwpt,
  { how, wanted, areas, shift, protocol }: Resize,
): Steps<SoftwareStep, Outcome<number>> {
  const stretches = areas
    .map(({ startPage, endPage }) => ({
      startPage: Math.max(startPage, wanted.startPage),
      endPage: Math.min(endPage, wanted.endPage),
    }))
    .filter(({ startPage, endPage }) => startPage < endPage);
  if (stretches.length === 0) return refused('ENOENT', 'nothing is mapped there');
  const windows: WindowListener = {
    opens: (range) => {
      ledger.faultWindow(hwpt.id, range);
    },
    closes: () => {
      ledger.faultWindowEnds(hwpt.id);
    },
  };
  const run = how === 'split' ? splitRange : collapseRange;
  return yield* run(hwpt, stretches, shift, protocol, windows);
}

/** A protocol that makes a page fault for a while says so: what faults then is no finding. */
interface WindowListener {
  opens(range: Stretch): void;
  closes(): void;
}

const isSplit = (id: string): id is SplitProtocol => Object.hasOwn(SPLITS, id);
const isCollapse = (id: string): id is CollapseProtocol => Object.hasOwn(COLLAPSES, id);
const hasWindow = (id: string): boolean => id.endsWith('break-before-make');

/** Splits every leaf of these pages that is larger; how many there were. */
function* splitRange(
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
function* collapseRange(
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
