import { makeCapabilities } from '../driver/capabilities/index';
import { pageSizesOf } from '../driver/pageTable/pageSizePolicy';
import { COLLAPSES, type CollapseProtocol } from '../driver/pageTable/protocols/collapse';
import { SPLITS, type SplitProtocol } from '../driver/pageTable/protocols/split';
import { type TableChoice } from './tableChoices';

/** log2 bytes of the pages that tables of a choice can have, ascending. */
export function pageShiftsOf(choice: TableChoice): readonly number[] {
  const capabilities = makeCapabilities(choice.vendor, choice.capabilities);
  if (!capabilities.ok) return [];
  const { format, hardware, rootDepth, rootIndexBits } = choice.shape(capabilities.value);
  const most = format.nextLevel ? format.levels.length : rootDepth;
  return [
    ...new Set(pageSizesOf(format, hardware, most, rootIndexBits, undefined).map(({ shift }) => shift)),
  ].sort((one, other) => one - other);
}

/** What a protocol does, in a line: its steps are in src/engine/driver/pageTable/protocols. */
const TITLES: Readonly<Record<SplitProtocol | CollapseProtocol, string>> = {
  'split.cut-2024': 'compare-exchange of the leaf for clean small ones, gives up when it changed',
  'split.snapshot-store': 'a plain store of small leaves with the D that was read',
  'split.snapshot-cas':
    'compare-exchange for small leaves with the D that was read, starts again when it changed',
  'split.snapshot-cas-noflush': 'the same without an invalidation',
  'split.xchg-sprinkle': 'exchange for clean small leaves, invalidate, then D of the old leaf to all of them',
  'split.xchg-sprinkle-slot': 'the same, and a late D in the table pointer is taken over too',
  'split.break-before-make': 'the page is not mapped for a while: Arm BBML 0',
  'split.pessimistic': 'every small leaf starts dirty',
  'split.nt-2021': 'nT by a plain store, then the table: Arm BBML 1, as proposed in 2021',
  'split.nt-acquire': 'nT, then an exchange that keeps a late D: Arm BBML 1',
  'collapse.or-cas': 'D of all small leaves, then compare-exchange for the large one',
  'collapse.or-cas-acquire': 'the same, and what was marked late is taken over after the invalidation',
  'collapse.leaf-only-flush': 'the same with an invalidation that keeps walk caches',
  'collapse.break-before-make': 'the pages are not mapped for a while: Arm BBML 0 and 1',
};

const choicesOf = (protocols: object) =>
  Object.keys(protocols).map((id) => ({ id, title: TITLES[id as keyof typeof TITLES] }));

export const splitChoices = () => choicesOf(SPLITS);
export const collapseChoices = () => choicesOf(COLLAPSES);
