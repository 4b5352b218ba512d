/**
 * Hostile tables through the protocol. FUZZ_SECONDS (default 3) is the budget, FUZZ_SEED the first seed; a failure names
 * the seed of its image.
 */
import assert from 'node:assert/strict';
import {
  CANCELLED,
  RequestError,
  domainKeyOf,
  type DomainRow,
  type EngineClient,
  type Method,
  type NodeId,
  type Params,
  type ResultOf,
  type TranslateRequest,
} from '../../../src/inspection/protocol';
import { SLICE_MS } from '../../../src/inspection/work';
import { inProcessEngine } from './inProcess';
import { makeHostileImage, Random, type HostileImage } from './hostileTables';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
/** Slices after which a request is cancelled: tables that share tables may claim more than anybody wants to wait for. */
const PATIENCE = 16;
const INSPECTION = 'hostile';

describe('hostile tables', function () {
  this.timeout((SECONDS + 60) * 1000);

  it(`are answered in bounded work, or cancelled at once (seeds from ${SEED}, ${SECONDS} s)`, async () => {
    const end = Date.now() + SECONDS * 1000;
    let images = 0;
    do {
      const seed = SEED + images++;
      try {
        await examine(makeHostileImage(seed), seed);
      } catch (error) {
        throw new Error(`FUZZ_SEED=${seed}`, { cause: error });
      }
    } while (Date.now() < end);
    assert.ok(images > 0);
  });

  it('leave the first page when CAP claims addresses of six bits', async () => {
    const { client } = inProcessEngine(1);
    // Root table, context table and three levels of tables, a frame each; page 0 is mapped to 0x5000.
    const words = new BigUint64Array(5 * 512);
    words.set([0x1001n], 0);
    words.set([0x2001n, 0x101n], 512);
    words.set([0x3003n], 2 * 512);
    words.set([0x4003n], 3 * 512);
    words.set([0x5003n, 0x6003n], 4 * 512);
    const segments = [{ paddr: '0x0', offset: 0, length: words.byteLength }];
    const registers = { RTADDR: '0x0', CAP: '0x51f00' };
    await client.request('open', {
      inspection: INSPECTION,
      description: JSON.stringify({
        version: 1,
        image: { file: 'x.raw', segments },
        iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers }],
      }),
      image: { kind: 'bytes', name: 'x.raw', bytes: new Uint8Array(words.buffer) },
    });
    const page = { limit: 10 };
    const [domain] = (await client.request('domains', { inspection: INSPECTION, page })).rows;
    assert.ok(domain);
    const { rows, next } = await client.request('list', { inspection: INSPECTION, domain, where: '', page });
    assert.deepEqual(
      [rows.map((run) => [run.iova, run.length, run.paddr]), next],
      [[[0n, 4096n, 0x5000n]], undefined],
    );
    await client.dispose();
  });
});

/** Asks everything of one image. */
async function examine(image: HostileImage, seed: number): Promise<void> {
  const { client, pauses } = inProcessEngine(1);
  const asker = new Asker(client, pauses);
  try {
    const opened = await asker.ask('open', {
      inspection: INSPECTION,
      description: image.description,
      image: { kind: 'bytes', name: 'hostile.raw', bytes: image.bytes },
    });
    if (opened === undefined) return;
    const page = { limit: 1000 };
    await asker.ask('devices', { inspection: INSPECTION, page });
    const domains = (await asker.ask('domains', { inspection: INSPECTION, page }))?.rows ?? [];
    const translating = opened.iommus[0]?.translating === true;
    for (const domain of domains.slice(0, 4)) await examineDomain(asker, domain, image, translating);
    await examineRequests(asker, image);
    await examineQuestions(asker);
    await examineTree(asker, new Random(seed));
  } finally {
    await client.dispose();
  }
}

class Asker {
  readonly #client: EngineClient;
  readonly #slices: () => number;

  constructor(client: EngineClient, slices: () => number) {
    this.#client = client;
    this.#slices = slices;
  }

