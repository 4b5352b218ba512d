import * as vscode from 'vscode';
import {
  parseRequester,
  RequestError,
  type EntryRef,
  type TranslateRequest,
  type TreeNode,
  type WalkResult,
} from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { isWalkElement, type StepElement } from '../views/walkElements';
import { allPages } from './targets';

type DeviceNode = Extract<TreeNode, { kind: 'device' }>;

/** IOMMU, part of a long list, folded devices, device: no device is deeper in the tree. */
const DEVICE_DEPTH = 4;

/** Shows in Domains where a step of the walk, or its end, stands. */
export const revealStep: Command = {
  id: 'iopte.revealStep',
  async run(app, arg) {
    const element = isWalkElement(arg) ? arg : app.walk.selected;
    if (!element || element.kind === 'line' || element.kind === 'stage') {
      throw new RequestError({
        code: 'host/no-step',
        message: vscode.l10n.t('No step is selected in Walk.'),
        hint: vscode.l10n.t('Select one of its steps first.'),
      });
    }
    const { inspection, result } = element;
    const path = await pathOf(app, inspection, result, element.kind === 'step' ? element : undefined);
    // The end of the walk is the end of the path; a step above it is the node that shows the step's entry.
    const atEnd = element.kind === 'result' || element.last;
    const entry = element.kind === 'step' ? element.step.entry : undefined;
    await app.domains.reveal(inspection, path, {
      choose: (node) => atEnd || (entry !== undefined && showsEntry(node, entry)),
    });
  },
};

/** To what the walk led to; of a step in other tables, to what they lead to. */
async function pathOf(
  app: App,
  inspection: Inspection,
  result: WalkResult,
  element: StepElement | undefined,
): Promise<readonly TreeNode[]> {
  const { request } = result;
  const step = element?.step;
  const domain = step?.entry.domain ?? result.domain;
  if (!domain) return deviceInTree(app, inspection, result);
  const where = app.inspections.find(inspection.id)?.where ?? '';
  return app.inspections.ask(inspection, 'locate', {
    domain,
    iova: step?.input ?? request.iova,
    ...(where !== '' && { where }),
  });
}

/** The path to a device; as far as there is one. */
export async function deviceInTree(
  app: App,
  inspection: Inspection,
  {
    iommu,
    request,
  }: { readonly iommu: string; readonly request: Pick<TranslateRequest, 'requester' | 'pasid'> },
): Promise<readonly TreeNode[]> {
  const path: TreeNode[] = [];
  while (path.length < DEVICE_DEPTH) {
    const node = path.at(-1);
    const children = await allPages((page) =>
      app.inspections.ask(inspection, 'children', { ...(node && { node: node.id }), page }),
    );
    const next =
      children.find((child) => leadsTo(child, iommu, request)) ??
      children.find((child) => isDevice(child, request)) ??
      children.find(isFolded);
    if (!next) return path;
    path.push(next);
    if (next.kind === 'device') return path;
  }
  return path;
}

function leadsTo(
  node: TreeNode,
  iommu: string,
  request: Pick<TranslateRequest, 'requester' | 'pasid'>,
): boolean {
  const { requester, pasid } = request;
  if (node.kind === 'iommu') return node.summary.name === iommu;
  if (node.kind === 'device') return isDevice(node, request) && node.device.pasid === pasid;
  if (node.kind !== 'range') return false;
  const [first = 0, last = -1] = [parseRequester(node.first), parseRequester(node.last)];
  return requester >= first && requester <= last;
}

/** A process without an entry of its own stands below no other node than its device's. */
const isDevice = (node: TreeNode, { requester }: Pick<TranslateRequest, 'requester'>): node is DeviceNode =>
  node.kind === 'device' && node.device.requester === requester;

const isFolded = (node: TreeNode): boolean => node.kind === 'devicesWithoutTable';

/** A root entry has no node of its own: the IOMMU stands for it, as a device does for its structures. */
const showsEntry = (node: TreeNode, { role, address }: EntryRef): boolean =>
  (node.kind === 'table' && node.entry.address === address) ||
  (node.kind === 'device' && role !== 'root' && role !== 'table') ||
  node.kind === 'iommu';
