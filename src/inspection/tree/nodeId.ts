import { formatRequester, pasid, requesterId, type Pasid, type RequesterId } from '../../engine/values';
import { type NodeId } from '../protocol';
import { refuse } from '../requestError';

/**
 * A node id is the way from the root of the tree, so that it means the same after a restart and needs no table:
 * `i:dmar0 / [none] / [g:512] / d:0010 / [p:00001] / s / t:1ff / t:003 / r:010`.
 * i IOMMU, none the folded devices, g a part of a long list by its first row, d device by requester id, p its PASID, s its
 * domain (s1, s2: further ones: those of the upper addresses and of stage 2), t a table by its entry's index, r a run by its
 * first entry's index, e another entry by its index.
 */
export interface NodeWay {
  readonly iommu: string;
  readonly folded: boolean;
  /** First row of the part of a long device list. */
  readonly part: number | undefined;
  readonly requester: RequesterId | undefined;
  readonly pasid: Pasid | null;
  /** Which of the domains of the device; undefined above them. */
  readonly domain: number | undefined;
  /** Indices of table entries from the root down. */
  readonly tables: readonly number[];
  /** Set for a run or another entry. */
  readonly last: { readonly kind: 'r' | 'e'; readonly index: number } | undefined;
}

const SHAPE =
  /^i:([^/]*)(\/none)?(?:\/g:(\d{1,6}))?(?:\/d:([0-9a-f]{4,8})(?:\/p:([0-9a-f]{5}))?(?:\/s([0-2]?)((?:\/t:[0-9a-f]{1,4}){0,8})(?:\/([re]):([0-9a-f]{1,4}))?)?)?$/;

export function parseNodeId(id: NodeId): NodeWay {
  const match = SHAPE.exec(id);
  if (!match) return refuse('request/node', `"${id}" is not a node of the tree.`);
  const [, name = '', folded, part, device, process, domain, tables = '', kind, index] = match;
  return {
    iommu: decodeURIComponent(name),
    folded: folded !== undefined,
    part: part === undefined ? undefined : Number(part),
    requester: device === undefined ? undefined : requesterId(parseInt(device, 16)),
    pasid: process === undefined ? null : pasid(parseInt(process, 16)),
    domain: domain === undefined ? undefined : Number(domain),
    tables: [...tables.matchAll(/t:([0-9a-f]+)/g)].map(([, digits = '0']) => parseInt(digits, 16)),
    last:
      kind === undefined || index === undefined
        ? undefined
        : { kind: kind === 'r' ? 'r' : 'e', index: parseInt(index, 16) },
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

export const iommuId = (name: string): NodeId => `i:${encodeURIComponent(name)}`;
export const foldedId = (parent: NodeId): NodeId => `${parent}/none`;
export const partId = (parent: NodeId, firstRow: number): NodeId => `${parent}/g:${firstRow}`;
export const deviceId = (parent: NodeId, requester: number): NodeId => `${parent}/d:${hex(requester, 4)}`;
export const processId = (parent: NodeId, requester: number, process: number | null): NodeId =>
  process === null ? deviceId(parent, requester) : `${deviceId(parent, requester)}/p:${hex(process, 5)}`;
export const domainId = (device: NodeId, index: number): NodeId => `${device}/s${index === 0 ? '' : index}`;
export const tableId = (parent: NodeId, index: number): NodeId => `${parent}/t:${hex(index, 3)}`;
export const runId = (parent: NodeId, index: number): NodeId => `${parent}/r:${hex(index, 3)}`;
export const entryId = (parent: NodeId, index: number): NodeId => `${parent}/e:${hex(index, 3)}`;

/** The ids from the IOMMU down to this node, itself included. */
export function ancestorsOf(id: NodeId): readonly NodeId[] {
  const parts = id.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** First and last of a range of devices, for people. */
export const deviceSpan = (first: number, last: number): { first: string; last: string } => ({
  first: formatRequester(requesterId(first)),
  last: formatRequester(requesterId(last)),
});
