import { type HandlersOf } from '../handlers';
import { CANCELLED, type Params, type ResultOf, type TraceRequests, type TraceSummary } from '../protocol';
import { refuse } from '../requestError';
import { type CallContext, type Work } from '../work';
import { type OpenedTrace, type OpenTraces } from './openTraces';
import { openTraceFile, readOn, type TracePlatform } from './readTrace';
import { findingPage, historyPage, lifetimePage, liveAt, spacesOf } from './replays';
import { filterRows, findRow, replaced, rowPage, seekPlace } from './rows';
import { density, exportPiece, filterCompletions, filterProblems, groupPage } from './sums';
import { summaryOf } from './summary';
import { ofTrace } from './traceWork';
import { type TraceView } from '../../trace/query/traceView';

type TraceHandlers = HandlersOf<keyof TraceRequests>;
interface AboutTrace {
  readonly trace: string;
}
interface AboutView extends AboutTrace {
  readonly view: string;
}

/** Answers the requests about traces. */
export function traceHandlers(traces: OpenTraces, platform: TracePlatform): TraceHandlers {
  /** Work on a trace, which ends when the trace is closed. */
  const on =
    <P extends AboutTrace, T>(work: (trace: OpenedTrace, params: P) => Work<T>) =>
    (params: P): Work<T> => {
      const trace = traces.get(params.trace);
      return ofTrace(trace, work(trace, params));
    };
  /** Work on a view, which ends also when the view is dropped or replaced. */
  const onView =
    <P extends AboutView, T>(work: (trace: OpenedTrace, view: TraceView, params: P) => Work<T>) =>
    (params: P): Work<T> => {
      const trace = traces.get(params.trace);
      const view = trace.views.get(params.view);
      return ofTrace(trace, work(trace, view, params), replaced(trace, params.view, view));
    };
  return {
    traceOpen: (params, context) => open(traces, platform, params, context),
    traceIndex: on(indexed),
    traceSummary: ({ trace }) => summaryOf(traces.get(trace)),
    traceClose: ({ trace }) => {
      traces.close(trace);
      return null;
    },
    traceRows: onView(rowPage),
    traceFilter: ({ trace: id, view, where }) => {
      const trace = traces.get(id);
      trace.views.make(view, where, trace.analysis.told);
      return onView(filterRows)({ trace: id, view });
    },
    traceDropView: ({ trace, view }) => {
      traces.get(trace).views.drop(view);
      return null;
    },
    traceFind: onView(findRow),
    traceSeek: onView(seekPlace),
    traceGroups: on(groupPage),
    traceDensity: onView(density),
    checkTraceFilter: ({ trace, where }) => filterProblems(traces.get(trace), where),
    completeTraceFilter: (params) => filterCompletions(traces.get(params.trace), params),
    traceExport: on(exportPiece),
    traceSpaces: on(spacesOf),
    traceLive: on(liveAt),
    traceHistory: on(historyPage),
    traceLifetimes: on(lifetimePage),
    traceFindings: on(findingPage),
  };
}

async function open(
  traces: OpenTraces,
  platform: TracePlatform,
  { trace, file }: Params<'traceOpen'>,
  context: CallContext,
): Promise<ResultOf<'traceOpen'>> {
  const opening = traces.begin(trace);
  const opened = await openTraceFile(trace, file, platform, context);
  if (context.signal.aborted) {
    opened.close();
    return refuse(CANCELLED, 'Cancelled.');
  }
  traces.add(opening, opened);
  return summaryOf(opened);
}

function* indexed(trace: OpenedTrace): Work<TraceSummary> {
  yield* readOn(trace);
  return summaryOf(trace);
}
