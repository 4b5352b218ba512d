import * as vscode from 'vscode';
import { hex, RequestError, type DmaLine, type TreeNode } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import type { Inspection } from '../../inspections';
import { askText } from '../../prompts/text';
import { domainOf, isElement } from '../../views/elements';
import { requesterName } from '../../views/wording';
import { readText } from '../../source';
import { givenValues } from '../targets';
import { parseDmaLines, parseTypedDma } from './dmaLines';
import { operate, tell } from './operate';
import { targetMachine } from './target';

/**
 * Sends requests of devices through the IOMMU: of a file with one JSON object a line, or typed. Takes `{requests}`, `{uri}` or
 * `{text}`, or asks.
 */
export const injectDma: Command = {
  id: 'iopte.injectDma',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const requests = await requestsFrom(app, inspection, arg);
    if (!requests) return;
    const title = vscode.l10n.t('Injecting DMA');
    tell(app, await operate(app, inspection, title, { kind: 'dma', requests }));
  },
};

async function requestsFrom(
  app: App,
  inspection: Inspection,
  arg: unknown,
): Promise<readonly DmaLine[] | undefined> {
  const given = givenValues(arg);
  if (Array.isArray(given['requests'])) return given['requests'] as readonly DmaLine[];
  if (typeof given['text'] === 'string') return parsed(given['text'], 'text');
  if (given['uri'] instanceof vscode.Uri) return fromFile(given['uri']);
  const typed = vscode.l10n.t('Type a request');
  const file = vscode.l10n.t('Choose a file…');
  const chosen = await vscode.window.showQuickPick(
    [
      { label: typed, detail: vscode.l10n.t('00:02.0 write 0x100000000 4096') },
      { label: file, detail: vscode.l10n.t('One JSON object a line: {0}', EXAMPLE) },
    ],
    { title: vscode.l10n.t('Inject DMA Trace') },
  );
  if (chosen?.label === file) {
    const [uri] = (await vscode.window.showOpenDialog({ canSelectMany: false })) ?? [];
    return uri && fromFile(uri);
  }
  return chosen && askRequest(suggestion(app, inspection, arg));
}

const EXAMPLE = '{"sid":"00:02.0","pasid":null,"iova":"0x100000000","length":4096,"access":"write"}';

async function fromFile(uri: vscode.Uri): Promise<readonly DmaLine[]> {
  const text = await readText(uri);
  if (!text.ok) throw new RequestError(text.failure);
  return parsed(text.value, uri.path.slice(uri.path.lastIndexOf('/') + 1));
}

function parsed(text: string, name: string): readonly DmaLine[] {
  const lines = parseDmaLines(text);
  if (lines.ok) return lines.value;
  const { line, why } = lines;
  throw new RequestError({
    code: 'dma/line',
    message: vscode.l10n.t('{0}, line {1}: {2}', name, line, why),
    hint: vscode.l10n.t('A line is an object such as {0}.', EXAMPLE),
  });
}

async function askRequest(value: string): Promise<readonly DmaLine[] | undefined> {
  const check = (text: string): string | undefined => {
    const request = parseTypedDma(text);
    return typeof request === 'string' ? request : undefined;
  };
  const prompt = vscode.l10n.t('Device, read, write or atomic, IOVA, and bytes');
  const place = { title: vscode.l10n.t('Inject DMA Trace'), step: 1, of: 1 };
  const answer = await askText(
    { prompt, placeholder: '00:02.0 write 0x100000000 4096', value, check },
    place,
  );
  if (answer.kind !== 'value') return;
  const request = parseTypedDma(answer.value);
  return typeof request === 'string' ? undefined : [request];
}

/** A request to what is selected in Domains, by a device that it is there for. */
function suggestion(app: App, { machine, id }: Inspection, arg: unknown): string {
  const element = isElement(arg) ? arg : app.domains.selected;
  const own = element?.inspection.id === id && element.kind === 'node' ? element : undefined;
  const requester =
    own?.node.kind === 'device' ? own.node.device.requester : own && domainOf(own)?.requesters[0];
  const device = requester === undefined ? machine?.spec.devices[0]?.requester : requesterName(requester);
  const pasid =
    own?.node.kind === 'device' && own.node.device.pasid !== null ? `/${own.node.device.pasid}` : '';
  return `${device ?? '00:02.0'}${pasid} write ${hex(iovaOf(own?.node))} 4096`;
}

function iovaOf(node: TreeNode | undefined): bigint {
  if (node?.kind === 'run') return node.run.iova;
  return node?.kind === 'entry' || node?.kind === 'table' ? node.range.start : 0n;
}
