import assert from 'node:assert/strict';
import path from 'node:path';
import { domainKeyOf, RequestError, type TreeNode } from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const TEXTS = path.join(__dirname, '../../fixtures/text');

async function opened(name: string, description = '') {
  const { client } = inProcessEngine();
  const image = { kind: 'path' as const, path: path.join(TEXTS, name) };
  const summary = await client.request('open', { inspection: 'text', description, image });
  const children = async (node?: TreeNode): Promise<readonly TreeNode[]> =>
    (
      await client.request('children', {
        inspection: 'text',
        ...(node ? { node: node.id } : {}),
        page: { limit: 1000 },
      })
    ).rows;
  return { client, summary, children };
}

describe('an inspection of a text dump', () => {
  it('needs no description, and says so beforehand', async () => {
    const { client, summary } = await opened('intel-scalable.txt');
    assert.deepEqual(
      summary.iommus.map(({ name, kind, mode }) => ({ name, kind, mode })),
      [{ name: 'dmar0', kind: 'vt-d', mode: 'VT-d scalable, from a text dump' }],
    );
    assert.ok(summary.problems.every(({ severity }) => severity === 'info'));
    assert.ok(summary.image.highestAddress < 1n << 40n);
    const image = { kind: 'path' as const, path: path.join(TEXTS, 'intel-scalable.txt') };
    assert.deepEqual(await client.request('recognise', { image }), {
      format: 'text-dump',
      needsSegments: false,
      describesItself: true,
    });
  });

  it('believes a description rather than the text', async () => {
    const description = JSON.stringify({
      version: 1,
      image: 'intel-legacy.txt',
      iommus: [{ name: 'mine', kind: 'vt-d', segment: 0, registers: { RTADDR: '0x14ab1e000', GSTS: '0' } }],
    });
    const { summary } = await opened('intel-legacy.txt', description);
    assert.deepEqual(
      summary.iommus.map(({ name, mode, translating }) => ({ name, mode, translating })),
      [{ name: 'mine', mode: 'VT-d legacy', translating: false }],
    );
  });

  it('shows in the tree and in an entry what the dump does not list', async () => {
    const { client, children } = await opened('intel-legacy.txt');
    const [iommu] = await children();
    assert.ok(iommu?.kind === 'iommu');
    const device = (await children(iommu)).find(
      (node) => node.kind === 'device' && node.device.requester === 0x30,
    );
    const [domain] = await children(device);
    assert.ok(domain?.kind === 'domain');
    const [table, rest] = await children(domain);
    assert.equal(table?.kind, 'table');
    assert.ok(rest?.kind === 'message');
    assert.equal(rest.why.message, '511 of the 512 entries of this table are not in the dump.');
    const request = { requester: 0x30, pasid: null, iova: 0x1000n, access: 'read' as const };
    const walk = await client.request('walk', { inspection: 'text', request });
    const last = walk.steps.at(-1);
    assert.ok(last && !walk.translation.ok);
    assert.equal(walk.translation.fault, 'entry-unknown');
    assert.equal(last.says, 'not in the dump');
    const entry = await client.request('entry', { inspection: 'text', entry: last.entry });
    assert.match(entry.title, /\(not in the dump\)$/);
    assert.deepEqual(
      entry.problems.map(({ code }) => code),
      ['entry/unknown'],
    );
    const known = await client.request('entry', {
      inspection: 'text',
      entry: {
        ...last.entry,
        domain: domainKeyOf(domain.domain),
        address: walk.steps[1]?.entry.address ?? 0n,
      },
    });
    assert.equal(known.words.length, 1);
  });

  it('shows the words of a PASID-table entry that are printed, and which are not', async () => {
    const { client } = await opened('intel-scalable.txt');
    const request = { requester: 0x30, pasid: null, iova: 0xffffc000n, access: 'read' as const };
    const walk = await client.request('walk', { inspection: 'text', request });
    assert.ok(walk.translation.ok);
    const step = walk.steps[2];
    assert.ok(step);
    const entry = await client.request('entry', { inspection: 'text', entry: step.entry });
    assert.match(entry.title, /^PASID-table entry, whose address is not in the dump/);
    assert.deepEqual(
      entry.problems.map(({ code, word }) => [code, word]),
      [3, 4, 5, 6, 7].map((word) => ['entry/unknown', word]),
    );
  });

  it('refuses an image that neither has a description nor needs none', async () => {
    const { client } = inProcessEngine();
    const image = { kind: 'path' as const, path: path.join(TEXTS, '../../../samples/vtd-4level.elf.gz') };
    await assert.rejects(
      client.request('open', { inspection: 'elf', description: '', image }),
      (error) => error instanceof RequestError && error.failure.code === 'image/no-description',
    );
  });
});
