import { type TraceTable } from '../../trace/model/table';
import { type Inspection } from '../inspection';
import { type OpenReplayParams } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';

/** What tables are built from. */
export interface ReplaySource {
  /** The trace's file name. */
  readonly name: string;
  readonly table: TraceTable;
}

/** Builds the tables that a trace leaves after one of its rows, as a machine that an inspection shows. */
export function openReplay(params: OpenReplayParams, source: ReplaySource): Work<Inspection> {
  return refuse(
    'trace/replay',
    `Tables at row ${params.replay.row + 1} of ${source.name} cannot be built by this version.`,
    'Look at the rows instead.',
  );
}
