import { type HandlersOf } from '../handlers';
import { type TraceRequests } from '../protocol';
import { refuse } from '../requestError';
import { type OpenTraces } from './openTraces';

type TraceHandlers = HandlersOf<keyof TraceRequests>;

/** Answers the requests about traces. */
export function traceHandlers(traces: OpenTraces): TraceHandlers {
  const later = ({ trace }: { readonly trace: string }): never =>
    refuse('trace/not-known', `The trace "${traces.get(trace).name}" cannot be asked this.`);
  return {
    traceOpen: ({ trace }) =>
      refuse('trace/format', `"${trace}" is of no format that is known.`, 'Open a trace of another format.'),
    traceClose: ({ trace }) => {
      traces.close(trace);
      return null;
    },
    traceIndex: later,
    traceSummary: later,
    traceRows: later,
    traceFilter: later,
    traceDropView: later,
    traceFind: later,
    traceSeek: later,
    traceGroups: later,
    traceDensity: later,
    checkTraceFilter: later,
    completeTraceFilter: later,
    traceExport: later,
    traceSpaces: later,
    traceLive: later,
    traceHistory: later,
    traceLifetimes: later,
    traceFindings: later,
  };
}
