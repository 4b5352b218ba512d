import { type Failure } from '../../engine/result';
import { type LiveMappings } from './liveMappings';

/** Mappings that are live at the same time in all spaces: about 32 bytes each, twice that while spaces are told apart. */
export const MOST_MAPPINGS = 10_000_000;

/** Ends telling spaces apart, or a replay: memory would not do. */
export class TooManyMappings extends Error {
  readonly failure: Failure;

  constructor(row: number, most: number) {
    const many = most.toLocaleString('en');
    const failure = {
      code: 'trace/many-mappings',
      message: `Before row ${row + 1} more than ${many} mappings are live: more are not followed, so there are no address spaces, findings or tables of this trace.`,
      hint: 'Filter the trace to one device, task or range of IOVAs, export these rows and open the export. If unmaps are missing, record iommu:unmap too.',
    };
    super(failure.message);
    this.failure = failure;
  }
}

/** Throws when more mappings are live before a row than are followed. `waiting`: those that wait for a flush. */
export function checkMappings(
  live: readonly LiveMappings[],
  row: number,
  most = MOST_MAPPINGS,
  waiting = 0,
): void {
  let count = waiting;
  for (const each of live) count += each.count;
  if (count > most) throw new TooManyMappings(row, most);
}
