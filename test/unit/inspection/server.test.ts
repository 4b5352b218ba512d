import assert from 'node:assert/strict';
import {
  type DomainKey,
  type EngineClient,
  RequestError,
  type TreeNode,
} from '../../../src/inspection/protocol';
import { runInSlices } from '../../../src/inspection/work';
import { inProcessEngine, openBytes, openSample } from './inProcess';

const FRAME = 4096;

/** Memory of `frames` frames with root and context tables for device 00:00.0 and a 3-level domain rooted in frame 3. */
function machine(frames: number): DataView {
  const view = new DataView(new ArrayBuffer(frames * FRAME));
  view.setBigUint64(1 * FRAME, 0x2001n, true);
  view.setBigUint64(2 * FRAME, 0x3001n, true);
  view.setBigUint64(2 * FRAME + 8, 0x101n, true);
  return view;
}

/** A domain whose every table entry points to one shared table: 512 x 512 x 512 pages out of three frames. */
function sharing(): Uint8Array {
  const view = machine(7);
  for (let index = 0; index < 512; index++) {
    view.setBigUint64(3 * FRAME + 8 * index, 0x4003n, true);
    view.setBigUint64(4 * FRAME + 8 * index, 0x5003n, true);
    view.setBigUint64(5 * FRAME + 8 * index, 0x6003n, true);
  }
  return new Uint8Array(view.buffer);
}

const SHARING: DomainKey = { iommu: 'dmar0', stage: 2, domainId: 1, root: 0x3000n, levels: 3 };
const registers = { RTADDR: '0x1000' };

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof RequestError ? error.code : String(error)),
  );

class Cancel {
  aborted = false;
  readonly listeners: (() => void)[] = [];
  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.push(listener);
  }
  removeEventListener(): void {
    // The signal lives as long as the test.
  }
  abort(): void {
    this.aborted = true;
    this.listeners.forEach((listener) => {
      listener();
    });
  }
}

async function everyNode(client: EngineClient, inspection: string, node?: string): Promise<TreeNode[]> {
  const { rows, next } = await client.request('children', {
    inspection,
    ...(node === undefined ? {} : { node }),
    page: { limit: 1000 },
  });
  assert.equal(next, undefined, 'no node of the samples has more than 1000 children');
  const below = await Promise.all(rows.map((row) => everyNode(client, inspection, row.id)));
  return rows.flatMap((row, index) => [row, ...(below[index] ?? [])]);
}

