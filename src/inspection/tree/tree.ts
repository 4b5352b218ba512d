import { checkLimit, parseCursor } from '../answers/addresses';
import { filterOf } from '../answers/filters';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { parseRequester } from '../../engine/values';
import { domainRow, type Inspection } from '../inspection';
import {
  sameDomain,
  type DomainKey,
  type NodeId,
  type Page,
  type PageRequest,
  type TreeNode,
} from '../protocol';
import { refuse } from '../requestError';
import { spacesOf } from '../spaces';
import { type Work } from '../work';
import { deviceNodes, deviceRow } from './deviceNodes';
import { ancestorsOf, domainId, iommuId, parseNodeId, type NodeWay } from './nodeId';
import { standingAt, tableNodes } from './tableNodes';

/** A page of the children of a node; without a node, of the IOMMUs. */
export function* childrenPage(
  inspection: Inspection,
  node: NodeId | undefined,
  where: string | undefined,
  page: PageRequest,
): Work<Page<TreeNode>> {
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  const all = yield* childrenOf(inspection, node, where);
  const end = first + limit;
  const rows = all.slice(first, end);
  return { rows, total: all.length, ...(end < all.length ? { next: String(end) } : {}) };
}

/** The nodes from the root down to this one, as far as they exist under the filter. */
export function* pathTo(
  inspection: Inspection,
  node: NodeId,
  where: string | undefined,
): Work<readonly TreeNode[]> {
  const path: TreeNode[] = [];
  parseNodeId(node);
  for (const id of ancestorsOf(node)) {
    const found = (yield* childrenOf(inspection, path.at(-1)?.id, where)).find((child) => child.id === id);
    if (!found) return path;
    path.push(found);
  }
  return path;
}

/** The path to the run, table or entry that shows an IOVA of a domain, as deep as the filter lets it be seen. */
export function* locate(
  inspection: Inspection,
  key: DomainKey,
  iova: bigint,
  where: string | undefined,
): Work<readonly TreeNode[]> {
  const path = yield* pathToDomain(inspection, key, where);
  for (;;) {
    const last = path.at(-1);
    if (!last || (last.kind !== 'domain' && last.kind !== 'table')) return path;
    if (last.kind === 'table' && last.failure) return path;
    const children = yield* childrenOf(inspection, last.id, where);
    const found = children.find((child) => covers(child, iova));
    if (!found) return path;
    path.push(found);
  }
}

function covers(node: TreeNode, iova: bigint): boolean {
  if (node.kind === 'run') return iova >= node.run.iova && iova < node.run.iova + node.run.length;
  if (node.kind === 'table' || node.kind === 'entry')
    return iova >= node.range.start && iova < node.range.end;
  return false;
}

function* pathToDomain(inspection: Inspection, key: DomainKey, where: string | undefined): Work<TreeNode[]> {
  const { requesters } = yield* inspection.space(key);
  const [requester] = requesters;
  const path: TreeNode[] = [];
  let id: NodeId | undefined;
  for (;;) {
    const children: TreeNode[] = yield* childrenOf(inspection, id, where);
    const next = children.find((child) => leadsTo(child, key, requester));
    if (!next) return path;
    path.push(next);
    if (next.kind === 'domain') return path;
    id = next.id;
  }
}

function leadsTo(node: TreeNode, key: DomainKey, requester: number | undefined): boolean {
  if (node.kind === 'iommu') return node.summary.name === key.iommu;
  if (node.kind === 'device') return node.device.domains.some((domain) => sameDomain(domain, key));
  if (node.kind === 'range' && requester !== undefined) {
    return requester >= (parseRequester(node.first) ?? 0) && requester <= (parseRequester(node.last) ?? 0);
  }
  return node.kind === 'domain' && sameDomain(node.domain, key);
}

function* childrenOf(
  inspection: Inspection,
  node: NodeId | undefined,
  where: string | undefined,
): Work<TreeNode[]> {
  if (node === undefined) return yield* iommuNodes(inspection);
  const way = parseNodeId(node);
  const { summary } = inspection.iommu(way.iommu);
  if (summary.failure) return [{ kind: 'message', id: `${node}/m`, why: summary.failure }];
  if (way.requester === undefined)
    return yield* deviceNodes(inspection, way.iommu, node, way.folded, way.part);
  if (way.domain === undefined) return yield* domainNodes(inspection, way, node);
  if (way.last) return [];
  const space = spaceOfDevice(inspection, way);
  const standing = standingAt(way.iommu, space, way.tables);
  return yield* tableNodes(standing, node, filterOf(where));
}

function* iommuNodes(inspection: Inspection): Work<TreeNode[]> {
  const nodes: TreeNode[] = [];
  for (const { summary } of inspection.iommus) {
    const { devices, spaces } = yield* inspection.devices(summary.name);
    nodes.push({
      kind: 'iommu',
      id: iommuId(summary.name),
      summary,
      devices,
      domains: spaces.length,
      problems: summary.failure ? 1 : 0,
    });
  }
  return nodes;
}

function* domainNodes(inspection: Inspection, way: NodeWay, device: NodeId): Work<TreeNode[]> {
  const table = yield* inspection.devices(way.iommu);
  const row = table.requesters.findIndex(
    (requester, at) => requester === way.requester && table.pasids[at] === way.pasid,
  );
  if (row < 0) return refuse('request/node', 'There is no such device.');
  const iommu = inspection.iommu(way.iommu);
  const shared = spacesOfDevice(inspection, way).flatMap((space) => {
    const found = table.spaces[table.indexOf.get(space) ?? -1];
    return found ? [found] : [];
  });
  if (shared.length > 0) {
    return shared.map((each, index) => ({
      kind: 'domain',
      id: domainId(device, index),
      domain: domainRow(iommu, each),
    }));
  }
  const { problems } = deviceRow(inspection, way.iommu, table, row);
  return problems.map((why, index) => ({ kind: 'message', id: `${device}/m${index}`, why }));
}

function spacesOfDevice(inspection: Inspection, way: NodeWay): AddressSpace[] {
  const directory = inspection.directory(way.iommu);
  return spacesOf(directory.lookup(way.requester ?? (0 as never), way.pasid).answer);
}

function spaceOfDevice(inspection: Inspection, way: NodeWay): AddressSpace {
  const space = spacesOfDevice(inspection, way)[way.domain ?? 0];
  return space ?? refuse('request/node', 'This device has no such tables.');
}
