import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, descend, must, run, snapshot, text, texts } from './support';

// Of the guest's manifest: 00:03.0 has 16 leaves of 4K and 2 of 2M, 3 levels; 00:02.0 maps 0xffee0000.
const DEVICE = '00:02.0';
const IOVA = '0xffee0000';
const PADDR = '0x14ece5000';
const WORD = 0x14ece5003n;

describe('Domains', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  it('shows IOMMU, device, domain, table and IOPTE', async () => {
    const domain = await descend(api, 'dmar0', DEVICE, 'DID 4');
    match(await text(api, domain), /3 levels, root 0x14ab2b000/);
    const level2 = await descend(api, 'dmar0', DEVICE, 'DID 4', '0xc0000000..0x100000000');
    match(await text(api, level2), /level 2 table/);
    const level1 = await children(api, level2);
    deepEqual(level1.length, 1);
    const [table] = level1;
    ok(table);
    const runs = await texts(api, await children(api, table));
    ok(runs.length > 0);
    ok(
      runs.every((each) => /\| (\d+ × )?4K (RW|R)( AD?| D)? → 0x[0-9a-f]+$/.test(each)),
      runs.join('; '),
    );
  });

  it('says every item to a screen reader and gives it a tooltip on demand', async () => {
    const level2 = await descend(api, 'dmar0', DEVICE, 'DID 4', '0xc0000000');
    const item = await api.domains.getTreeItem(level2);
    ok(item.accessibilityInformation?.label);
    equal(item.tooltip, undefined);
  });

  it('counts what a domain maps when somebody rests on it', async () => {
    const domain = await descend(api, 'dmar0', DEVICE, 'DID 4');
    const item = await api.domains.getTreeItem(domain);
    const { token } = new vscode.CancellationTokenSource();
    const resolved = await api.domains.resolveTreeItem?.(item, domain, token);
    const tooltip = resolved?.tooltip;
    ok(tooltip instanceof vscode.MarkdownString);
    // Of the manifest: 187 leaves of 4K, 183 RW and 4 R, one table a level, 765952 bytes.
    const lines = tooltip.value.replaceAll('&nbsp;', ' ');
    for (const fact of ['748K', '187', '183 RW', '4 R']) ok(lines.includes(fact), lines);
  });

  it('shows where an IOVA stands', async () => {
    await must('iopte.goToIova', { domain: '4', iova: IOVA });
    await until('the selection', () => api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    const selected = api.selected;
    ok(selected?.kind === 'node' && selected.node.kind === 'run');
    const { iova, length, paddr } = selected.node.run;
    ok(BigInt(IOVA) >= iova && BigInt(IOVA) < iova + length);
    equal(BigInt(PADDR) - paddr, BigInt(IOVA) - iova);
  });

  it('shows the selected entry in Entry', async () => {
    await must('iopte.goToIova', { domain: '4', iova: IOVA });
    await until('the entry', () => api.entry?.words[0] === WORD);
    match(api.entry?.title ?? '', /level 1/);
  });

  it('says in which domains there are when there is none by that name', async () => {
    const failure = await run('iopte.goToIova', { domain: '99', iova: IOVA });
    match(JSON.stringify(failure), /no domain 99.*dmar0\/4\/0x14ab2b000/);
  });

  it('copies an entry as hexadecimal, decimal and binary, its address, and the row', async () => {
    await must('iopte.goToIova', { domain: '4', iova: IOVA });
    await until('the selection', () => api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    const copied = async (form: string): Promise<string> => {
      await must('iopte.copyAs', api.selected, { form });
      return vscode.env.clipboard.readText();
    };
    equal(await copied('hex'), '0x14ece5003');
    equal(await copied('decimal'), WORD.toString());
    equal(await copied('binary'), `0b${WORD.toString(2).padStart(64, '0')}`);
    match(await copied('address'), /^0xffee0000/);
    match(await copied('row'), /^0xffee0000.*→ 0x14ece5000/);
  });

  it('narrows to what a filter lets through, and widens again', async () => {
    const all = await snapshot(api);
    await must('iopte.setFilter', { where: 'size >= 2M' });
    const filtered = await snapshot(api);
    const runs = filtered.filter((line) => line.includes('→'));
    ok(filtered.length < all.length);
    ok(runs.length > 0 && runs.every((line) => /\| (\d+ × )?(2M|1G) /.test(line)), runs.join('\n'));
    await must('iopte.clearFilter');
    deepEqual(await snapshot(api), all);
  });

  it('says where a filter is wrong and keeps the one before', async () => {
    const failure = await run('iopte.setFilter', { where: 'perm = rw and sze > 2M' });
    match(JSON.stringify(failure), /column 15.*⟦sze⟧/);
    equal(
      (await snapshot(api)).some((line) => line.includes('filtered')),
      false,
    );
  });
});

describe('Domains of an image that lost pages', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-incomplete');
  });
  after(() => closeAll(api));

  it('says which tables cannot be read, and does not offer to open them', async () => {
    const lines = (await snapshot(api)).filter((line) => line.includes('cannot be read'));
    equal(lines.length, 3, lines.join('\n'));
  });

  it('says why a walk ends at a lost table', async () => {
    await must('iopte.walkIova', { device: '00:06.0', iova: '0x0', access: 'read' });
    const [result] = (await api.walk.getChildren()) ?? [];
    ok(result?.kind === 'result' && !result.result.translation.ok);
    equal(result.result.translation.fault, 'table-unreadable');
    match(
      (await api.walk.getTreeItem(result)).accessibilityInformation?.label ?? '',
      /not in the image|holds no|missing/i,
    );
  });
});

