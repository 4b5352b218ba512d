import { type HandlersOf } from '../handlers';
import { CANCELLED, type Params, type ResultOf, type TraceRequests, type TraceSummary } from '../protocol';
import { refuse } from '../requestError';
import { type CallContext, type Work } from '../work';
import { ofTrace, type OpenedTrace, type OpenTraces } from './openTraces';
import { openTraceFile, readOn, type TracePlatform } from './readTrace';
import { summaryOf } from './summary';

type TraceHandlers = HandlersOf<keyof TraceRequests>;

/** Answers the requests about traces. */
export function traceHandlers(traces: OpenTraces, platform: TracePlatform): TraceHandlers {
  const later = ({ trace }: { readonly trace: string }): never =>
    refuse('trace/not-known', `The trace "${traces.get(trace).name}" cannot be asked this.`);
  return {
    traceOpen: (params, context) => open(traces, platform, params, context),
    traceIndex: ({ trace }) => {
      const opened = traces.get(trace);
      return ofTrace(opened, indexed(opened));
    },
    traceSummary: ({ trace }) => summaryOf(traces.get(trace)),
    traceClose: ({ trace }) => {
      traces.close(trace);
      return null;
    },
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

async function open(
  traces: OpenTraces,
  platform: TracePlatform,
  { trace, file }: Params<'traceOpen'>,
  context: CallContext,
): Promise<ResultOf<'traceOpen'>> {
  const opened = await openTraceFile(trace, file, platform, context);
  if (context.signal.aborted) {
    opened.close();
    return refuse(CANCELLED, 'Cancelled.');
  }
  traces.add(opened);
  return summaryOf(opened);
}

function* indexed(trace: OpenedTrace): Work<TraceSummary> {
  yield* readOn(trace);
  return summaryOf(trace);
}
