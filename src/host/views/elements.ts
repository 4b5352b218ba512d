import type { Failure, TreeNode, DomainRow, EntryRef, VendorWords } from '../../inspection/protocol';
import type { Inspection } from '../inspections';

/** An open image: the roots of Domains. */
export interface ImageElement {
  readonly kind: 'image';
  readonly id: string;
  readonly inspection: Inspection;
}

/** A node that the engine gave. */
export interface NodeElement {
  readonly kind: 'node';
  readonly id: string;
  readonly inspection: Inspection;
  readonly parent: Element;
  readonly node: TreeNode;
}

/** The rest of a long list, read when it is opened. */
export interface RestElement {
  readonly kind: 'rest';
  readonly id: string;
  readonly inspection: Inspection;
  readonly parent: Element;
  /** The node whose children go on here; undefined: the image's. */
  readonly of: TreeNode | undefined;
  readonly cursor: string;
}

/** Children that could not be read, and why. */
export interface FailureElement {
  readonly kind: 'failure';
  readonly id: string;
  readonly inspection: Inspection;
  readonly parent: Element;
  readonly failure: Failure;
}

/** What the Domains tree consists of. Ids are stable over refreshes, restarts and filters. */
export type Element = ImageElement | NodeElement | RestElement | FailureElement;

export const imageElement = (inspection: Inspection): ImageElement => ({
  kind: 'image',
  id: inspection.id,
  inspection,
});

export const nodeElement = (node: TreeNode, parent: Element): NodeElement => ({
  kind: 'node',
  id: `${parent.inspection.id}/${node.id}`,
  inspection: parent.inspection,
  parent,
  node,
});

export const failureElement = (failure: Failure, parent: Element, index: number): FailureElement => ({
  kind: 'failure',
  id: `${parent.id}!${index}`,
  inspection: parent.inspection,
  parent,
  failure,
});

/** From an element up to its image, itself first. */
export function* lineage(element: Element): Generator<Element> {
  for (
    let each: Element | undefined = element;
    each;
    each = each.kind === 'image' ? undefined : each.parent
  ) {
    yield each;
  }
}

/** The domain an element is in or is. */
export function domainOf(element: Element): DomainRow | undefined {
  for (const each of lineage(element)) {
    if (each.kind === 'node' && each.node.kind === 'domain') return each.node.domain;
  }
  return undefined;
}

/** The vendor's words of the IOMMU that a node is in or is. */
export function wordsOf(element: NodeElement): VendorWords {
  for (const each of lineage(element)) {
    if (each.kind === 'node' && each.node.kind === 'iommu') return each.node.summary.words;
  }
  throw new Error(`the node ${element.id} is in no IOMMU`);
}

/** The entry that an element shows, for the Entry view and for copying. */
export function entryOf(element: Element): EntryRef | undefined {
  if (element.kind !== 'node') return undefined;
  const { node } = element;
  switch (node.kind) {
    case 'device':
      return node.device.context;
    case 'run':
      return node.run.entry;
    case 'table':
    case 'entry':
      return node.entry;
    default:
      return undefined;
  }
}

/** A value that came with a command: an element of the tree, or not. */
export const isElement = (value: unknown): value is Element =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  'inspection' in value &&
  ['image', 'node', 'rest', 'failure'].includes(String(value.kind));