describe('Domains of an SMMU with two stages', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'smmuv3-nested');
  });
  after(() => closeAll(api));

  it('names devices and processes by the vendor’s words', async () => {
    const devices = await texts(api, await children(api, await descend(api, 'smmu0')));
    deepEqual(
      devices.map((each) => each.replace(/ {2,}/g, ' ')),
      [
        '00:02.0 | StreamID 0x10, ASID 1, VMID 7',
        '00:02.0 SubstreamID 0x1 | StreamID 0x10, ASID 2, VMID 7',
        '00:03.0 | StreamID 0x18, VMID 7',
        '1 device without a table | pass-through',
      ],
    );
  });

  it('shows every address space of a device with its stage and format', async () => {
    const domains = await texts(api, await children(api, await descend(api, 'smmu0', '00:02.0 |')));
    deepEqual(
      domains.map((each) => each.replace(/, 3 levels, root .*/, '')),
      [
        'ASID 1 on VMID 7 | stage 1, Armv8 stage 1, 4K granule',
        'ASID 1 on VMID 7 | stage 1, upper half, Armv8 stage 1, 4K granule',
        'VMID 7 | stage 2, Armv8 stage 2, 4K granule',
      ],
    );
  });

  it('goes to an IOVA of the stage that was named', async () => {
    await must('iopte.goToIova', { domain: 'smmu0/2/0x44005000/7/0x410000', iova: '0x123456000' });
    await until('the run', () => api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    const failure = await run('iopte.goToIova', { domain: '1', iova: '0x0' });
    match(JSON.stringify(failure), /more than one domain.*smmu0\/1\/0x44001000\/7\/0x410000/);
  });
});

describe('Domains of every vendor', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
  });
  beforeEach(() => closeAll(api));
  after(() => closeAll(api));

  for (const [sample, device, domain] of [
    ['vtd-scalable', '00:07.0 | source-id 0x38, DID 9', 'DID 9 | stage 1, VT-d first stage'],
    ['amd-v1', '00:08.0 | DeviceID 0x40, DomainID 11', 'DomainID 11 | stage 2, AMD'],
    ['smmuv3-two-stages', '00:07.0 | StreamID 0x38, VMID 1', 'VMID 1 | stage 2, Armv8 stage 2, 4K'],
    ['riscv-sv57', '00:06.0 | device_id 0x30, PSCID 9', 'PSCID 9 | stage 1, RISC-V Sv57'],
  ] as const) {
    it(`are shown of the sample ${sample}`, async () => {
      await must('iopte.openSample', sample);
      const [image] = await children(api);
      ok(image);
      const [iommu] = await children(api, image);
      ok(iommu);
      const name = (await text(api, iommu)).split(' ')[0] ?? '';
      match(await text(api, await descend(api, name, device, domain)), /levels, root 0x[0-9a-f]+$/);
    });
  }
});
