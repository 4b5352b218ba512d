import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { readImage } from '../../src/host/source';
import { equal, match, ok } from './assert';
import { activated, children, closeAll, inFolder, must, run } from './support';

const SCHEME = 'iopte-test';

/** A file system that exists only in memory, as a virtual workspace's does. */
class MemoryFiles implements vscode.FileSystemProvider {
  readonly files = new Map<string, Uint8Array>();
  private readonly changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.changes.event;

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    const size = this.read(uri).length;
    return { type: vscode.FileType.File, ctime: 0, mtime: 0, size };
  }

  readFile(uri: vscode.Uri): Uint8Array {
    return this.read(uri);
  }

  readDirectory(): [string, vscode.FileType][] {
    return [...this.files.keys()].map((path) => [path.slice(1), vscode.FileType.File]);
  }

  writeFile(uri: vscode.Uri, content: Uint8Array): void {
    this.files.set(uri.path, content);
  }

  createDirectory(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  delete(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  rename(): void {
    throw vscode.FileSystemError.NoPermissions();
  }

  private read(uri: vscode.Uri): Uint8Array {
    const found = this.files.get(uri.path);
    if (!found) throw vscode.FileSystemError.FileNotFound(uri);
    return found;
  }
}

describe('a virtual file system', () => {
  const files = new MemoryFiles();
  const virtual = (name: string): vscode.Uri => vscode.Uri.from({ scheme: SCHEME, path: `/${name}` });
  let api: IopteApi;
  let registration: vscode.Disposable;

  before(async () => {
    api = await activated();
    await closeAll(api);
    registration = vscode.workspace.registerFileSystemProvider(SCHEME, files);
    for (const name of ['vtd-4level.elf.gz', 'vtd-4level.iopte.json']) {
      files.files.set(`/${name}`, await vscode.workspace.fs.readFile(inFolder(name)));
    }
  });
  after(async () => {
    await closeAll(api);
    registration.dispose();
  });

  it('is read whole: an image with its description opens', async () => {
    await must('iopte.openMemoryImage', virtual('vtd-4level.elf.gz'));
    const [image] = await children(api);
    ok(image);
    equal((await children(api, image)).length, 1);
    const [summary] = await api.summaries();
    equal(summary?.iommus[0]?.name, 'dmar0');
  });

  it('asks first when the image is larger than the setting allows, and opens nothing when told no', async () => {
    await closeAll(api);
    const settings = vscode.workspace.getConfiguration('iopte');
    await settings.update('askAboveMebibytes', 1, vscode.ConfigurationTarget.Global);
    files.files.set('/large.raw', new Uint8Array(2 ** 20 + 1));
    const description =
      '{"version": 1, "image": {"file": "large.raw", "segments": [{"paddr": "0x0", "offset": 0}]},' +
      ' "iommus": [{"name": "a", "kind": "vt-d", "registers": {"RTADDR": "0x1000"}}]}';
    files.files.set('/large.iopte.json', new TextEncoder().encode(description));
    try {
      let failure: unknown;
      const command = run('iopte.openMemoryImage', virtual('large.iopte.json')).then(
        (result) => (failure = result),
      );
      while (failure === undefined) {
        await vscode.commands.executeCommand('notifications.clearAll');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await command;
      match(JSON.stringify(failure), /cancelled/);
      equal((await children(api)).length, 0);
      // A yes is good for what was asked, also when the bytes are read again.
      const large = virtual('large.raw');
      const read = await readImage(large, false, new Map([[large.toString(), 2 ** 20 + 1]]));
      ok(read.kind === 'bytes' && read.bytes.length === 2 ** 20 + 1);
    } finally {
      await settings.update('askAboveMebibytes', undefined, vscode.ConfigurationTarget.Global);
    }
  });
});
