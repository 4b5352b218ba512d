/** Replays of traces that a test wrote down. */
import { type RowFacts, TestTrace, type TestTraceOptions } from '../../../builders/trace';
import { Replay, type ReplayOptions } from '../../../../src/trace/replay/replay';
import { type SpaceIndex } from '../../../../src/trace/replay/spaceIndex';
import { type SpaceRules, tellSpaces } from '../../../../src/trace/replay/spaces';

/** What a generator returns in the end. */
export function finish<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

export interface Replayed {
  readonly table: TestTrace;
  readonly index: SpaceIndex;
  readonly replay: Replay;
}

export function replayed(
  rows: readonly RowFacts[],
  options: TestTraceOptions & ReplayOptions & { readonly spaces?: SpaceRules } = {},
): Replayed {
  const table = new TestTrace(rows, options);
  const index = finish(tellSpaces(table, options.spaces ?? { by: 'auto' }));
  return { table, index, replay: finish(Replay.of(table, index, options)) };
}

/** The name of each row's space; empty: none. */
export const spaceNames = ({ table, index }: Pick<Replayed, 'table' | 'index'>): readonly string[] =>
  Array.from({ length: table.rows }, (_, row) => {
    const space = index.spaceOf(row);
    return space < 0 ? '' : index.name(space);
  });

/** What is mapped after a row: `space page-page->frame`. */
export function liveAfter(replay: Replay, row: number): readonly string[] {
  return finish(replay.at(row)).flatMap(({ name, live }) =>
    [...live.within()].map(
      ({ start, end, frame }) => `${name} ${start}-${end}->${Number.isNaN(frame) ? '?' : frame}`,
    ),
  );
}

/** Rows of a kernel trace, in pages of 4 KiB. */
export const map = (page: number, pages: number, frame: number, more: RowFacts = {}): RowFacts => ({
  ...{ operation: 'map', iova: page * 4096, size: pages * 4096, paddr: frame * 4096, task: 'dd', cpu: 0 },
  ...more,
});

export const unmap = (page: number, pages: number, more: RowFacts = {}): RowFacts => ({
  ...{ operation: 'unmap', iova: page * 4096, size: pages * 4096, task: 'dd', cpu: 0 },
  ...more,
});
