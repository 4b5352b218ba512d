/** What cannot be read is no answer: neither "nothing" nor "removed". */
import assert from 'node:assert/strict';
import { type EngineClient } from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const FRAME = 4096;
const page = { limit: 1000 };
/** Bus 0 has 00:01.0 with domain 1, which maps IOVA 0 to itself with 4 KiB; bus 1 names a context table at 0x100000. */
function machine(beyond: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(16 * FRAME));
  const put = (at: number, word: number) => {
    view.setBigUint64(at, BigInt(word), true);
  };
  put(FRAME, 0x2001);
  if (beyond) put(FRAME + 16, 0x10_0001);
  put(2 * FRAME + 16 * 8, 0x3001);
  put(2 * FRAME + 16 * 8 + 8, 0x101);
  put(3 * FRAME, 0x4003);
  put(4 * FRAME, 0x5003);
  put(5 * FRAME, 3);
  return new Uint8Array(view.buffer);
}

/** Registers by the name of an IOMMU. */
type Iommus = Readonly<Record<string, string>>;

async function open(client: EngineClient, inspection: string, iommus: Iommus, beyond = false) {
  const bytes = machine(beyond);
  await client.request('open', {
    inspection,
    description: JSON.stringify({
      version: 1,
      image: { file: 'memory.raw', segments: [{ paddr: '0x0', offset: 0, length: bytes.length }] },
      iommus: Object.entries(iommus).map(([name, RTADDR]) => ({
        ...{ name, kind: 'vt-d', segment: 0, registers: { RTADDR } },
      })),
    }),
    image: { kind: 'bytes', name: 'memory.raw', bytes },
  });
}

const GOOD = '0x1000';
const OUTSIDE = '0x200000';
/** RTADDR.TTM = 2 is reserved (VT-d 4.1 section 11.4.5). */
const UNREADABLE = '0x1800';

describe('what cannot be read', () => {
  const ask = async (iommus: Iommus, beyond = false) => {
    const { client } = inProcessEngine();
    await open(client, 'a', iommus, beyond);
    const range = { start: 0n, end: 1n };
    const found = await client.request('find', { inspection: 'a', range, page });
    const aliases = await client.request('aliases', { inspection: 'a', page });
    await client.dispose();
    return { found, aliases };
  };

  it('above the page tables is said with what find and aliases give', async () => {
    for (const [iommus, beyond] of [
      [{ dmar0: OUTSIDE }, false],
      [{ dmar0: GOOD }, true],
    ] as const) {
      const { found, aliases } = await ask(iommus, beyond);
      assert.match(found.problems.join(' '), /^dmar0: .+/);
      assert.deepEqual(aliases.problems, found.problems);
    }
    assert.deepEqual((await ask({ dmar0: GOOD })).found.problems, []);
  });

  it('is refused with its reason when it is every IOMMU', async () => {
    await assert.rejects(ask({ dmar0: UNREADABLE }), /dmar0 cannot be read: /);
    const { found } = await ask({ dmar0: GOOD, dmar1: UNREADABLE });
    assert.deepEqual(found.unreadIommus, ['dmar1']);
  });

  const differences = async (before: Iommus, after: Iommus, beyond = false) => {
    const { client } = inProcessEngine();
    await open(client, 'a', before);
    await open(client, 'b', after, beyond);
    const there = await client.request('compare', { inspection: 'a', other: 'b', page });
    const back = await client.request('compare', { inspection: 'b', other: 'a', page });
    await client.dispose();
    return [there, back] as const;
  };

  it('in one of two images has neither gone nor come', async () => {
    for (const result of await differences(
      { dmar0: GOOD, dmar1: GOOD },
      { dmar0: GOOD, dmar1: UNREADABLE },
    )) {
      assert.deepEqual(result.unreadIommus, ['dmar1']);
      assert.deepEqual(
        result.rows.map(({ kind, change }) => [kind, change]),
        [['iommu', 'changed']],
      );
    }
    for (const result of await differences({ dmar0: GOOD }, { dmar0: OUTSIDE })) {
      assert.deepEqual(result.rows, []);
      assert.match(result.problems.join(' '), /^dmar0: /);
    }
  });
});
