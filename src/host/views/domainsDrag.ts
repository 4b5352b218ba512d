import * as vscode from 'vscode';
import { hex } from '../../inspection/protocol';
import type { Element } from './elements';
import { rangeText } from './wording';

const URI_LIST = 'text/uri-list';
const PLAIN_TEXT = 'text/plain';

/** Image and description files dropped on Domains are opened; what is dragged out is its address as text. */
export class DomainsDragAndDrop implements vscode.TreeDragAndDropController<Element> {
  readonly dropMimeTypes = [URI_LIST];
  readonly dragMimeTypes = [PLAIN_TEXT];

  constructor(private readonly open: (uris: readonly vscode.Uri[]) => void) {}

  handleDrag(source: readonly Element[], data: vscode.DataTransfer): void {
    const text = source.map(addressText).join('\n');
    if (text.trim() !== '') data.set(PLAIN_TEXT, new vscode.DataTransferItem(text));
  }

  async handleDrop(_target: Element | undefined, data: vscode.DataTransfer): Promise<void> {
    const list = (await data.get(URI_LIST)?.asString()) ?? '';
    const uris = list
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => vscode.Uri.parse(line, true));
    if (uris.length > 0) this.open(uris);
  }
}

/** The address that an element is about: IOVAs of what maps, physical of what points, the id of a device. */
export function addressText(element: Element): string {
  if (element.kind === 'image') {
    const { machine, title, imageUri } = element.inspection;
    return machine ? title : imageUri.toString(true);
  }
  if (element.kind !== 'node') return '';
  const { node } = element;
  switch (node.kind) {
    case 'run':
      return node.run.count === 1
        ? hex(node.run.iova)
        : rangeText({ start: node.run.iova, end: node.run.iova + node.run.length });
    case 'table':
    case 'entry':
      return rangeText(node.range);
    case 'domain':
      return hex(node.domain.root);
    case 'device':
      return hex(node.device.requester);
    case 'range':
      return `${node.first}..${node.last}`;
    case 'iommu':
      return node.summary.name;
    case 'devicesWithoutTable':
    case 'message':
      return '';
  }
}
