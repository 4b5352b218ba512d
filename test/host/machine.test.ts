import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { deepEqual, equal, match, ok, until } from './assert';
import {
  activated,
  children,
  closeAll,
  descend,
  inFolder,
  must,
  readText,
  run,
  snapshot,
  text,
} from './support';

const DEVICE = '00:02.0';
const [IOTLB, FAULTS, LEDGER] = [0, 1, 2];

/** Rows of IOTLB, Faults or Ledger as they read. */
async function rows(api: IopteApi, view: number): Promise<readonly string[]> {
  const provider = api.machineViews[view];
  ok(provider);
  const elements = (await provider.getChildren()) ?? [];
  const items = await Promise.all(elements.map(async (element) => provider.getTreeItem(element)));
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

  /** Everything below the machine's domain. */
  const tables = async (): Promise<readonly string[]> =>
    snapshot(api, await descend(api, 'iommu0', DEVICE, 'DID 1'));

  async function has(pattern: RegExp): Promise<void> {
    const lines = await tables();
    ok(
      lines.some((each) => pattern.test(each)),
      `${String(pattern)} in: ${lines.join('; ')}`,
    );
  }

  /** The number of operations that the row of the machine says. */
  async function operations(): Promise<number> {
    const [root] = await children(api);
    ok(root);
    return Number(/emulated, (\d+) operation/.exec(await text(api, root))?.[1]);
  }

  it('shows its domain, with guest memory mapped by the largest pages', async () => {
    const domain = await descend(api, 'iommu0', DEVICE, 'DID 1');
    const [root] = await children(api);
    ok(root);
    match(await text(api, root), /Intel VT-d 4G \| emulated, 0 operations/);
    match(await text(api, domain), /4 levels/);
    await has(/ 0x0\.\.0x80000000 \| 2 × 1G RW → /);
  });

  it('follows DMA: A and D in Domains, a translation in IOTLB, nothing in Faults', async () => {
    await must('iopte.injectDma', write('0x40000000'));
    await has(/ 0x40000000 \| 1G RW AD → /);
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

  it('marks a cached translation that memory no longer says, and takes it back', async () => {
    const { entry } = await entryOf(api, '0x40000000');
    await must('iopte.writeWord', { address: `0x${entry.toString(16)}`, word: '0' });
    match((await rows(api, IOTLB))[0] ?? '', /Memory refuses this page now: not-present/);
    await must('iopte.showStale');
    equal((await rows(api, IOTLB)).length, 1);
    await must('iopte.undoOperation');
    deepEqual(await rows(api, IOTLB), []);
    await must('iopte.showCached');
    equal((await rows(api, IOTLB)).length, 1);
  });

  it('splits a leaf and keeps its dirty bit, and collapses it again', async () => {
    await must('iopte.splitIopte', { domain: 4, iova: '0x40000000', length: '1G', size: '2M' });
    await has(/512 × 2M RW A?D → /);
    await must('iopte.collapseTable', { domain: 4, iova: '0x40000000', length: '1G', size: '1G' });
    await has(/ 0x40000000 \| 1G RW A?D → /);
  });

  it('splits with another protocol, by its name', async () => {
    const before = await operations();
    const range = { domain: 4, iova: '0x40000000', length: '1G' };
    await must('iopte.splitIopte', { ...range, size: '2M', protocol: 'split.break-before-make' });
    await has(/512 × 2M RW/);
    await must('iopte.undoOperation');
    equal(await operations(), before);
    await has(/ 0x40000000 \| 1G RW A?D → /);
  });

  it('maps and unmaps, and refuses what is there already', async () => {
    const range = { domain: 4, iova: '0x200000000', length: '4M' };
    await must('iopte.mapRange', { ...range, paddr: '0x0', permission: 'R' });
    await has(/ 0x200000000\.\.0x200400000 \| 2 × 2M R → /);
    const mapped = await tables();
    await must('iopte.mapRange', { ...range, paddr: '0x0', permission: 'RW' });
    deepEqual(await tables(), mapped);
    await must('iopte.invalidateRange', range);
    await must('iopte.unmapRange', range);
    ok(!(await tables()).some((each) => / 0x200000000\S* \| .* → /.test(each)), 'the table may stay, empty');
  });

  it('reads and clears dirty pages into Results', async () => {
    await must('iopte.readDirty', { domain: 4 });
    equal((await api.results.getChildren())?.length, 1);
    await must('iopte.readClearDirty', { domain: 4 });
    const found = (await api.results.getChildren()) ?? [];
    equal(found.length, 1);
    const [row] = found;
    ok(row);
    equal((await api.results.getTreeItem(row)).label, '0x40000000..0x80000000');
    await must('iopte.readClearDirty', { domain: 4 });
    deepEqual(await api.results.getChildren(), []);
  });

  it('stops and starts dirty tracking', async () => {
    await must('iopte.setDirtyTracking', { domain: 4, enable: false });
    await must('iopte.evictCaches');
    deepEqual(await rows(api, IOTLB), []);
    await must('iopte.injectDma', write('0x0'));
    await has(/ 0x0\.\.0x80000000 \| 2 × 1G RW → |0x0 \| 1G RW → /);
    await must('iopte.setDirtyTracking', { domain: 4, enable: true });
    await must('iopte.injectDma', write('0x0'));
    await has(/ 0x0 \| 1G RW AD → /);
  });

  it('is filtered, copied and exported as an image is', async () => {
    await must('iopte.setFilter', { where: 'dirty' });
    const dirty = await tables();
    ok(dirty.length > 0 && dirty.every((each) => !each.includes('RW → ')), dirty.join('; '));
    await must('iopte.clearFilter');
    const domain = await descend(api, 'iommu0', DEVICE, 'DID 1');
    await must('iopte.copyAs', domain, { form: 'row' });
    match(await vscode.env.clipboard.readText(), /DID 1/);
    const target = inFolder('machine.csv');
    await must('iopte.exportList', { domain: 'all', format: 'csv', target });
    match(await readText(target), /^iommu,stage,domain/);
    await vscode.workspace.fs.delete(target);
  });

  it('is compared with another, and takes bookmarks', async () => {
    const [first] = await children(api);
    ok(first);
    await must('iopte.newMachine', machine());
    const [, second] = await children(api);
    ok(second);
    equal((await text(api, second)).split(' | ')[0], 'Intel VT-d 4G (2)');
    await must('iopte.compareWith', {
      inspection: first.inspection.id,
      other: second.inspection.id,
      ignoreMarks: false,
    });
    ok(((await api.results.getChildren()) ?? []).length > 0, 'a dirty page differs');
    await must('iopte.closeInspection', second);
    const domain = await descend(api, 'iommu0', DEVICE, 'DID 1');
    await must('iopte.addBookmark', domain, { note: 'of a machine' });
    const [bookmark] = (await api.bookmarks.getChildren()) ?? [];
    ok(bookmark);
    await must('iopte.revealBookmark', bookmark);
    match(JSON.stringify(await run('iopte.saveBookmarks')), /emulated machine, and has no file/);
    match(JSON.stringify(await run('iopte.openDescription')), /emulated machine, and has no file/);
    await must('iopte.deleteBookmark', bookmark);
  });

  it('says the errno of what the driver refuses, and changes nothing', async () => {
    const before = await tables();
    await must('iopte.unmapRange', { domain: 4, iova: '0x40000000', length: '4K' });
    deepEqual(await tables(), before);
  });

  it('refuses a domain that it does not have, and does nothing', async () => {
    const before = await operations();
    const failure = await run('iopte.readClearDirty', { domain: 99 });
    match(JSON.stringify(failure), /The machine has no domain 99.*named by their HWPT: 4/);
    equal(await operations(), before);
  });

  it('refuses lines of a trace that are no requests, by their number', async () => {
    const text = '{"sid":"00:02.0","iova":"0x0"}\n{"sid":"00:02.0"}\n';
    const failure = await run('iopte.injectDma', { text });
    match(JSON.stringify(failure), /text, line 2: .*iova.* is missing/);
  });

  it('refuses what no hardware is, and opens nothing', async () => {
    const impossible = machine({ capabilities: { dirtyTracking: true, scalable: false } });
    match(JSON.stringify(await run('iopte.newMachine', impossible)), /machine\/refused/);
    const large = machine({ memory: '16E' });
    match(JSON.stringify(await run('iopte.newMachine', large)), /machine\/refused/);
    const untracked = machine({ tables: 'first-stage' });
    match(JSON.stringify(await run('iopte.newMachine', untracked)), /EOPNOTSUPP/);
    equal((await children(api)).length, 1);
  });

  it('attaches a device to nothing and back', async () => {
    const before = (await rows(api, FAULTS)).length;
    await must('iopte.attachDevice', { requester: DEVICE, to: 'blocked' });
    await must('iopte.injectDma', write('0x40000000'));
    equal((await rows(api, FAULTS)).length, before + 1);
    await must('iopte.attachDevice', { requester: DEVICE, to: 4 });
    await must('iopte.injectDma', write('0x40000000'));
    equal((await rows(api, FAULTS)).length, before + 1);
  });

  it('attaches a device to a domain of its own', async () => {
    await must('iopte.attachDevice', { requester: '00:04.0', to: 'new' });
    await descend(api, 'iommu0', '00:04.0', 'DID 2');
    await must('iopte.undoOperation');
    await must('iopte.undoOperation');
  });

  it('is the same after its engine was lost: built again from what was done', async () => {
    const [tree, cached, faults] = [await snapshot(api), await rows(api, IOTLB), await rows(api, FAULTS)];
    await must('iopte.restartEngine');
    deepEqual(await snapshot(api), tree);
    deepEqual(await rows(api, IOTLB), cached);
    deepEqual(await rows(api, FAULTS), faults);
  });

  it('is the same after an engine was lost that did a long trace, which is kept in a file', async () => {
    const requests = Array.from({ length: 3000 }, (_each, index) => ({
      ...{ sid: DEVICE, pasid: null, length: 64, access: 'write' },
      iova: `0x${(index * 4096).toString(16)}`,
    }));
    await must('iopte.injectDma', { requests });
    const [tree, cached, count] = [await snapshot(api), await rows(api, IOTLB), await operations()];
    await must('iopte.restartEngine');
    deepEqual(await snapshot(api), tree);
    deepEqual(await rows(api, IOTLB), cached);
    await must('iopte.undoOperation');
    equal(await operations(), count - 1);
  });

  it('does operations that are asked for at once one after the other', async () => {
    const before = await operations();
    await Promise.all([0, 1, 2, 3].map((gib) => must('iopte.injectDma', write(`0x${gib}0000000`))));
    equal(await operations(), before + 4);
    // The tree is asked for anew after each of them: it is whole when it says the same twice.
    let tree = await snapshot(api);
    await until('the tree', async () => {
      const before = tree.length;
      tree = await snapshot(api);
      return tree.length === before;
    });
    await must('iopte.restartEngine');
    deepEqual(await snapshot(api), tree);
  });

  it('is saved as an image that opens equal, and is no recent image', async () => {
    const before = await tables();
    const uri = inFolder('saved.elf');
    await must('iopte.saveMachine', { uri });
    await closeAll(api);
    await must('iopte.openMemoryImage', inFolder('saved.iopte.json'));
    await until('the image', async () => (await children(api)).length === 1);
    const after = await tables();
    deepEqual(
      after.map((line) => line.replace(/^\S+ /, '')),
      before.map((line) => line.replace(/^\S+ /, '')),
    );
    const failure = await run('iopte.injectDma', write('0x0'));
    match(JSON.stringify(failure), /only emulated machines can be changed/);
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
