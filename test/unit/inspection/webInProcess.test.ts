import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CANCELLED, RequestError, type EngineClient } from '../../../src/inspection/protocol';
import { startEngine } from '../../../src/inspection/web/startEngine';
import { ENGINE_WORKER, ensureBuilt } from '../../built';

const samples = path.join(__dirname, '../../../samples');

async function openSample(client: EngineClient, inspection: string) {
  const name = 'vtd-4level.elf.gz';
  const description = await readFile(path.join(samples, 'vtd-4level.iopte.json'), 'utf8');
  const bytes = new Uint8Array(await readFile(path.join(samples, name)));
  return client.request('open', { inspection, description, image: { kind: 'bytes', name, bytes } });
}

/** What a web host without workers has: the engine in the thread that asks, from the text of the worker's file. */
describe('the web engine without a worker', function () {
  this.timeout(120_000);
  let client: EngineClient;
  const notes: string[] = [];
  const start = async (): Promise<EngineClient> =>
    startEngine({
      workerSource: new Uint8Array(await readFile(ENGINE_WORKER)),
      log: (message) => notes.push(message),
    });
  before(async () => {
    ensureBuilt();
    client = await start();
  });
  after(() => client.dispose());

  it('opens an image and answers', async () => {
    assert.equal(client.where, 'in-process');
    assert.match(notes.join(), /^No worker, so the engine runs in the extension host: /);
    const summary = await openSample(client, 'i1');
    assert.deepEqual(
      summary.iommus.map(({ name, failure }) => [name, failure]),
      [['dmar0', undefined]],
    );
    const { rows } = await client.request('children', { inspection: 'i1', page: { limit: 10 } });
    const [iommu] = rows;
    assert.ok(iommu?.kind === 'iommu');
    // As the sample's record says: see samples/README.md.
    assert.deepEqual([iommu.devices, iommu.domains], [11, 9]);
    const below = await client.request('children', {
      inspection: 'i1',
      node: iommu.id,
      page: { limit: 100 },
    });
    assert.ok(below.rows.some((node) => node.kind === 'device' && node.device.requester === 0x10));
  });

  it('never answers inside the question', async () => {
    let answered = false;
    const asked = client.request('checkFilter', { where: 'perm = rw' }).then(() => (answered = true));
    await Promise.resolve();
    assert.equal(answered, false);
    await asked;
  });

  it('can be told to stop half-way, and is as good as before', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const opening = openSampleWith(client, controller.signal, ({ message }) => {
      seen.push(message);
      controller.abort();
    });
    await assert.rejects(opening, (error) => error instanceof RequestError && error.code === CANCELLED);
    assert.ok(seen.length > 0);
    assert.equal((await openSample(client, 'i3')).iommus.length, 1);
  });

  it('rejects what is pending when it is ended', async () => {
    const ending = await start();
    const pending = openSample(ending, 'i1').then(
      () => 'answered',
      (error: unknown) => (error instanceof RequestError ? error.code : String(error)),
    );
    await new Promise((resolve) => setImmediate(resolve));
    await ending.dispose();
    assert.equal(await pending, 'engine/lost');
  });

  it('is not there when its file is no engine', async () => {
    const workerSource = new TextEncoder().encode('throw new Error("no engine")');
    await assert.rejects(startEngine({ workerSource }), /no engine/);
  });
});

async function openSampleWith(
  client: EngineClient,
  signal: AbortSignal,
  onProgress: (progress: { readonly message: string }) => void,
) {
  const name = 'large.elf.gz';
  const fixture = path.join(__dirname, '../../fixtures/corpus/large/vtd-small-share.fullsize-zeroed.elf.gz');
  const bytes = new Uint8Array(await readFile(fixture));
  const description = (await readFile(path.join(samples, 'vtd-4level.iopte.json'), 'utf8')).replace(
    'vtd-4level.elf.gz',
    name,
  );
  const image = { kind: 'bytes', name, bytes } as const;
  return client.request('open', { inspection: 'i2', description, image }, { signal, onProgress });
}
