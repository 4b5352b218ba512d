import * as vscode from 'vscode';
import { hex, RequestError, type DmaLine } from '../../../inspection/protocol';
import type { Command } from '../../app';
import type { Inspection } from '../../inspections';
import { askText } from '../../prompts/text';
import { isElement } from '../../views/elements';
import { readText } from '../../source';
import { givenValues } from '../targets';
import { parseDmaLines, parseTypedDma } from './dmaLines';
import { operate, showFaults, targetMachine, tell } from './target';

/**
 * Sends requests of devices through the IOMMU: of a file with one JSON object a line, or typed. Takes `{requests}`, `{uri}` or
 * `{text}`, or asks.
 */
export const injectDma: Command = {
  id: 'iopte.injectDma',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const requests = await requestsFrom(inspection, arg);
    if (!requests) return;
    const report = await operate(app, inspection, vscode.l10n.t('Injecting DMA'), { kind: 'dma', requests });
    tell(report, ...(report.refused && report.refused.length > 0 ? [showFaults()] : []));
  },
};

async function requestsFrom(inspection: Inspection, arg: unknown): Promise<readonly DmaLine[] | undefined> {
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
  return chosen && askRequest(suggestion(inspection, arg));
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

/** A request to what is selected in Domains, by the first device. */
function suggestion({ machine }: Inspection, arg: unknown): string {
  const device = machine?.spec.devices[0]?.requester ?? '00:02.0';
  const node = isElement(arg) && arg.kind === 'node' ? arg.node : undefined;
  const iova =
    node?.kind === 'run'
      ? node.run.iova
      : node?.kind === 'entry' || node?.kind === 'table'
        ? node.range.start
        : 0n;
  return `${device} write ${hex(iova)} 4096`;
}
