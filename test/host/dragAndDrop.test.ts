import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { DomainsDragAndDrop } from '../../src/host/views/domainsDrag';
import { deepEqual, equal } from './assert';
import { activated, closeAll, descend, inFolder, must } from './support';

describe('drag and drop on Domains', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  it('opens every file that is dropped', async () => {
    const dropped: string[] = [];
    const controller = new DomainsDragAndDrop((uris) => dropped.push(...uris.map(String)));
    const uris = [inFolder('vtd-4level.elf.gz'), inFolder('vtd-passthrough.iopte.json')].map(String);
    const data = new vscode.DataTransfer();
    data.set('text/uri-list', new vscode.DataTransferItem(`# a comment\r\n${uris.join('\r\n')}\r\n`));
    await controller.handleDrop(undefined, data);
    deepEqual(dropped, uris);
  });

  it('does nothing when no file is dropped', async () => {
    let calls = 0;
    await new DomainsDragAndDrop(() => calls++).handleDrop(undefined, new vscode.DataTransfer());
    equal(calls, 0);
  });

  it('gives addresses as text', async () => {
    const domain = await descend(api, 'dmar0', '00:02.0', 'DID 4');
    const table = await descend(api, 'dmar0', '00:02.0', 'DID 4', '0xc0000000');
    const data = new vscode.DataTransfer();
    new DomainsDragAndDrop(() => undefined).handleDrag([domain, table], data);
    equal(await data.get('text/plain')?.asString(), '0x14ab2b000\n0xc0000000..0x100000000');
  });
});
