import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { NodeIndexCache } from '../../../src/inspection/node/indexCache';
import { type EngineClient, type TraceSummary } from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const LINE = 130;
/** So many maps, as Linux 6.1 writes them, each line as long as the others. */
function mapLines(count: number, seed = 0): string {
  const lines: string[] = [];
  for (let row = 0; row < count; row++) {
    const time = `90.${String(row).padStart(6, '0')}`;
    const hex = (value: number): string => `0x${value.toString(16).padStart(16, '0')}`;
    const iova = 0xf0000000 + row * 4096;
    const text = `IOMMU: iova=${hex(iova)} - ${hex(iova + 4096)} paddr=${hex(0x100000000 + (row + seed) * 4096)} size=4096`;
    lines.push(`              dd-402     [000] .....    ${time}: map: ${text}`.padEnd(LINE - 1).trimEnd());
  }
  return `# tracer: nop\n#\n${lines.join('\n')}\n`;
}

describe('traces whose index is kept', () => {
  let folder = '';
  let cacheFolder = '';
  const clients: EngineClient[] = [];
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), 'iopte-kept-'));
    cacheFolder = path.join(folder, 'cache');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.dispose();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** An engine of another run, with the same cache. */
  function engine(millisecondsPerLook = 0, keptFrom = 0): EngineClient {
    const indexes = new NodeIndexCache(cacheFolder, 2 ** 30);
    const { client } = inProcessEngine(millisecondsPerLook, { indexes, keptFrom });
    clients.push(client);
    return client;
  }
  const open = (client: EngineClient, file: string): Promise<TraceSummary> =>
    client.request('traceOpen', { trace: 't', file: { kind: 'path', path: file } });
  const index = (client: EngineClient): Promise<TraceSummary> => client.request('traceIndex', { trace: 't' });
  function write(name: string, text: string): string {
    const file = path.join(folder, name);
    fs.writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
    return file;
  }
  const kept = (): string[] =>
    fs.existsSync(cacheFolder) ? fs.readdirSync(cacheFolder).filter((name) => name.endsWith('.index')) : [];

  for (const name of ['trace.txt', 'trace.txt.gz']) {
    it(`open whole the second time, with the same rows (${name})`, async () => {
      const file = write(name, mapLines(100_000));
      const first = engine();
      assert.equal((await open(first, file)).complete, false);
      const read = await index(first);
      assert.equal(read.cached, false);
      assert.equal(kept().length, 1);
      const second = engine();
      const opened = await open(second, file);
      assert.deepEqual(opened, { ...read, cached: true });
      const page = { trace: 't', view: '', first: 99_990, count: 10 } as const;
      assert.deepEqual(await second.request('traceRows', page), await first.request('traceRows', page));
      const where = 'iova = 0xf0064000';
      assert.equal((await second.request('traceFilter', { trace: 't', view: 'v', where })).matched, 1);
    });
  }

  it('are read anew when the file changed, and say so', async () => {
    const file = write('trace.txt', mapLines(1000));
    const first = engine();
    await open(first, file);
    await index(first);
    fs.appendFileSync(file, mapLines(10));
    const second = engine();
    const opened = await open(second, file);
    assert.equal(opened.cached, false);
    assert.match(opened.problems[0]?.message ?? '', /index .* is not used: the file was changed since/);
    assert.equal((await index(second)).rows, 1010);
    assert.equal((await open(engine(), file)).cached, true);
    assert.equal(kept().length, 1);
  });

  it('are read anew when an index is damaged, and replace it', async () => {
    const file = write('trace.txt', mapLines(1000));
    const first = engine();
    await open(first, file);
    await index(first);
    const place = path.join(cacheFolder, kept()[0] ?? '');
    const bytes = fs.readFileSync(place);
    for (const at of [90, bytes.length >> 1, bytes.length - 3]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      fs.writeFileSync(place, damaged);
      const client = engine();
      const opened = await open(client, file);
      assert.equal(opened.cached, false, `byte ${at}`);
      assert.equal(opened.problems[0]?.code, 'trace/stale-index');
      const whole = await index(client);
      assert.equal(whole.rows, 1000);
      assert.deepEqual(whole.events, { map: 1000 });
    }
    assert.equal((await open(engine(), file)).cached, true);
  });

  it('are not kept half-read, nor when they are small', async () => {
    const file = write('trace.txt', mapLines(150_000));
    const client = engine(25);
    await open(client, file);
    const cancel = new AbortController();
    const reading = client.request(
      'traceIndex',
      { trace: 't' },
      { signal: cancel.signal, onProgress: () => cancel.abort() },
    );
    await assert.rejects(reading, /Cancelled/);
    assert.deepEqual(kept(), []);
    const small = engine(0, 2 ** 30);
    await open(small, file);
    await index(small);
    assert.deepEqual(kept(), []);
  });

  it('are forgotten when the caches are cleared; what is open stays open', async () => {
    const file = write('trace.txt', mapLines(1000));
    const client = engine();
    await open(client, file);
    await index(client);
    const cleared = await client.request('clearCaches', {});
    assert.equal(cleared.files, 1);
    assert.deepEqual(kept(), []);
    const page = await client.request('traceRows', { trace: 't', view: '', first: 999, count: 1 });
    assert.equal(page.rows[0]?.row, 999);
    assert.equal((await open(engine(), file)).cached, false);
  });

  it('say that a file became shorter while it was open', async () => {
    const file = write('trace.txt', mapLines(150_000));
    const client = engine();
    await open(client, file);
    fs.truncateSync(file, 1000);
    const whole = await index(client);
    assert.ok(whole.problems.some(({ message }) => /shorter|cannot be read/.test(message)));
    assert.deepEqual(kept(), []);
  });
});
