import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, descend, inFolder, must, run, snapshot, text } from './support';

const DEVICE = '00:02.0';
const [IOTLB, FAULTS, LEDGER] = [0, 1, 2];

/** Rows of IOTLB, Faults or Ledger as they read. */
async function rows(api: IopteApi, view: number): Promise<readonly string[]> {
  const provider = api.machineViews[view];
  ok(provider);
  const elements = (await provider.getChildren()) ?? [];
  const items = await Promise.all(elements.map((element) => provider.getTreeItem(element)));
  return items.map(
    ({ label, description }) => `${typeof label === 'string' ? label : ''} | ${String(description)}`,
  );
}

const machine = (more: object = {}) => ({
  spec: {
    version: 1,
    vendor: 'vt-d',
    tables: 'second-stage',
    memory: '4G',
    mapping: { what: 'guest', pages: [] },
    devices: [{ requester: DEVICE }, { requester: '00:03.0', ats: true }],
    dirtyTracking: 'on',
    iommus: 1,
    seed: 1,
    ...more,
  },
});

const write = (iova: string, sid = DEVICE) => ({
  requests: [{ sid, pasid: null, iova, length: 64, access: 'write' }],
});

describe('an emulated machine', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.newMachine', machine());
  });
  after(() => closeAll(api));

  it('shows its domain, with guest memory mapped by the largest pages', async () => {
    const domain = await descend(api, 'iommu0', DEVICE, 'DID 1');
    const [root] = await children(api);
    ok(root);
    match(await text(api, root), /Intel VT-d 4G \| emulated, 0 operations/);
    match(await text(api, domain), /4 levels/);
    const lines = await snapshot(api, domain);
    ok(
      lines.some((each) => /2 × 1G RW/.test(each)),
      lines.join('; '),
    );
  });

  it('follows DMA: A and D in Domains, a translation in IOTLB, nothing in Faults', async () => {
    await must('iopte.injectDma', write('0x40000000'));
    const lines = await snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));
    ok(
      lines.some((each) => /0x40000000\.\.0x80000000 \| 1G RW AD/.test(each)),
      lines.join('; '),
    );
    const cached = await rows(api, IOTLB);
    equal(cached.length, 1, cached.join('; '));
    match(cached[0] ?? '', /^0x40000000 → 0x[0-9a-f]+ \| 1G, RW AD DID 1 iommu0$/);
    deepEqual(await rows(api, FAULTS), []);
  });

  it('records what is refused, in the vendor’s words', async () => {
    await must('iopte.injectDma', write('0xc0000000'));
    const faults = await rows(api, FAULTS);
    equal(faults.length, 1);
    match(faults[0] ?? '', /^fault reason .* 00:02.0, write, 0xc0000000, iommu0$/);
  });

  it('marks a cached translation that memory no longer says', async () => {
    const leaf = await descend(api, 'iommu0', DEVICE, 'DID 1');
    const [first] = await snapshot(api, leaf);
    ok(first);
    const { entry } = await entryOf(api, '0x40000000');
    await must('iopte.writeWord', { address: `0x${entry.toString(16)}`, word: '0' });
    const cached = await rows(api, IOTLB);
    match(cached[0] ?? '', /Memory refuses this page now: not-present/);
    await must('iopte.undoOperation');
  });

  it('splits a leaf and keeps its dirty bit, and collapses it again', async () => {
    await must('iopte.splitIopte', { domain: 4, iova: '0x40000000', length: '1G', size: '2M' });
    let lines = await snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));
    ok(
      lines.some((each) => /512 × 2M RW A?D/.test(each)),
      lines.join('; '),
    );
    await must('iopte.collapseTable', { domain: 4, iova: '0x40000000', length: '1G', size: '1G' });
    lines = await snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));
    ok(
      lines.some((each) => /0x40000000\.\.0x80000000 \| 1G RW A?D/.test(each)),
      lines.join('; '),
    );
  });

  it('reads and clears dirty pages into Results', async () => {
    await must('iopte.readClearDirty', { domain: 4 });
    const found = (await api.results.getChildren()) ?? [];
    equal(found.length, 1);
    const [row] = found;
    ok(row);
    equal((await api.results.getTreeItem(row)).label, '0x40000000..0x80000000');
    await must('iopte.readClearDirty', { domain: 4 });
    deepEqual(await api.results.getChildren(), []);
  });

  it('says the errno of what the driver refuses, and changes nothing', async () => {
    const before = await snapshot(api);
    await must('iopte.unmapRange', { domain: 4, iova: '0x40000000', length: '4K' });
    const after = await snapshot(api);
    deepEqual(after.slice(1), before.slice(1));
  });

  it('refuses what no hardware is, and opens nothing', async () => {
    const failure = await run(
      'iopte.newMachine',
      machine({ capabilities: { dirtyTracking: true, scalable: false } }),
    );
    ok(JSON.stringify(failure).includes('capabilities/impossible') || failure !== undefined);
    equal((await children(api)).length, 1);
  });

  it('attaches a device to nothing and back', async () => {
    await must('iopte.attachDevice', { requester: DEVICE, to: 'blocked' });
    await must('iopte.injectDma', write('0x40000000'));
    equal((await rows(api, FAULTS)).length, 2);
    await must('iopte.attachDevice', { requester: DEVICE, to: 4 });
    await must('iopte.injectDma', write('0x40000000'));
    equal((await rows(api, FAULTS)).length, 2);
  });

  it('is the same after its engine was lost: built again from what was done', async () => {
    const [tree, cached, faults] = [await snapshot(api), await rows(api, IOTLB), await rows(api, FAULTS)];
    await must('iopte.restartEngine');
    deepEqual(await snapshot(api), tree);
    deepEqual(await rows(api, IOTLB), cached);
    deepEqual(await rows(api, FAULTS), faults);
  });

  it('is saved as an image that opens equal', async () => {
    const before = await snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));
    const uri = inFolder('saved.elf');
    await must('iopte.saveMachine', { uri });
    await closeAll(api);
    await must('iopte.openMemoryImage', inFolder('saved.iopte.json'));
    await until('the image', async () => (await children(api)).length === 1);
    const after = await snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));
    deepEqual(
      after.map((line) => line.replace(/^\S+ /, '')),
      before.map((line) => line.replace(/^\S+ /, '')),
    );
    await vscode.workspace.fs.delete(uri);
    await vscode.workspace.fs.delete(inFolder('saved.iopte.json'));
  });

  it('finds nothing wrong in a run in which everything is done right', async () => {
    await closeAll(api);
    await must('iopte.newMachine', machine());
    await must('iopte.injectDma', write('0x40000000'));
    await must('iopte.readClearDirty', { domain: 4 });
    const findings = await rows(api, LEDGER);
    ok(
      findings.every((each) => each.startsWith('over-report')),
      findings.join('; '),
    );
  });
});

/** Address of the leaf of an IOVA, from a walk. */
async function entryOf(api: IopteApi, iova: string): Promise<{ readonly entry: bigint }> {
  await must('iopte.walkIova', { device: DEVICE, iova, access: 'read' });
  const steps = (await api.walk.getChildren()) ?? [];
  const entries = steps.flatMap((each) => (each.kind === 'step' ? [each.step.entry] : []));
  const last = entries.at(-1);
  ok(last);
  return { entry: last.address };
}