describe('the inspection server', () => {
  it('gives way after each slice of 20 ms, and answers others meanwhile', async () => {
    const { client, pauses } = inProcessEngine(5);
    await openBytes(client, sharing(), registers);
    const order: string[] = [];
    const cancel = new Cancel();
    const where = 'size = 1G';
    const list = client
      .request(
        'list',
        { inspection: 'bytes', domain: SHARING, where, page: { limit: 10 } },
        { signal: cancel },
      )
      .catch((error: unknown) => order.push((error as RequestError).code));
    const check = client
      .request('checkFilter', { where: 'perm = rw' })
      .then(() => order.push('filter checked'));
    await check;
    // The clock moves on by 5 ms at each look, so that a slice has room for four steps, and no more.
    assert.ok(pauses() > 0, 'the list gave way');
    cancel.abort();
    await list;
    assert.deepEqual(order, ['filter checked', 'cancelled']);
    await client.dispose();
  });

  it('does at most a slice of work between two pauses', async () => {
    let now = 0;
    const stepsBetweenPauses: number[] = [0];
    function* work(): Generator<number, string> {
      for (let step = 0; step < 100; step++) {
        now += 7;
        stepsBetweenPauses.push((stepsBetweenPauses.pop() ?? 0) + 1);
        yield 512;
      }
      return 'done';
    }
    const told: string[] = [];
    const context = {
      signal: new Cancel(),
      onProgress: ({ message }: { message: string }) => told.push(message),
    };
    const pause = (): Promise<void> => {
      stepsBetweenPauses.push(0);
      return Promise.resolve();
    };
    assert.equal(await runInSlices(work(), context, { clock: () => now, pause }), 'done');
    // Three steps of 7 ms are the first to reach 20 ms.
    assert.deepEqual(new Set(stepsBetweenPauses.slice(0, -1)), new Set([3]));
    assert.equal(told[0], '7,680 entries read');
    assert.ok(told.length <= 7, 'progress at most every 100 ms of 700');
  });

  it('answers no request from a source that is closed meanwhile', async () => {
    const { client } = inProcessEngine(5);
    await openBytes(client, sharing(), registers);
    const page = { limit: 10 };
    const list = codeOf(
      client.request('list', { inspection: 'bytes', domain: SHARING, where: 'size = 1G', page }),
    );
    await client.request('checkFilter', { where: '' });
    await client.request('close', { inspection: 'bytes' });
    assert.equal(await list, 'cancelled');
    await client.dispose();
  });

  it('pages a domain that claims to map far more than its image holds', async () => {
    const { client } = inProcessEngine();
    await openBytes(client, sharing(), registers);
    let cursor: string | undefined;
    let rows = 0;
    for (let page = 0; page < 3; page++) {
      const list = await client.request('list', {
        inspection: 'bytes',
        domain: SHARING,
        where: '',
        page: { limit: 700, ...(cursor === undefined ? {} : { cursor }) },
      });
      rows += list.rows.length;
      assert.equal(list.rows[0]?.iova, BigInt(page * 700) << 12n);
      cursor = list.next;
    }
    assert.equal(rows, 2100);
    const statistics = await client.request('statistics', { inspection: 'bytes', domain: SHARING });
    assert.equal(statistics.leaves, 512n ** 3n);
    assert.equal(statistics.mappedBytes, 512n ** 3n * 4096n);
    assert.deepEqual(
      statistics.tablesByLevel.map(({ tables }) => tables),
      [1n, 1n, 1n],
    );
    assert.equal(statistics.complete, true);
    await client.dispose();
  });

  it('names a table that points to itself, and does not follow it', async () => {
    const view = machine(4);
    view.setBigUint64(3 * FRAME + 8 * 7, 0x3003n, true);
    const { client } = inProcessEngine();
    await openBytes(client, new Uint8Array(view.buffer), registers);
    const nodes = await everyNode(client, 'bytes').catch((error: unknown) => error);
    assert.ok(Array.isArray(nodes));
    const cycle = (nodes as TreeNode[]).find((node) => node.kind === 'table');
    assert.equal(cycle?.kind === 'table' && cycle.failure?.code, 'table/cycle');
    const list = await client.request('list', {
      inspection: 'bytes',
      domain: SHARING,
      where: '',
      page: { limit: 10 },
    });
    assert.deepEqual([list.rows.length, list.cycles], [0, 1]);
    await client.dispose();
  });

  it('cuts a bus full of devices into parts of at most 1000', async () => {
    const view = machine(4);
    for (let bus = 0; bus < 256; bus++) view.setBigUint64(1 * FRAME + 16 * bus, 0x2001n, true);
    for (let device = 0; device < 256; device++) {
      view.setBigUint64(2 * FRAME + 16 * device, 0x3001n, true);
      view.setBigUint64(2 * FRAME + 16 * device + 8, 0x101n, true);
    }
    const { client } = inProcessEngine();
    await openBytes(client, new Uint8Array(view.buffer), registers);
    const top = await client.request('children', {
      inspection: 'bytes',
      node: 'i:dmar0',
      page: { limit: 1000 },
    });
    assert.equal(top.total, 128);
    const [part] = top.rows;
    assert.ok(
      part?.kind === 'range' && part.count === 512 && part.first === '00:00.0' && part.last === '01:1f.7',
    );
    const devices = await client.request('children', {
      inspection: 'bytes',
      node: part.id,
      page: { limit: 1000 },
    });
    assert.equal(devices.rows.length, 512);
    const path = await client.request('locate', { inspection: 'bytes', domain: SHARING, iova: 0n });
    assert.deepEqual(
      path.map(({ kind }) => kind),
      ['iommu', 'range', 'device', 'domain'],
    );
    await client.dispose();
  });

  it('opens the same source again to the same tree, id for id', async () => {
    const first = inProcessEngine();
    const second = inProcessEngine();
    await openSample(first.client, 'vtd-3level-1g', 'same');
    await openSample(second.client, 'vtd-3level-1g', 'same');
    const nodes = await everyNode(first.client, 'same');
    assert.ok(nodes.length > 100);
    assert.deepEqual(await everyNode(second.client, 'same'), nodes);
    await first.client.dispose();
    await second.client.dispose();
  });

  it('finds the way to each node of the tree from its id', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-4level');
    const nodes = await everyNode(client, 'vtd-4level');
    // Every kind of node, and a spread of the rest: each way is read afresh from the root.
    const kinds = new Map(nodes.map((node) => [node.kind, node]));
    for (const node of [...kinds.values(), ...nodes.filter((_, index) => index % 97 === 0)]) {
      const path = await client.request('path', { inspection: 'vtd-4level', node: node.id });
      assert.deepEqual(path.at(-1), node);
    }
    await client.dispose();
  });

  it('shows below a filtered node only what matches', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-3level-1g');
    const where = 'size = 1G';
    const runs: string[] = [];
    const visit = async (node?: string): Promise<void> => {
      const page = { limit: 1000 };
      const { rows } = await client.request('children', {
        inspection: 'vtd-3level-1g',
        where,
        page,
        ...(node === undefined ? {} : { node }),
      });
      for (const row of rows) {
        if (row.kind === 'run') runs.push(`${row.run.pageSize} ${row.run.count}`);
        assert.notEqual(row.kind, 'entry');
        await visit(row.id);
      }
    };
    await visit();
    // The manifest counts one leaf of 1 GiB in the whole machine, in the domain of one device.
    assert.deepEqual(runs, ['1073741824 1']);
    await client.dispose();
  });

  it('refuses what is not a request with a reason', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-4level', 'x');
    const page = { limit: 10 };
    assert.equal(await codeOf(client.request('children', { inspection: 'gone', page })), 'inspection/closed');
    assert.equal(
      await codeOf(client.request('children', { inspection: 'x', node: '../..', page })),
      'request/node',
    );
    assert.equal(
      await codeOf(client.request('children', { inspection: 'x', node: 'i:dmar9', page })),
      'inspection/no-such-iommu',
    );
    assert.equal(
      await codeOf(client.request('children', { inspection: 'x', page: { limit: 0 } })),
      'request/limit',
    );
    const domain = { iommu: 'dmar0', stage: 2 as const, domainId: 99, root: 0n, levels: 4 };
    assert.equal(
      await codeOf(client.request('statistics', { inspection: 'x', domain })),
      'inspection/no-such-domain',
    );
    assert.match(
      await codeOf(client.request('list', { inspection: 'x', domain, where: 'perm =', page })),
      /^filter\//,
    );
    const entry = { iommu: 'dmar0', address: 0x123n, role: 'root' } as const;
    assert.equal(await codeOf(client.request('entry', { inspection: 'x', entry })), 'request/entry');
    await client.dispose();
    assert.equal(await codeOf(client.request('checkFilter', { where: '' })), 'engine/lost');
  });
});
