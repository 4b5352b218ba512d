/** The host's side of a trace's talk, in the page itself: a trace of any length whose rows follow from their numbers. */
import { type ToTraceView } from '../../../src/webview/messages/traceMessages';
import { type openBrowser } from '../harness';
import { openViewPage, type PageOptions, type ViewPage } from '../viewPage';
import { strings } from './strings';

type Summary = Extract<ToTraceView, { type: 'opened' }>['summary'];

export interface TracePage extends ViewPage {
  /** Messages of a type that the page sent, oldest first. */
  sentOf(type: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Waits until the page shows no row that is still to come. */
  settled(): Promise<void>;
  /** What it was told of the trace at first. */
  readonly summary: Summary;
}

export interface TraceOptions extends PageOptions {
  readonly rows?: number;
  readonly summary?: Partial<Summary>;
  readonly bookmarks?: readonly number[];
  /** Milliseconds that an answer takes. */
  readonly delay?: number;
}

/** As many as the trace has unless a test wants fewer. */
export const ROWS = 100_000_000;
/** The row that a text is searched for, and the one that the address `0xdead000` is in. */
export const NEEDLE = 77_777_776;

const summaryOf = (rows: number): Summary => ({
  ...{ name: 'ftrace.txt', format: 'ftrace', title: 'ftrace text' },
  ...{ bytes: rows * 100, read: rows * 100, rows, unknown: 3, lost: 250, problemCount: 1 },
  ...{ complete: true, reading: false, operations: { map: rows / 2, unmap: rows / 2 } },
  ...{ origin: '81492000000000', timeDigits: 6, firstTime: 0, lastTime: rows * 1500 },
  ...{ header: '# tracer: nop', namesDevices: true, cached: false },
  problems: [
    {
      severity: 'warning',
      message: 'Time runs backwards.',
      hint: 'Clocks of CPUs differ.',
      row: 41,
      offset: 4100,
    },
  ],
});

/** What runs in the page: `talk.sent` is where the page's messages go. */
function answerInPage({ rows: total, needle, delay }: { rows: number; needle: number; delay: number }): void {
  interface Talk {
    sent: Record<string, unknown>[] & { push: (message: Record<string, unknown>) => number };
  }
  const talk = (0, eval)('talk') as Talk;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const operationOf = (row: number): string => {
    if (row % 1000 === 999) return 'fault';
    if (row % 1000 === 500) return 'unknown';
    if (row % 1000 === 750) return 'lost';
    return row % 2 === 0 ? 'map' : 'unmap';
  };
  const rowOf = (row: number): object => {
    const operation = operationOf(row);
    const isPlain = operation === 'map' || operation === 'unmap';
    const iova = 0xffff_e000 - (row % 4096) * 0x2000;
    const size = row % 16 === 0 ? 2 ** 21 : 4096;
    return {
      ...{ row, operation, event: isPlain ? operation : 'other', time: row * 1500 + (row % 7) * 10 },
      ...{
        cpu: row % 8,
        task: ['kworker/u8:2', 'nvme-reset', 'qemu-system-x86'][row % 3],
        pid: 1000 + (row % 3),
      },
      ...{ device: row % 2 === 0 ? '0000:00:1f.2' : '0000:3b:00.0', space: null },
      ...{ iova: isPlain ? hex(iova) : null, size: isPlain ? size : null },
      paddr: operation === 'map' ? hex(0x1_2000_0000 + (row % 100_000) * 4096) : null,
      ...{ domain: null, pasid: null, done: null, count: operation === 'lost' ? 250 : null },
      flags: operation === 'fault' ? ['write', 'failed'] : operation === 'map' ? ['read', 'write'] : [],
      line:
        operation === 'unknown'
          ? '<img src=x onerror="document.title=1"> <b>not a line</b>'
          : `${row} ${operation}: IOMMU: iova=${hex(iova)} size=${size}${row === needle ? ' needle' : ''}`,
      cut: false,
    };
  };
  /** By the filter: how many rows it leaves of each thousand, and which one of them is the k-th. */
  let step = 1;
  let offset = 0;
  let matched = total;
  const seek = (row: number): object | null => {
    const index = Math.max(0, Math.ceil((row - offset) / step));
    return index < matched ? { index, row: index * step + offset } : null;
  };
  const answers: Record<string, (ask: Record<string, never>) => object | undefined> = {
    rows: ({ first, count }: Record<string, number>) => ({
      // As the engine: a page has at least a row.
      ...{ type: count === 0 ? 'failed' : 'rows', failure: { code: 'request/limit', message: 'No rows.' } },
      ...{ first, total: matched, complete: true },
      rows: Array.from({ length: Math.max(0, Math.min(count ?? 0, matched - (first ?? 0))) }, (_, index) =>
        rowOf(((first ?? 0) + index) * step + offset),
      ),
    }),
    filter: ({ text }: Record<string, string>) => {
      if (text === 'cpu = 99')
        return { type: 'failed', failure: { code: 'x', message: 'The engine is busy.' } };
      [step, offset] = text === 'op = fault' ? [1000, 999] : text === 'op = unknown' ? [1000, 500] : [1, 0];
      matched = text === 'row < 0' ? 0 : Math.ceil((total - offset) / step);
      return { type: 'filtered', matched, scanned: total, done: true };
    },
    complete: ({ text }: Record<string, string>) => ({
      type: 'completions',
      items: ['operation', 'op', 'device', 'iova']
        .filter((name) => name.startsWith(text ?? ''))
        .map((name) => ({ text: name, detail: `the ${name} of a row`, start: 0, end: (text ?? '').length })),
    }),
    check: ({ text }: Record<string, string>) => {
      const at = (text ?? '').indexOf('bogus');
      const problem = { severity: 'error', message: 'There is no field "bogus".', start: at, end: at + 5 };
      return { type: 'checked', problems: at < 0 ? [] : [problem] };
    },
    find: (ask) => {
      const { from, backwards, query } = ask as unknown as {
        from: number;
        backwards: boolean;
        query: object;
      };
      const wanted = 'text' in query && query.text === 'needle';
      const isThere = backwards ? from >= needle : from <= needle;
      return { type: 'found', at: wanted && isThere ? { index: needle, row: needle } : null };
    },
    seek: (ask) => {
      const { place } = ask as unknown as { place: { row?: number; time?: number; iova?: string } };
      const { row, time, iova } = place;
      if (row !== undefined) return { type: 'sought', at: seek(row) };
      if (time !== undefined) return { type: 'sought', at: seek(Math.ceil(time / 1500)) };
      return { type: 'sought', at: iova === '0xdead000' ? seek(needle) : null };
    },
    groups: ({ by }: Record<string, string>) => ({
      ...{ type: 'groups', by, next: null, total: 2 },
      rows: ['0000:00:1f.2', '0000:3b:00.0'].map((value, index) => ({
        ...{ value, where: `device = "${value}"`, rows: 30_000 * (2 - index), maps: 20_000, unmaps: 10_000 },
        ...{ mappedBytes: 81_920_000, firstRow: index, lastRow: 99_998 + index },
      })),
    }),
    density: ({ buckets: count }: Record<string, number>) => {
      const buckets = count ?? 1;
      const make = (of: (share: number) => number): number[] =>
        Array.from({ length: buckets }, (_, index) => Math.round((of(index / buckets) * matched) / buckets));
      const isDense = (share: number): boolean => share >= 0.4 && share < 0.5;
      return {
        ...{ type: 'density', total: matched },
        maps: make((share) => (isDense(share) ? 1 : 0.4)),
        unmaps: make((share) => (isDense(share) ? 0 : 0.4)),
        faults: make((share) => (share >= 0.7 && share < 0.8 ? 0.2 : 0)),
        others: make((share) => (isDense(share) || (share >= 0.7 && share < 0.8) ? 0 : 0.2)),
      };
    },
    copy: ({ count }: Record<string, number>) => ({ type: 'copied', rows: count }),
  };
  const answer = (message: Record<string, unknown>): void => {
    const made = answers[String(message['type'])]?.(message as Record<string, never>);
    const { id, gen } = message;
    if (made) setTimeout(() => postMessage({ v: 1, id, gen, ...made }, '*'), delay);
  };
  talk.sent.push = (message) => {
    answer(message);
    return Array.prototype.push.call(talk.sent, message);
  };
}

/** The trace page with a trace of 10^8 rows open. */
export async function openTracePage(
  browser: Awaited<ReturnType<typeof openBrowser>>,
  options: TraceOptions = {},
): Promise<TracePage> {
  const { rows = ROWS, summary, bookmarks = [], delay = 0, ...pageOptions } = options;
  const view = await openViewPage(browser, 'trace', { width: 1300, ...pageOptions });
  const { page } = view;
  // The compiler of these tests names functions by it.
  await page.evaluate('globalThis.__name = (named) => named');
  await page.evaluate(answerInPage, { rows, needle: NEEDLE, delay });
  const told = { ...summaryOf(rows), ...summary };
  const made: TracePage = {
    ...view,
    summary: told,
    sentOf: async (type) =>
      ((await view.sent()) as Readonly<Record<string, unknown>>[]).filter(
        (message) => message['type'] === type,
      ),
    settled: async () => {
      const busy = (): Promise<number> => page.locator('.op-loading:visible').count();
      do await page.waitForTimeout(40);
      while ((await busy()) > 0);
    },
  };
  await view.post({
    ...{ v: 1, type: 'opened', strings, bookmarks, row: null },
    summary: told,
  });
  await made.settled();
  return made;
}
