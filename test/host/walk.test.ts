import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import type { WalkElement } from '../../src/host/views/walkElements';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, inFolder, must, run, text, writeText } from './support';

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
    equal(item.accessibilityInformation?.label, `${result.result.summary} fault reason 5h. ${hint}`);
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

  it('refuses a device that several IOMMUs may own, and names them', async () => {
    const iommu = (name: string) => ({ name, kind: 'vt-d', registers: { RTADDR: '0x2f8f000' } });
    const description = { version: 1, image: 'vtd-4level.elf.gz', iommus: [iommu('dmar0'), iommu('dmar1')] };
    await writeText('two.iopte.json', JSON.stringify(description));
    await must('iopte.openMemoryImage', inFolder('two.iopte.json'));
    const request = { device: '00:02.0', iova: '0xffed8000', access: 'read' };
    const failure = JSON.stringify(await run('iopte.walkIova', request));
    match(failure, /request\/ambiguous-device.*more than one IOMMU: dmar0, dmar1/);
    await must('iopte.walkIova', { ...request, iommu: 'dmar1' });
    const [result] = await rows();
    ok(result?.kind === 'result' && result.result.translation.ok && result.result.iommu === 'dmar1');
  });
});

describe('Walk through two stages', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'smmuv3-nested');
  });
  after(() => closeAll(api));

  const walk = async (iova: string, pasid?: string): Promise<readonly WalkElement[]> => {
    await must('iopte.walkIova', { device: '0x10', iova, access: 'read', ...(pasid && { pasid }) });
    return (await api.walk.getChildren()) ?? [];
  };
  const below = async (element: WalkElement | undefined): Promise<readonly WalkElement[]> => {
    ok(element);
    return (await api.walk.getChildren(element)) ?? [];
  };
  const labels = async (elements: readonly WalkElement[]): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const each of elements) {
      const { label } = await api.walk.getTreeItem(each);
      found.push(typeof label === 'string' ? label : '');
    }
    return found;
  };

  it('puts the steps of each stage below it', async () => {
    const all = await walk('0x123456000', '1');
    deepEqual(await labels(all), [
      '→ 0x89ab4d000',
      'Stream table entry (STE)',
      'Context descriptor (CD)',
      'Stage 1',
      'Stage 2 of guest address 0x42080000',
    ]);
    const levels = (name: string) => [1, 2, 3].map((level) => `${name} descriptor, level ${String(level)}`);
    deepEqual(await labels(await below(all[3])), levels('S1'));
    deepEqual(await labels(await below(all[4])), levels('S2'));
  });

  it('shows the stage-2 walk of every access of stage 1 below its step', async () => {
    const all = await walk('0x123456000', '1');
    const [first] = await below(all[3]);
    const stage = (await below(first)).find(({ kind }) => kind === 'stage');
    ok(stage);
    deepEqual(await labels([stage]), ['Stage-2 walk of guest address 0x44005020']);
    equal((await below(stage)).length, 3);
    // The context descriptor is in guest memory, too.
    ok((await below(all[2])).some(({ kind }) => kind === 'stage'));
  });

  it('says which stage refused, and the vendor’s name of the fault', async () => {
    const [result] = await walk('0xff002000');
    ok(result);
    const item = await api.walk.getTreeItem(result);
    equal(item.label, 'Refused: not-present, level 2 of stage 2');
    match(String(item.description), /^F_TRANSLATION \(0x10\)\. Read of 0xff002000 is refused/);
  });

  it('is copied as text with both stages', async () => {
    const [result] = await walk('0x123456000', '1');
    await must('iopte.copyAs', result, { form: 'row' });
    const lines = (await vscode.env.clipboard.readText()).split('\n');
    equal(lines[0], 'read 0x123456000, 00:02.0 (StreamID 0x10, SubstreamID 0x1), smmu0');
    for (const line of [
      'Stage 1',
      '  S1 descriptor, level 1 [4] 0x4400f003 @ 0x44005020 RW: table of level 2 at 0x4400f000',
      '    Stage-2 walk of guest address 0x44005020',
      'Stage 2 of guest address 0x42080000',
      '  S2 descriptor, level 3 [128] 0x89ab4d7ff @ 0x41a400 RW: 4K page at 0x89ab4d000',
    ]) {
      ok(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
    }
  });

  it('reveals a step of stage 2 in the tables of stage 2', async () => {
    const all = await walk('0x123456000', '1');
    const last = (await below(all[4])).at(-1);
    await must('iopte.revealStep', last);
    await until('the stage-2 run', () => {
      const { selected } = api;
      if (selected?.kind !== 'node' || selected.node.kind !== 'run') return false;
      const { run: found } = selected.node;
      return found.entry.domain?.stage === 2 && found.iova <= 0x42080000n;
    });
  });
});
