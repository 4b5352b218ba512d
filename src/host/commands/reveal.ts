import * as vscode from 'vscode';
import { parseRequester, RequestError, type TreeNode, type WalkResult } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { isWalkElement } from '../views/walkView';
import { allPages } from './targets';

/** IOMMU, part of a long list, folded devices, device: no device is deeper in the tree. */
const DEVICE_DEPTH = 4;

/** Shows in Domains where a step of the walk, or its end, stands. */
export const revealStep: Command = {
  id: 'iopte.revealStep',
  async run(app, arg) {
    const element = isWalkElement(arg) ? arg : app.walk.selected;
    if (!element || element.kind === 'line') {
      throw new RequestError({
        code: 'host/no-step',
        message: vscode.l10n.t('No step is selected in Walk.'),
        hint: vscode.l10n.t('Select one of its steps first.'),
      });
    }
    const { inspection, result } = element;
    const path = await pathOf(app, inspection, result);
    // The end of the walk is the end of the path; a step above it is the node that shows the step's entry.
    const atEnd = element.kind === 'result' || element.step === result.steps.at(-1);
    const address = element.kind === 'step' ? element.step.entry.address : 0n;
    await app.domains.reveal(inspection, path, { choose: (node) => atEnd || showsEntry(node, address) });
  },
};

async function pathOf(app: App, inspection: Inspection, result: WalkResult): Promise<readonly TreeNode[]> {
  const { domain, request } = result;
  if (!domain) return deviceInTree(app, inspection, result);
  const where = app.inspections.find(inspection.id)?.where ?? '';
  return app.inspections.ask(inspection, 'locate', {
    domain,
    iova: request.iova,
    ...(where !== '' && { where }),
  });
}

/** The path to a device that has no tables; as far as there is one. */
async function deviceInTree(
  app: App,
  inspection: Inspection,
  { iommu, request }: WalkResult,
): Promise<readonly TreeNode[]> {
  const path: TreeNode[] = [];
  while (path.length < DEVICE_DEPTH) {
    const node = path.at(-1);
    const children = await allPages((page) =>
      app.inspections.ask(inspection, 'children', { ...(node && { node: node.id }), page }),
    );
    const next =
      children.find((child) => leadsTo(child, iommu, request.requester)) ?? children.find(isFolded);
    if (!next) return path;
    path.push(next);
    if (next.kind === 'device') return path;
  }
  return path;
}

function leadsTo(node: TreeNode, iommu: string, requester: number): boolean {
  if (node.kind === 'iommu') return node.summary.name === iommu;
  if (node.kind === 'device') return node.device.requester === requester;
  if (node.kind !== 'range') return false;
  const [first = 0, last = -1] = [parseRequester(node.first), parseRequester(node.last)];
  return requester >= first && requester <= last;
}

const isFolded = (node: TreeNode): boolean => node.kind === 'devicesWithoutTable';

/** A root entry has no node of its own: the IOMMU stands for it. */
const showsEntry = (node: TreeNode, address: bigint): boolean =>
  (node.kind === 'table' && node.entry.address === address) ||
  (node.kind === 'device' && node.device.context.address === address) ||
  node.kind === 'iommu';
