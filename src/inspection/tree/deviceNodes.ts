import { type DirectoryLookup } from '../../engine/directory/deviceDirectory';
import { stateOf, type DeviceTable } from '../deviceTable';
import { type Inspection } from '../inspection';
import { type DeviceRow, type NodeId, type TreeNode } from '../protocol';
import { domainKey, spacesOf } from '../spaces';
import { type Work } from '../work';
import { deviceSpan, foldedId, partId, processId } from './nodeId';

/** Most children a node has; longer lists are cut into parts. */
export const MAX_CHILDREN = 1000;
/** Rows of a part. */
const PART = 512;

/** Rows of the device table that the tree shows by themselves, or folded: those in pass-through. */
function rowsOf(table: DeviceTable, folded: boolean): number[] {
  return table.states.flatMap((state, row) => ((state === 'pass-through') === folded ? [row] : []));
}

/** Children of an IOMMU node, of its folded devices, or of a part of either. */
export function* deviceNodes(
  inspection: Inspection,
  iommu: string,
  parent: NodeId,
  folded: boolean,
  part: number | undefined,
): Work<TreeNode[]> {
  const table = yield* inspection.devices(iommu);
  const rows = rowsOf(table, folded);
  const shown = part === undefined ? rows : rows.slice(part, part + PART);
  const nodes: TreeNode[] =
    shown.length >= MAX_CHILDREN
      ? partNodes(table, shown, parent)
      : shown.map((row) => deviceNode(inspection, iommu, parent, table, row));
  const count = folded || part !== undefined ? 0 : rowsOf(table, true).length;
  return count === 0 ? nodes : [...nodes, { kind: 'devicesWithoutTable', id: foldedId(parent), count }];
}

function partNodes(table: DeviceTable, rows: readonly number[], parent: NodeId): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let first = 0; first < rows.length; first += PART) {
    const part = rows.slice(first, first + PART);
    const requesterAt = (row: number | undefined): number => table.requesters[row ?? 0] ?? 0;
    const span = deviceSpan(requesterAt(part[0]), requesterAt(part.at(-1)));
    nodes.push({ kind: 'range', id: partId(parent, first), ...span, count: part.length });
  }
  return nodes;
}

function deviceNode(
  inspection: Inspection,
  iommu: string,
  parent: NodeId,
  table: DeviceTable,
  row: number,
): TreeNode {
  const device = deviceRow(inspection, iommu, table, row);
  return {
    kind: 'device',
    id: processId(parent, device.requester, device.pasid),
    device,
    problems: device.problems.length,
  };
}

/** One row of the device list. */
export function deviceRow(inspection: Inspection, iommu: string, table: DeviceTable, row: number): DeviceRow {
  const requester = table.requesters[row] ?? (0 as never);
  const pasid = table.pasids[row] ?? null;
  const lookup = inspection.directory(iommu).lookup(requester, pasid);
  const context = lookup.entries.at(-1);
  return {
    iommu,
    requester,
    pasid,
    translation: stateOf(lookup),
    context: { iommu, address: BigInt(context?.address ?? 0), role: context?.role ?? 'root' },
    domains: spacesOf(lookup.answer).map((space) => domainKey(iommu, space)),
    problems: problemsOf(lookup),
  };
}

function problemsOf({ answer }: DirectoryLookup): DeviceRow['problems'] {
  if (answer.kind !== 'fault') return [];
  const failure = { code: `device/${answer.fault}`, message: answer.why };
  return [answer.hint === undefined ? failure : { ...failure, hint: answer.hint }];
}
