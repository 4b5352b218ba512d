import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { samples } from '../../src/host/samples';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, inFolder, must, readText, run, text, writeText } from './support';

const DESCRIPTION = 'vtd-3level-1g.iopte.json';

describe('opening images', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
  });
  beforeEach(() => closeAll(api));
  after(() => closeAll(api));

  const failureOf = async (name: string): Promise<string> =>
    JSON.stringify(await run('iopte.openMemoryImage', inFolder(name)));

  it('opens a description of the folder', async () => {
    await must('iopte.openMemoryImage', inFolder(DESCRIPTION));
    const [image] = await children(api);
    ok(image);
    equal(await text(api, image), 'vtd-3level-1g | vtd-3level-1g.raw.gz');
  });

  it('opens an image by the description beside it', async () => {
    await must('iopte.openInInspector', inFolder('vtd-4level.elf.gz'));
    const [summary] = await api.summaries();
    equal(summary?.image.name, 'vtd-4level.elf.gz');
    deepEqual(
      summary?.iommus.map(({ name }) => name),
      ['dmar0'],
    );
  });

  it('opens what was dropped or selected together', async () => {
    const uris = [inFolder(DESCRIPTION), inFolder('vtd-passthrough.iopte.json')];
    await must('iopte.openInInspector', uris[0], uris);
    equal((await children(api)).length, 2);
  });

  it('opens anew what is open already', async () => {
    await must('iopte.openMemoryImage', inFolder(DESCRIPTION));
    await must('iopte.openMemoryImage', inFolder(DESCRIPTION));
    equal((await children(api)).length, 1);
  });

  it('opens a text dump without a description and without a question', async () => {
    const row = [
      '0000000000000000',
      '0000000000002003',
      '0000000000003003',
      '0000000000004003',
      '0000000000009003',
    ];
    const lines = [
      'Device 0000:00:02.0 @0x1000',
      'IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE',
      `0x0000000000005 |\t${row.map((digits) => `0x${digits}`).join('\t')}`,
    ];
    await writeText('domain.txt', `${lines.join('\n')}\n`);
    await must('iopte.openMemoryImage', inFolder('domain.txt'));
    const [summary] = await api.summaries();
    deepEqual(
      summary?.iommus.map(({ mode }) => mode),
      ['VT-d, from a text dump'],
    );
  });

  it('opens every sample without a word', async () => {
    const names = samples().map(({ name }) => name);
    for (const name of names) await must('iopte.openSample', name);
    equal((await children(api)).length, names.length);
    for (const { iommus } of await api.summaries()) {
      for (const { failure, translating } of iommus) ok(!failure && translating);
    }
  });

  it('offers exactly the samples that the extension has', async () => {
    const extension = vscode.extensions.getExtension('iopte.iopte-inspector');
    ok(extension);
    const samples = vscode.Uri.joinPath(extension.extensionUri, 'samples');
    const filesIn = async (uri: vscode.Uri): Promise<readonly string[]> =>
      (await vscode.workspace.fs.readDirectory(uri)).map(([name]) => name);
    const files = await filesIn(samples);
    const traces = await filesIn(vscode.Uri.joinPath(samples, 'traces'));
    const failure = JSON.stringify(await run('iopte.openSample', 'no-such-sample'));
    // Names of traces have dots.
    const listed = /The samples are: ([^"]+?)\.(?=["\s])/.exec(failure)?.[1]?.split(', ') ?? [];
    const there = files
      .filter((name) => name.endsWith('.iopte.json'))
      .map((name) => name.replace('.iopte.json', ''));
    deepEqual([...listed].sort(), [...there, ...traces].sort());
  });

  it('says which image is missing and what to do', async () => {
    await writeText('missing.iopte.json', '{"version": 1, "image": "gone.elf", "iommus": []}');
    const failure = await failureOf('missing.iopte.json');
    match(failure, /gone\.elf cannot be read: there is no such file or folder\..*hint.*description/);
    equal((await children(api)).length, 0);
  });

  it('says what is wrong with a description and what to do', async () => {
    await writeText(
      'broken.iopte.json',
      '{"version": 1, "image": "vtd-4level.elf.gz", "iommus": [{"name": "x"}]}',
    );
    match(await failureOf('broken.iopte.json'), /iommus\[0\]\.kind is missing\..*"hint":"Add one of .*vt-d/);
    await writeText('no-image.iopte.json', '{"version": 1}');
    match(await failureOf('no-image.iopte.json'), /does not name an image.*hint.*image/);
    equal((await children(api)).length, 0);
  });

  it('says that a file is no image of its description', async () => {
    await writeText('text.elf', 'this is no ELF file\n');
    await writeText(
      'text.iopte.json',
      '{"version": 1, "image": "text.elf", "iommus": [{"name": "a", "kind": "vt-d", "registers": {"RTADDR": "0x1000"}}]}',
    );
    match(await failureOf('text.iopte.json'), /text\.elf.*hint/);
  });

  it('reads an image again', async () => {
    await writeText('again.iopte.json', await readText(inFolder('vtd-4level.iopte.json')));
    await must('iopte.openMemoryImage', inFolder('again.iopte.json'));
    const text = (await readText(inFolder('again.iopte.json'))).replace('dmar0', 'renamed');
    await writeText('again.iopte.json', text);
    await must('iopte.refreshInspection');
    const [summary] = await api.summaries();
    equal(summary?.iommus[0]?.name, 'renamed');
  });

  it('reads the image that the description names now', async () => {
    const name = 'other-image.iopte.json';
    const described = await readText(inFolder('vtd-4level.iopte.json'));
    await writeText(name, described);
    await must('iopte.openMemoryImage', inFolder(name));
    await writeText(name, described.replace('vtd-4level.elf.gz', 'vtd-passthrough.elf.gz'));
    await must('iopte.refreshInspection');
    const [summary] = await api.summaries();
    equal(summary?.image.name, 'vtd-passthrough.elf.gz');
    const [image] = await children(api);
    ok(image);
    equal(await text(api, image), 'other-image | vtd-passthrough.elf.gz');
    await writeText(name, '{"version": 1}');
    match(JSON.stringify(await run('iopte.refreshInspection')), /does not name an image.*hint/);
  });

  it('finds problems of a description in the editor, with their place', async () => {
    await writeText(
      'checked.iopte.json',
      '{"version": 1, "image": "gone.raw", "iommus": [{"name": "a", "kind": "vt-x"}]}',
    );
    const uri = inFolder('checked.iopte.json');
    await vscode.window.showTextDocument(uri);
    await until('diagnostics', () =>
      vscode.languages.getDiagnostics(uri).some(({ source }) => source === 'IOPTE'),
    );
    const ours = vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'IOPTE');
    const document = await vscode.workspace.openTextDocument(uri);
    const marked = ours.map(({ range }) => document.getText(range));
    ok(marked.includes('"gone.raw"'), marked.join(' '));
    ok(marked.includes('"vt-x"'), marked.join(' '));
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      uri,
    );
    ok(lenses.some(({ command }) => command?.command === 'iopte.openInInspector'));
    await vscode.commands.executeCommand('workbench.action.closeActiveEditor');
  });
});
