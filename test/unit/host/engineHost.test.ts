import assert from 'node:assert/strict';
import { EngineHost } from '../../../src/host/engineHost';
import { type Params, type TraceSpaces, type TraceSummary } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../inspection/inProcess';

/** More than an engine reads when it opens a trace. */
const ROWS = 150_000;
const TRACE = 'file:///long.trace';
const SPACES: TraceSpaces = { by: 'rules', rules: [{ name: 'low', where: 'cpu = 0' }] };

function longTrace(rows: number): Uint8Array {
  const lines = ['# tracer: nop', '#'];
  for (let row = 0; row < rows; row++) {
    const iova = `0x${(0x1000 * (row + 1)).toString(16).padStart(16, '0')}`;
    const time = `${10 + Math.floor(row / 1e6)}.${String(row % 1e6).padStart(6, '0')}`;
    lines.push(
      `  kworker/0:1-11 [000] ..... ${time}: map: IOMMU: iova=${iova} - ${iova} paddr=${iova} size=4096`,
    );
  }
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

/** A host that knows one trace, as an editor of it does. */
class Host {
  rows = 0;
  file = longTrace(ROWS);
  readonly restored: TraceSummary[] = [];
  readonly engine: EngineHost;

  constructor() {
    const never = (): never => assert.fail('not asked for');
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    this.engine = new EngineHost(
      () => Promise.resolve(inProcessEngine().client),
      {
        openParams: never,
        watch: never,
        traceParams: (trace): Promise<Params<'traceOpen'>> =>
          Promise.resolve({ trace, file: { kind: 'bytes', name: 'long.trace', bytes: this.file } }),
        traceViews: () => new Map(),
        isTraceStopped: () => false,
        traceOpened: () => undefined,
        traceRows: () => this.rows,
        traceSpaces: () => SPACES,
        traceRestored: (_trace, summary) => {
          this.restored.push(summary);
          if (summary.rows < this.rows) throw new Error('fewer rows');
        },
      },
      log as unknown as ConstructorParameters<typeof EngineHost>[2],
    );
  }

  async exportFrom(from: number): Promise<number> {
    const params = { trace: TRACE, where: '', format: 'csv', from, limit: 10 } as const;
    return (await this.engine.askTrace('traceExport', params)).rows;
  }
}

describe('the engine of the host', function () {
  this.timeout(20_000);

  it('reads a trace that it opens again as far as it was read before it answers for all of it', async () => {
    const host = new Host();
    await host.engine.openTrace(TRACE);
    host.rows = (await host.engine.askTrace('traceIndex', { trace: TRACE })).rows;
    assert.equal(host.rows, ROWS);
    await host.engine.end();
    assert.equal(await host.exportFrom(ROWS - 10), 10);
    assert.equal(host.restored.length, 1);
    const { spaces } = await host.engine.askTrace('traceSummary', { trace: TRACE });
    assert.equal(spaces[0], 'low');
    assert.equal(await host.exportFrom(0), 10);
    assert.equal(host.restored.length, 1, 'once a life');
    await host.engine.dispose();
  });

  it('does not answer for a trace that has become shorter', async () => {
    const host = new Host();
    await host.engine.openTrace(TRACE);
    host.rows = ROWS;
    await host.engine.end();
    host.file = longTrace(ROWS / 2);
    await assert.rejects(host.exportFrom(0), /fewer rows/);
    await assert.rejects(host.exportFrom(0), /fewer rows/);
    await host.engine.dispose();
  });

  it('opens a trace that nobody has looked at without reading all of it', async () => {
    const host = new Host();
    assert.equal(await host.exportFrom(ROWS - 10), 0);
    assert.equal(host.restored.length, 0);
    await host.engine.dispose();
  });
});
