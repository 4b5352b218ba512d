import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RequestError, type EngineClient, type Found, type Run } from '../../../src/inspection/protocol';
import { builtAmd } from '../../builders/independent/amd';
import { riscvImages, smmuv3Images } from '../../builders/independent/armRiscvImages';
import { builtVtd } from '../../builders/independent/vtd';
import { inProcessEngine, openSample } from './inProcess';
import { openBuiltImage } from './builtSources';

async function findAll(
  client: EngineClient,
  inspection: string,
  start: bigint,
  end: bigint,
  limit = 1000,
): Promise<readonly Found[]> {
  const rows: Found[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.request('find', {
      inspection,
      range: { start, end },
      page: { limit, ...(cursor !== undefined && { cursor }) },
    });
    assert.ok(page.rows.length <= limit);
    rows.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return rows;
}

/** Whether a row says that a request of this device to this IOVA ends at this physical address. */
function reaches(row: Found, requester: number, pasid: number | null, iova: bigint, paddr: bigint): boolean {
  if (row.kind === 'pass-through') {
    const named = row.devices.some((each) => each.requester === requester && each.pasid === pasid);
    const inRange = paddr >= row.range.start && paddr < row.range.end;
    return iova === paddr && inRange && (row.off !== undefined || named || row.count > row.devices.length);
  }
  const { run, domain, interrupt } = row;
  const used = domain.requesters.includes(requester);
  // Arm CD.TBI: bits 63:56 of the address are a tag, and bit 55 stands for them.
  const untagged = (address: bigint): bigint => BigInt.asUintN(56, address);
  return (
    used && !interrupt && run.paddr === paddr && untagged(run.iova) === untagged(iova) && run.length === 1n
  );
}

/** Enough of many, evenly. */
const spread = <T>(all: readonly T[]): readonly T[] =>
  all.filter((_, index) => index % Math.ceil(all.length / 30) === 0);

describe('finding a physical address', function () {
  this.timeout(120_000);

  for (const image of [...builtVtd(), ...builtAmd(), ...smmuv3Images(), ...riscvImages()]) {
    const good = image.expectations.flatMap((each) =>
      each.answer.ok ? [{ ...each, answer: each.answer }] : [],
    );
    it(`${image.name}: names every way that the specification gives (${good.length})`, async () => {
      const { client } = inProcessEngine();
      await openBuiltImage(client, image);
      for (const { requester, pasid, iova, why, answer } of spread(good)) {
        const rows = await findAll(client, image.name, answer.paddr, answer.paddr + 1n);
        const found = rows.some((row) => reaches(row, requester, pasid, iova, answer.paddr));
        assert.ok(found, `0x${iova.toString(16)} -> 0x${answer.paddr.toString(16)}: ${why}`);
      }
      await client.dispose();
    });
  }

  it('gives runs clipped to the range, whatever the size of a page of the answer', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-4level');
    const { rows } = await client.request('domains', { inspection: 'vtd-4level', page: { limit: 100 } });
    const runs: Run[] = [];
    for (const domain of rows) {
      const page = { limit: 1000 };
      const list = await client.request('list', { inspection: 'vtd-4level', domain, where: '', page });
      assert.equal(list.next, undefined);
      runs.push(...list.rows);
    }
    const addresses = runs.flatMap(({ paddr, length }) => [paddr, paddr + length]);
    const address = fc.oneof(
      fc.constantFrom(...addresses).chain((at) => fc.bigInt(-8192n, 8192n).map((by) => at + by)),
      fc.bigInt(0n, 1n << 34n),
    );
    await fc.assert(
      fc.asyncProperty(
        address,
        fc.bigInt(1n, 1n << 26n),
        fc.integer({ min: 1, max: 7 }),
        async (start, length, limit) => {
          const end = start + length;
          const found = await findAll(client, 'vtd-4level', start, end, limit);
          const expected = runs.flatMap(({ iova, paddr, length: bytes }) => {
            const from = paddr > start ? paddr : start;
            const to = paddr + bytes < end ? paddr + bytes : end;
            return from < to ? [[iova + from - paddr, from, to - from]] : [];
          });
          assert.deepEqual(
            found.map((row) => (row.kind === 'run' ? [row.run.iova, row.run.paddr, row.run.length] : [])),
            expected,
          );
        },
      ),
      { numRuns: 60 },
    );
    await client.dispose();
  });

  it('names the leaf that maps the first byte, and devices in pass-through', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-3level-1g');
    // 0x14ece5000 is mapped at 0xffee0000 for 00:02.0: entry 0x14ece5003.
    const [row] = await findAll(client, 'vtd-3level-1g', 0x14ece5010n, 0x14ece5020n);
    assert.ok(row?.kind === 'run');
    assert.equal(row.run.word, 0x14ece5003n);
    assert.deepEqual([row.run.iova, row.run.length, row.run.count], [0xffee0010n, 16n, 1]);
    await openSample(client, 'vtd-passthrough');
    const passed = await findAll(client, 'vtd-passthrough', 0xfedff000n, 0xfef01000n);
    const ranges = passed.flatMap((each) =>
      each.kind === 'pass-through' ? [[each.range.start, each.range.end]] : [],
    );
    // Without the interrupt window (VT-d 4.1 section 3.14).
    assert.deepEqual(ranges, [
      [0xfedff000n, 0xfee00000n],
      [0xfef00000n, 0xfef01000n],
    ]);
    await client.dispose();
  });

  it('refuses ranges and cursors that are none', async () => {
    const { client } = inProcessEngine();
    await openSample(client, 'vtd-4level');
    const ask = (start: bigint, end: bigint, cursor?: string) =>
      client.request('find', {
        inspection: 'vtd-4level',
        range: { start, end },
        page: { limit: 5, ...(cursor !== undefined && { cursor }) },
      });
    for (const [start, end, cursor] of [
      [5n, 5n],
      [-1n, 5n],
      [0n, (1n << 64n) + 1n],
      [0n, 1n, 'x'],
    ] as const) {
      await assert.rejects(ask(start, end, cursor), RequestError);
    }
    await client.dispose();
  });
});
