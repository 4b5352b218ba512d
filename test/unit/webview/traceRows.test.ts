import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type EngineClient } from '../../../src/inspection/protocol';
import { MOST_TRACE_ROWS, readToTraceView, TRACE_VERSION } from '../../../src/webview/messages/traceMessages';
import { rowModels } from '../../../src/webview/messages/traceModel';
import { inProcessEngine } from '../inspection/inProcess';

const SAMPLES = path.join(__dirname, '../../../samples/traces');
const LINE_OF_CONTROL_CHARACTERS = `# tracer: nop\n${`${'\u0001'.repeat(3000)}\n`.repeat(MOST_TRACE_ROWS)}`;

describe('rows of a trace as its page takes them', () => {
  let client: EngineClient;
  beforeEach(() => {
    ({ client } = inProcessEngine());
  });
  afterEach(() => client.dispose());

  const open = async (name: string, bytes: Uint8Array): Promise<number> => {
    await client.request('traceOpen', { trace: 't', file: { kind: 'bytes', name, bytes } });
    return (await client.request('traceIndex', { trace: 't' })).rows;
  };
  const message = async (view: string, first: number, count = MOST_TRACE_ROWS): Promise<object> => {
    const page = await client.request('traceRows', { trace: 't', view, first, count });
    const { total, complete } = page;
    const envelope = { v: TRACE_VERSION, id: 1, gen: 0, total, complete };
    return { ...envelope, type: 'rows', first: page.first, rows: rowModels(page) };
  };

  for (const name of readdirSync(SAMPLES))
    it(`each row of ${name} passes, also in a view`, async () => {
      const rows = await open(name, new Uint8Array(readFileSync(path.join(SAMPLES, name))));
      assert.ok(rows > 0);
      for (let first = 0; first < rows; first += MOST_TRACE_ROWS) {
        const made = await message('', first);
        assert.deepEqual(readToTraceView(JSON.parse(JSON.stringify(made))), made);
      }
      await client.request('traceFilter', { trace: 't', view: 'v', where: 'not operation = map' });
      const made = await message('v', 0);
      assert.deepEqual(readToTraceView(JSON.parse(JSON.stringify(made))), made);
    });

  it('cuts lines so that a page fits a message, and a row alone has all that the engine gives', async () => {
    await open('control.txt', new TextEncoder().encode(LINE_OF_CONTROL_CHARACTERS));
    const page = JSON.stringify(await message('', 0));
    assert.ok(page.length < 256 * 1024, String(page.length));
    const { rows } = (await message('', 5, 1)) as { rows: readonly { line: string; cut: boolean }[] };
    assert.deepEqual([rows[0]?.line.length, rows[0]?.cut], [3000, false]);
  });
});
