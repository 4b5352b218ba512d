import { type Steps } from '../../../steps';
import { done, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';
import { readDirty } from '../dirty';
import { Gather } from '../gather';
import { type TableTree } from '../tableTree';
import { resultOf, runProtocol, type ProtocolStep } from './protocol';
import { type SplitProtocol } from './split';

/** One read of dirty marks with the copy that it is for. */
export interface HarvestRequest {
  readonly startPage: number;
  readonly pages: number;
  /** Copies pages to the destination. */
  readonly copy: (startPage: number, pages: number) => void;
  readonly sink?: (startPage: number, pages: number) => void;
  /** log2 bytes to split to, by the protocols that split. */
  readonly splitShift?: number;
}

/** Splits the leaf of a page, by a protocol. */
export type Splitter = (
  page: number,
  shift: number,
  protocol: SplitProtocol,
) => Steps<SoftwareStep, Outcome<unknown>>;

interface Harvest {
  readonly tree: TableTree;
  readonly request: HarvestRequest;
  readonly split: Splitter;
  readonly dirty: { readonly startPage: number; readonly pages: number }[];
}

type HarvestStep = ProtocolStep<Harvest>;

/** Reads marks and takes them; what it finds is reported. */
function testAndClear(clearing: 'plain' | 'atomic', reporting: 'exact' | 'part' = 'exact'): HarvestStep {
  return function* ({ tree, request, dirty }) {
    const sink = (startPage: number, pages: number): void => {
      dirty.push({ startPage, pages });
      request.sink?.(startPage, pages);
    };
    const { startPage, pages } = request;
    const read = { startPage, pages, clear: true, sink, reporting, clearing };
    const outcome = yield* readDirty(tree, read, new Gather());
    return resultOf(outcome);
  };
}

const copy: HarvestStep = function* ({ request, dirty }) {
  for (const { startPage, pages } of dirty) {
    request.copy(startPage, pages);
    yield { kind: 'software', name: 'copy the pages' };
  }
  return 'next';
};

/** Flushes the range. page: with the reach of a command for a page of the smallest size. */
function invalidate(reach: 'whole' | 'page'): HarvestStep {
  return function* ({ tree, request }) {
    const smallest = tree.sizes.at(-1)?.shift ?? 12;
    const largest = Math.min(tree.sizes[0]?.shift ?? smallest, 48);
    const flushed = yield* tree.flusher.flush({
      startPage: request.startPage,
      endPage: request.startPage + request.pages,
      smallestShift: smallest,
      largestShift: reach === 'page' ? smallest : largest,
      tables: false,
    });
    return resultOf(flushed);
  };
}

function split(protocol: SplitProtocol, reach: 'whole' | 'page' = 'whole'): HarvestStep {
  return function* ({ tree, request, split: splitter }) {
    const shift = request.splitShift ?? tree.sizes.at(-1)?.shift ?? 12;
    const outcome = yield* splitter(request.startPage, shift, protocol);
    if (reach === 'page' && outcome.ok)
      return yield* invalidate('page')({ tree, request, split: splitter, dirty: [] });
    // A leaf that is as small already needs no split.
    return !outcome.ok && outcome.errno !== 'EINVAL' ? { refused: outcome } : 'next';
  };
}

/** Orders of taking marks, flushing, copying and splitting. */
export const HARVESTS = {
  'harvest.clear-flush-copy': [testAndClear('atomic'), invalidate('whole'), copy],
  'harvest.flush-clear-copy': [invalidate('whole'), testAndClear('atomic'), copy],
  'harvest.clear-copy-flush': [testAndClear('atomic'), copy, invalidate('whole')],
  'harvest.plain-clear': [testAndClear('plain'), invalidate('whole'), copy],
  'harvest.sub-range': [testAndClear('atomic', 'part'), invalidate('whole'), copy],
  'harvest.split-concurrent': [testAndClear('atomic'), split('split.snapshot-cas'), copy],
  'harvest.page-flush-after-split': [
    split('split.snapshot-cas-noflush'),
    testAndClear('atomic'),
    invalidate('page'),
    copy,
  ],
  'harvest.full-flush-split': [split('split.snapshot-cas'), testAndClear('atomic'), invalidate('page'), copy],
  'harvest.page-flush-split': [
    split('split.snapshot-cas-noflush', 'page'),
    testAndClear('atomic'),
    invalidate('page'),
    copy,
  ],
} as const satisfies Readonly<Record<string, readonly HarvestStep[]>>;

export type HarvestProtocol = keyof typeof HARVESTS;

/** Takes dirty marks and copies what they name, in the order of a protocol. Returns how many pages were copied. */
export function* harvestDirty(
  tree: TableTree,
  request: HarvestRequest,
  splitter: Splitter,
  protocol: HarvestProtocol = 'harvest.clear-flush-copy',
): Steps<SoftwareStep, Outcome<number>> {
  const context: Harvest = { tree, request, split: splitter, dirty: [] };
  const outcome = yield* runProtocol<Harvest>(HARVESTS[protocol], context);
  return outcome.ok ? done(context.dirty.reduce((all, { pages }) => all + pages, 0)) : outcome;
}