  /** The answer; undefined when it was refused with a reason or had to be cancelled. */
  async ask<M extends Method>(
    method: M,
    params: Params<M>,
    patience = PATIENCE,
  ): Promise<ResultOf<M> | undefined> {
    const cancel = new AbortController();
    const before = this.#slices();
    const watch = setInterval(() => {
      if (this.#slices() - before > patience) cancel.abort();
    }, 0);
    try {
      return await this.#client.request(method, params, { signal: cancel.signal });
    } catch (error) {
      assert.ok(error instanceof RequestError, `${method} fails as a RequestError`);
      assert.notEqual(error.code, 'internal', `${method}: ${error.message}`);
      assert.ok(error.message.length > 0);
      assert.equal(error.code === CANCELLED, cancel.signal.aborted, `${method} is cancelled only when asked`);
      return undefined;
    } finally {
      clearInterval(watch);
    }
  }
}

/** Questions over all tables at once. */
async function examineQuestions(asker: Asker): Promise<void> {
  const page = { limit: 100 };
  for (const range of [
    { start: 0n, end: 1n << 64n },
    { start: 0x3000n, end: 0x3001n },
  ]) {
    await asker.ask('find', { inspection: INSPECTION, range, page });
  }
  await asker.ask('aliases', { inspection: INSPECTION, page });
  const compared = await asker.ask('compare', { inspection: INSPECTION, other: INSPECTION, page });
  assert.deepEqual(compared?.rows ?? [], [], 'a source does not differ from itself');
}

async function examineDomain(
  asker: Asker,
  row: DomainRow,
  image: HostileImage,
  translating: boolean,
): Promise<void> {
  const { levels } = row;
  const domain = domainKeyOf(row);
  // Each table is read once a level, whether it is in the image or not: no more than the image's entries point to.
  const most = (levels * (1 + image.bytes.length / 8)) / SLICE_MS;
  const statistics = await asker.ask('statistics', { inspection: INSPECTION, domain }, most + 1);
  assert.ok(statistics, 'statistics end by themselves');
  for (const where of ['', 'perm = rw and size >= 2M', 'level > 9']) {
    let cursor: string | undefined;
    let reached = -1n;
    for (let pages = 0; pages < 3; pages++) {
      const found = await asker.ask('list', {
        inspection: INSPECTION,
        domain,
        where,
        page: { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
      });
      if (!found) break;
      assert.ok(found.rows.length <= 200);
      for (const run of found.rows) {
        assert.ok(run.iova > reached, 'runs ascend and do not overlap');
        assert.ok(run.length > 0n);
        reached = run.iova + run.length - 1n;
      }
      if (translating) await checkRuns(asker, row, found);
      cursor = found.next;
      if (cursor === undefined) break;
    }
  }
  for (const iova of image.iovas.slice(0, 3)) {
    await asker.ask('locate', { inspection: INSPECTION, domain, iova });
  }
}

/** What a list says is mapped, translates so. */
async function checkRuns(asker: Asker, domain: DomainRow, found: ResultOf<'list'>): Promise<void> {
  const [requester] = domain.requesters;
  assert.ok(requester !== undefined);
  const allowed = found.rows.slice(0, 50).filter(({ perm, iova, paddr, length }) => {
    const leadsToWindow = paddr < 0xfef0_0000n && paddr + length > 0xfee0_0000n;
    const inWindow = iova < 0xfef0_0000n && iova + length > 0xfee0_0000n;
    return perm !== '-' && !inWindow && !leadsToWindow && iova + length <= 1n << BigInt(domain.addressBits);
  });
  const requests = allowed.flatMap(({ iova, length, perm }) =>
    [iova, iova + length - 1n].map((address) => ({
      requester,
      pasid: null,
      iova: address,
      access: perm === 'W' ? ('write' as const) : ('read' as const),
    })),
  );
  const answers = await asker.ask('translate', { inspection: INSPECTION, iommu: domain.iommu, requests });
  if (!answers) return;
  const expected = allowed.flatMap(({ paddr, length, perm, level, pageSize }) =>
    [paddr, paddr + length - 1n].map((address) => ({
      ok: true,
      paddr: address,
      perm,
      level,
      size: pageSize,
    })),
  );
  assert.deepEqual(
    answers.map((answer) => (answer.ok ? { ...answer, entry: undefined } : answer)),
    expected.map((answer) => ({ ...answer, entry: undefined })),
  );
}

/** Batches and single walks agree. */
async function examineRequests(asker: Asker, image: HostileImage): Promise<void> {
  const requests = image.requesters.flatMap((requester) =>
    image.iovas.map((iova, index): TranslateRequest => ({
      requester,
      pasid: index % 16 === 15 ? 1 : null,
      iova,
      access: index % 2 === 0 ? 'read' : 'write',
    })),
  );
  const answers = await asker.ask('translate', { inspection: INSPECTION, requests });
  if (!answers) return;
  assert.equal(answers.length, requests.length);
  for (const [index, request] of requests.entries()) {
    if (index % 5 !== 0) continue;
    const walk = await asker.ask('walk', { inspection: INSPECTION, request });
    assert.deepEqual(walk?.translation, answers[index]);
    for (const step of walk?.steps ?? []) {
      const entry = await asker.ask('entry', { inspection: INSPECTION, entry: step.entry });
      assert.deepEqual(entry?.words, step.words);
    }
  }
}

/** Goes down the tree at random. */
async function examineTree(asker: Asker, random: Random): Promise<void> {
  for (let way = 0; way < 4; way++) {
    let node: NodeId | undefined;
    for (let depth = 0; depth < 12; depth++) {
      const page = await asker.ask('children', {
        inspection: INSPECTION,
        ...(node === undefined ? {} : { node }),
        page: { limit: 1000 },
      });
      if (!page || page.rows.length === 0) break;
      assert.ok(page.rows.length <= 1000);
      assert.equal(new Set(page.rows.map((row) => row.id)).size, page.rows.length, 'ids are unique');
      const next = page.rows[random.below(page.rows.length)];
      // A message has nothing below it, and is no place to come back to.
      if (!next || next.kind === 'message') break;
      node = next.id;
    }
    if (node === undefined) continue;
    const path = await asker.ask('path', { inspection: INSPECTION, node });
    assert.equal(path?.at(-1)?.id, node, 'the path of a node that was shown leads to it');
  }
}
