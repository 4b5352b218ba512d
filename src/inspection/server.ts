import { checkDescription } from '../image/description/index';
import { checkLimit, parseCursor } from './answers/addresses';
import { aliasPage } from './answers/aliases';
import { comparePage } from './answers/compare';
import { entryDetails } from './answers/entry';
import { checkFilter, completions } from './answers/filters';
import { findPage } from './answers/find';
import { listPage } from './answers/list';
import { findRoots } from './answers/roots';
import { statisticsOf } from './answers/statistics';
import { translateAll } from './answers/translate';
import { walk } from './answers/walk';
import { type HandlersOf } from './handlers';
import { domainRow, type Inspection } from './inspection';
import { cachePage } from './machines/caches';
import { checkMachine, machineChoices } from './machines/choices';
import { faultPage, findingPage } from './machines/logs';
import { operate, undo } from './machines/operate';
import { saveMachine } from './machines/save';
import { machineState } from './machines/state';
import { openInspection, recognise } from './open';
import {
  CANCELLED,
  type CancelSignal,
  type FromEngine,
  type Failure,
  type Method,
  type OpenReplayParams,
  type Page,
  type Params,
  type ResultOf,
  type ToEngine,
} from './protocol';
import { RequestError, refuse } from './requestError';
import {
  checkedScenario,
  scenarioCompletions,
  scenarioHover,
  scenarioSchema,
  scenarioTemplates,
} from './scenarios/language';
import { runInEngine } from './scenarios/run';
import { machineAsScenario } from './scenarios/save';
import { OpenTraces } from './traces/openTraces';
import { type TracePlatform } from './traces/readTrace';
import { openReplay } from './traces/replayTables';
import { traceHandlers } from './traces/requests';
import { ofTrace } from './traces/traceWork';
import { deviceRow } from './tree/deviceNodes';
import { childrenPage, locate, pathTo } from './tree/tree';
import { runInSlices, type CallContext, type Scheduling, type Work } from './work';

/** What the engine needs of the place it runs in. */
export interface ServerPlatform extends Scheduling, TracePlatform {
  readonly post: (message: FromEngine) => void;
}

/** The engine's side of the protocol: answers requests, several at a time, in slices. */
export class InspectionServer {
  readonly #platform: ServerPlatform;
  readonly #inspections = new Map<string, Inspection>();
  readonly #running = new Map<number, Running>();
  readonly #traces = new OpenTraces();
  readonly #handlers: HandlersOf<Method>;

