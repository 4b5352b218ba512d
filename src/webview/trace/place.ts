import { type TraceState } from '../messages/traceState';

/** Where the page was, in indexes of its view. */
export type SavedPlace = Pick<TraceState, 'top' | 'anchor' | 'cursor' | 'column'>;

/** Where the page is to go once the rows are there: as it was, or to a row of the trace. */
export type PendingPlace = SavedPlace | { readonly row: number };
