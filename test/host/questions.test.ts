import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import type { AnswerElement } from '../../src/host/views/answerElements';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, descend, must, run } from './support';

describe('Results', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  const below = async (element?: AnswerElement): Promise<readonly AnswerElement[]> =>
    (await api.results.getChildren(element)) ?? [];

  it('shows who reaches a physical address, and reveals it in Domains', async () => {
    await must('iopte.findPhysical', { address: '0x14ece5010' });
    const rows = await below();
    const [first] = rows;
    ok(first?.place?.kind === 'iova');
    equal(first.place.iova, 0xffee0010n);
    match(first.wording.description, /DID 4, RW, 00:02\.0/);
    await must('iopte.revealResult', first);
    await until('the run', () => api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    ok(api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    ok(api.selected.node.run.iova <= 0xffee0010n);
    await must('iopte.copyResult', first);
    match(await vscode.env.clipboard.readText(), /^0xffee0010 DID 4, RW, 00:02\.0/);
    const item = await api.results.getTreeItem(first);
    match(item.accessibilityInformation?.label ?? '', /reaches 0x14ece5010/);
  });

  it('finds what a run of Domains leads to', async () => {
    await must('iopte.findPhysical', { address: '0x14ece5000' });
    await must('iopte.revealResult', (await below())[0]);
    await until('the run', () => api.selected?.kind === 'node' && api.selected.node.kind === 'run');
    const { selected } = api;
    ok(selected?.kind === 'node' && selected.node.kind === 'run');
    const { paddr, iova } = selected.node.run;
    await must('iopte.findPhysical', selected);
    const places = (await below()).map(({ place }) => (place?.kind === 'iova' ? place.iova : undefined));
    ok(places.includes(iova), String(paddr));
  });

  it('refuses what is no address, and says what is expected', async () => {
    const wrong = await run('iopte.findPhysical', { address: '0x2000..0x1000' });
    match(JSON.stringify(wrong), /0x1000\.\.0x2000 \(without the end\)/);
  });

  it('lists aliases by kind, each with its mappings', async () => {
    await must('iopte.showAliases', {});
    const kinds = await below();
    ok(kinds.length > 0);
    const [alias] = await below(kinds[0]);
    ok(alias);
    const mappings = await below(alias);
    ok(mappings.length > 1);
    for (const { place } of mappings) equal(place?.kind, 'iova');
  });

  it('compares two images, and goes when one of them is closed', async () => {
    await must('iopte.openSample', 'vtd-4level');
    const [first, second] = await children(api);
    ok(first && second);
    const ids = [first, second].map(({ inspection }) => inspection.id);
    await must('iopte.compareWith', { inspection: ids[0], other: ids[0] });
    deepEqual(await below(), []);
    await must('iopte.compareWith', { inspection: ids[0], other: ids[1] });
    const rows = await below();
    ok(
      rows.some(({ wording }) => wording.icon === 'diff-modified'),
      'domains of other roots',
    );
    const domain = rows.find(({ children: read }) => read !== undefined);
    ok(domain);
    const runs = await below(domain);
    ok(runs.some(({ wording }) => wording.icon === 'diff-added'));
    await must('iopte.closeInspection', second);
    deepEqual(await below(), []);
  });
});

describe('Bookmarks', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  const rows = async () => (await api.bookmarks.getChildren()) ?? [];

  it('keep a row of Domains with a note, and lead back to it after the image was closed', async () => {
    const device = await descend(api, 'dmar0', '00:02.0');
    await must('iopte.addBookmark', device, { note: 'the disk' });
    const [first, ...others] = await rows();
    ok(first);
    equal(others.length, 0);
    const item = await api.bookmarks.getTreeItem(first);
    match(String(item.description), /^the disk — vtd-3level-1g/);
    await must('iopte.editBookmark', first, { note: 'the network card' });
    const [edited] = await rows();
    equal(edited?.bookmark.note, 'the network card');
    await must('iopte.copyBookmark', edited);
    match(await vscode.env.clipboard.readText(), /00:02\.0.*\tthe network card$/);
    await closeAll(api);
    await must('iopte.revealBookmark', edited);
    await until('the device', () => api.selected?.kind === 'node' && api.selected.node.kind === 'device');
    equal((await children(api)).length, 1);
    await must('iopte.deleteBookmark', edited);
    deepEqual(await rows(), []);
  });

  it('are written beside the image only when asked, and read again when it is opened', async () => {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    ok(folder);
    const image = vscode.Uri.joinPath(folder, 'vtd-3level-1g.iopte.json');
    const file = vscode.Uri.joinPath(folder, 'vtd-3level-1g.iopte-bookmarks.json');
    await closeAll(api);
    await must('iopte.openMemoryImage', image);
    await must('iopte.addBookmark', await descend(api, 'dmar0', '00:03.0'), { note: 'kept' });
    const names = async () => (await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name);
    ok(!(await names()).includes('vtd-3level-1g.iopte-bookmarks.json'));
    await must('iopte.saveBookmarks', {});
    ok((await names()).includes('vtd-3level-1g.iopte-bookmarks.json'));
    await must('iopte.deleteBookmark', (await rows())[0]);
    await closeAll(api);
    await must('iopte.openMemoryImage', image);
    await until('the bookmark', async () => (await rows()).length === 1);
    equal((await rows())[0]?.bookmark.note, 'kept');
    // A file of a later version is left as it is.
    const later = new TextEncoder().encode('{"version": 2, "marks": []}');
    await vscode.workspace.fs.writeFile(file, later);
    match(JSON.stringify(await run('iopte.saveBookmarks', {})), /version 2/);
    equal(new TextDecoder().decode(await vscode.workspace.fs.readFile(file)), '{"version": 2, "marks": []}');
    await vscode.workspace.fs.delete(file);
    await must('iopte.deleteBookmark', (await rows())[0]);
  });
});