  constructor(platform: ServerPlatform) {
    this.#platform = platform;
    const at = (id: string): Inspection => this.#inspection(id);
    this.#handlers = {
      open: (params, context) => this.#open(params, context),
      close: ({ inspection }) => this.#close(inspection),
      summary: ({ inspection }) => at(inspection).summary,
      children: ({ inspection, node, where, page }) => childrenPage(at(inspection), node, where, page),
      path: ({ inspection, node, where }) => pathTo(at(inspection), node, where),
      locate: ({ inspection, domain, iova, where }) => locate(at(inspection), domain, iova, where),
      devices: ({ inspection, iommu, page }) =>
        tablePage(at(inspection), iommu, page, (each, name, table) =>
          table.requesters.map((_, row) => () => deviceRow(each, name, table, row)),
        ),
      domains: ({ inspection, iommu, page }) =>
        tablePage(at(inspection), iommu, page, (each, name, table) =>
          table.spaces.map((shared) => () => domainRow(each.iommu(name), shared)),
        ),
      entry: ({ inspection, entry }) => entryDetails(at(inspection), entry),
      walk: ({ inspection, iommu, request }) => walk(at(inspection), request, iommu),
      translate: ({ inspection, iommu, requests }) => translateAll(at(inspection), requests, iommu),
      list: (params) => listPage(at(params.inspection), params),
      statistics: ({ inspection, domain }) => statisticsOf(at(inspection), domain),
      find: (params) => findPage(at(params.inspection), params),
      aliases: (params, context) => aliasPage(at(params.inspection), params, context, this.#platform),
      compare: (params) => comparePage(at(params.inspection), at(params.other), params),
      clearCaches: () => this.#platform.indexes?.clear() ?? { files: 0, bytes: 0 },
      checkFilter: ({ where }) => checkFilter(where),
      completeFilter: ({ where, offset }) => completions(where, offset),
      checkDescription: ({ text }) => checkDescription(text),
      roots: (params, context) => findRoots(params, this.#platform.images, context, this.#platform),
      recognise: (params) => recognise(params, this.#platform.images),
      checkMachine: ({ spec }) => checkMachine(spec),
      machineChoices: () => machineChoices(),
      machine: ({ inspection }) => machineState(at(inspection)),
      operate: ({ inspection, operation }) => operate(at(inspection), operation),
      undo: ({ inspection }) => undo(at(inspection)),
      caches: ({ inspection, staleOnly, page }) => cachePage(at(inspection), staleOnly === true, page),
      faults: ({ inspection, page }) => faultPage(at(inspection), page),
      findings: ({ inspection, page }) => findingPage(at(inspection), page),
      saveMachine: ({ inspection, name }) => saveMachine(at(inspection), name),
      checkScenario: checkedScenario,
      completeScenario: ({ text, offset }) => scenarioCompletions(text, offset),
      hoverScenario: ({ text, offset }) => scenarioHover(text, offset),
      scenarioSchema,
      scenarioTemplates,
      runScenario: (params, context) => this.#runScenario(params, context),
      machineAsScenario: ({ inspection, title, stem }) => machineAsScenario(at(inspection), title, stem),
      ...traceHandlers(this.#traces, this.#platform),
    };
  }

  /** Takes one message; answers come through `post`. Never throws. */
  receive(message: ToEngine): void {
    if (message.type === 'cancel') this.#running.get(message.id)?.cancellation.cancel();
    else void this.#answer(message.id, message.method, message.params);
  }

  /** Ends all running work and closes every source. */
  dispose(): void {
    for (const { cancellation } of this.#running.values()) cancellation.cancel();
    for (const inspection of this.#inspections.values()) inspection.close();
    this.#inspections.clear();
    this.#traces.closeAll();
  }

  async #answer(id: number, method: Method, params: unknown): Promise<void> {
    const { post } = this.#platform;
    const cancellation = new Cancellation();
    this.#running.set(id, { cancellation, inspections: inspectionsOf(method, params) });
    try {
      const context: CallContext = {
        signal: cancellation,
        onProgress: (progress) => post({ type: 'progress', id, progress }),
      };
      const result = await this.#run(method, params, context);
      post({ type: 'result', id, result });
    } catch (error) {
      post({ type: 'failure', id, failure: this.#failureOf(error, method) });
    } finally {
      this.#running.delete(id);
    }
  }

  #run(method: Method, params: unknown, context: CallContext): unknown {
    const handler = this.#handlers[method] as
      ((params: unknown, context: CallContext) => unknown) | undefined;
    if (!handler) refuse('request/method', `The engine has no request "${method}".`);
    const answer = handler(params, context);
    return isWork(answer) ? runInSlices(answer, context, this.#platform) : answer;
  }

  #failureOf(error: unknown, method: Method): Failure {
    if (error instanceof RequestError) return error.failure;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#platform.post({ type: 'log', message: `${method}: ${text}` });
    return {
      code: 'internal',
      message: `The engine failed at "${method}": ${error instanceof Error ? error.message : String(error)}`,
      hint: 'This is a bug. Please report it with the log and, if you can, the image.',
    };
  }

  #inspection(id: string): Inspection {
    const found = this.#inspections.get(id);
    return found ?? refuse('inspection/closed', `The source "${id}" is not open.`, 'Open it again.');
  }

  async #open(params: Params<'open'>, context: CallContext): Promise<ResultOf<'open'>> {
    const { images } = this.#platform;
    const opened =
      'replay' in params
        ? await runInSlices(this.#replay(params), context, this.#platform)
        : await openInspection(params, images, context, this.#platform);
    if (context.signal.aborted) {
      opened.close();
      return refuse(CANCELLED, 'Cancelled.');
    }
    this.#end(params.inspection, context.signal);
    this.#inspections.set(params.inspection, opened);
    return opened.summary;
  }

  #replay(params: OpenReplayParams): Work<Inspection> {
    const trace = this.#traces.get(params.replay.trace);
    return ofTrace(trace, openReplay(params, trace));
  }

  async #runScenario(params: Params<'runScenario'>, context: CallContext): Promise<ResultOf<'runScenario'>> {
    const { result, opened } = await runInEngine(params, this.#platform.images, context, this.#platform);
    if (opened && params.inspection !== undefined) {
      this.#end(params.inspection, context.signal);
      this.#inspections.set(params.inspection, opened);
    }
    return result;
  }

  #close(id: string): null {
    this.#end(id);
    return null;
  }

  /** Closes a source, and first cancels what is still being read from it: half an answer must not pass for a whole one. */
  #end(id: string, except?: CancelSignal): void {
    for (const { cancellation, inspections } of this.#running.values()) {
      if (inspections.includes(id) && cancellation !== except) cancellation.cancel();
    }
    this.#inspections.get(id)?.close();
    this.#inspections.delete(id);
  }
}

/** A request that is being answered, and the sources it is about. */
interface Running {
  readonly cancellation: Cancellation;
  readonly inspections: readonly string[];
}

function inspectionsOf(method: Method, params: unknown): readonly string[] {
  if (method === 'close' || typeof params !== 'object' || params === null) return [];
  const ids = [
    'inspection' in params ? params.inspection : undefined,
    'other' in params ? params.other : undefined,
  ];
  return ids.filter((id) => typeof id === 'string');
}

type DeviceTable = Parameters<typeof deviceRow>[2];

/** A page of rows made from the device tables of one IOMMU or of all; only the rows of the page are made. */
function* tablePage<Row>(
  inspection: Inspection,
  iommu: string | undefined,
  page: { readonly cursor?: string; readonly limit: number },
  rowsOf: (inspection: Inspection, iommu: string, table: DeviceTable) => (() => Row)[],
): Work<Page<Row>> {
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  const names = iommu === undefined ? inspection.iommus.map(({ summary }) => summary.name) : [iommu];
  const rows: (() => Row)[] = [];
  for (const name of names) rows.push(...rowsOf(inspection, name, yield* inspection.devices(name)));
  const end = first + limit;
  return {
    rows: rows.slice(first, end).map((make) => make()),
    total: rows.length,
    ...(end < rows.length ? { next: String(end) } : {}),
  };
}

function isWork(answer: unknown): answer is Work<unknown> {
  return typeof answer === 'object' && answer !== null && Symbol.iterator in answer && 'next' in answer;
}

/** A cancel signal that the client's cancel message raises. */
class Cancellation {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  cancel(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of [...this.#listeners]) listener();
  }
}
