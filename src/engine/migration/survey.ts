import { type MachineHwpt } from '../machine/domains';
import { type MachineCore } from '../machine/core';
import { WRITE } from '../pageTable/entryClass';
import { listRuns } from '../pageTable/list';
import { RunColumns } from '../pageTable/runColumns';
import { failure, success, type Result } from '../result';
import { FRAME_BYTES, formatSize } from '../values';
import { BLOCK_PAGES } from './pageSet';
import { LeafMap, MOST_BLOCKS } from './leafMap';
import { type Slices } from './source';

/** Runs that are read at once. */
const RUNS = 4096;

/** The leaves of a domain as its tables have them. Fails for addresses that a map does not take: `migration/addresses`. */
export function* surveyLeaves(machine: MachineCore, hwpt: MachineHwpt): Slices<Result<LeafMap>> {
  const end = machine.areasOf(hwpt).at(-1)?.end ?? 0n;
  const endPage = Number(end / BigInt(FRAME_BYTES));
  if (endPage > MOST_BLOCKS * BLOCK_PAGES) {
    const most = formatSize(MOST_BLOCKS * BLOCK_PAGES * FRAME_BYTES);
    const message = `Domain ${hwpt.id} maps addresses up to ${formatSize(end)}; migrations are modelled below ${most}.`;
    return failure('migration/addresses', message, 'Map what devices use at lower addresses.');
  }
  const map = new LeafMap(endPage);
  const { space } = hwpt.paging.kernel.tables;
  const columns = new RunColumns(RUNS);
  for (let startPage = 0; startPage < endPage;) {
    const { runs, nextPage } = yield* giving(listRuns(space, { startPage, endPage, limit: RUNS, columns }));
    for (let row = 0; row < runs.length; row++) {
      const shift = runs.pageShiftOf(row);
      const first = runs.page[row] ?? 0;
      const pages = (runs.count[row] ?? 0) * 2 ** (shift - 12);
      const readOnly = (runs.permissionOf(row) & WRITE) === 0;
      map.add({ startPage: first, endPage: first + pages, shift, readOnly });
    }
    startPage = nextPage ?? endPage;
  }
  return success(map);
}

function* giving<T>(steps: Generator<number, T>): Slices<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield;
  }
}
