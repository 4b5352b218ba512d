import type { IopteApi } from '../../src/host/api';
import type { WalkElement } from '../../src/host/views/walkView';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, must, run, text } from './support';

describe('Walk', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  const rows = async (): Promise<readonly WalkElement[]> => (await api.walk.getChildren()) ?? [];

  it('shows the answer first and then each level, root to IOPTE', async () => {
    await must('iopte.walkIova', { device: '00:02.0', iova: '0xffee0000', access: 'read' });
    const [result, ...steps] = await rows();
    ok(result?.kind === 'result');
    const { translation } = result.result;
    ok(translation.ok);
    equal(translation.paddr, 0x14ece5000n);
    equal(translation.entry, 0x14ece5003n);
    match(result.result.summary, /0x14ece5000/);
    deepEqual(
      steps.map((each) => (each.kind === 'step' ? each.step.entry.role : each.kind)),
      ['root', 'context', 'table', 'table', 'table'],
    );
  });

  it('gives each step its fields', async () => {
    await must('iopte.walkIova', { device: '00:02.0', iova: '0xffee0000', access: 'read' });
    const last = (await rows()).at(-1);
    ok(last?.kind === 'step');
    const fields = (await api.walk.getChildren(last)) ?? [];
    const names = fields.map((each) => (each.kind === 'line' ? each.wording.label : ''));
    ok(names.includes('R') && names.includes('W'), names.join(' '));
  });

  it('says why a request fails and what to do next', async () => {
    await must('iopte.walkIova', { device: '00:02.0', iova: '0x5000', access: 'write' });
    const [result] = await rows();
    ok(result?.kind === 'result');
    deepEqual(result.result.translation.ok, false);
    match(result.result.summary, /not present|nothing/i);
    const item = await api.walk.getTreeItem(result);
    const { hint = '' } = result.result;
    match(hint, /^Nothing is mapped here\. Go to the IOVA in the tree/);
    equal(item.accessibilityInformation?.label, `${result.result.summary} ${hint}`);
  });

  it('reveals every step in Domains', async () => {
    await must('iopte.walkIova', { device: '00:02.0', iova: '0xffee0000', access: 'read' });
    const seen: string[] = [];
    for (const row of (await rows()).slice(1)) {
      await must('iopte.revealStep', row);
      const before = seen.at(-1);
      await until('the selection', () => api.selected !== undefined && api.selected.id !== before);
      seen.push(api.selected?.id ?? '');
    }
    equal(seen.length, 5);
    equal(new Set(seen).size, 5, 'each step is a place of its own');
    match(seen[0] ?? '', /i:dmar0$/);
    match(seen[4] ?? '', /\/r:[0-9a-f]+$/);
  });

  it('walks a device in pass-through and reveals it', async () => {
    await closeAll(api);
    await must('iopte.openSample', 'vtd-passthrough');
    const [image] = await children(api);
    ok(image);
    match(await text(api, image), /vtd-passthrough/);
    await must('iopte.walkIova', { device: '0x10', iova: '0x1000', access: 'read' });
    const [result, , last] = await rows();
    ok(result?.kind === 'result' && result.result.translation.ok);
    equal(result.result.translation.paddr, 0x1000n);
    equal(result.result.translation.entry, null);
    await must('iopte.revealStep', last);
    await until('the device', () => api.selected?.kind === 'node' && api.selected.node.kind === 'device');
  });

  it('refuses values that are none, and says what is expected', async () => {
    const wrong = await run('iopte.walkIova', { device: '00:2', iova: '0x0', access: 'read' });
    match(JSON.stringify(wrong), /bus:device\.function/);
    const range = await run('iopte.walkIova', {
      device: '0x10',
      iova: '0xfffffffffffffffff',
      access: 'read',
    });
    match(JSON.stringify(range), /at most 64 bits/);
  });
});
