import type { DomainKey } from '../inspection/protocol';

/** A place in the tables of an image, or a row of a trace, with a note. Everything is text, as it is kept. */
export interface Bookmark {
  /** URI of what was opened: the description where there is one, else the image, or the trace. */
  readonly source: string;
  readonly imageTitle: string;
  /** The node of Domains; `row/15` of a trace, whose rows count from 0 here. */
  readonly node: string;
  readonly kind: BookmarkKind;
  /** What the row said when it was marked. */
  readonly label: string;
  readonly description: string;
  readonly note: string;
  /** Where to look when the node is not there any more. */
  readonly domain?: StoredDomain;
  readonly iova?: string;
}

const KINDS = ['iommu', 'device', 'domain', 'table', 'run', 'entry', 'row'] as const;
export type BookmarkKind = (typeof KINDS)[number];

export const isBookmarkKind = (kind: string): kind is BookmarkKind => KINDS.some((each) => each === kind);

/** A domain's key with its addresses as text: JSON has no 64-bit integers. */
export interface StoredDomain {
  readonly iommu: string;
  readonly stage: 1 | 2;
  readonly domainId: number;
  readonly root: string;
  readonly levels: number;
  readonly below?: { readonly domainId: number; readonly root: string };
}

export function storeDomain({ iommu, stage, domainId, root, levels, below }: DomainKey): StoredDomain {
  const text = (address: bigint): string => `0x${address.toString(16)}`;
  return {
    ...{ iommu, stage, domainId, root: text(root), levels },
    ...(below && { below: { domainId: below.domainId, root: text(below.root) } }),
  };
}

export const domainOfStored = ({ below, ...domain }: StoredDomain): DomainKey => ({
  ...domain,
  root: BigInt(domain.root),
  ...(below && { below: { domainId: below.domainId, root: BigInt(below.root) } }),
});

/** What is kept in the workspace, and in a file beside an image. */
const BOOKMARKS_VERSION = 1;

/** What a kept state is: bookmarks with what among them could not be read, or a state of another shape. */
export type ReadBookmarks =
  | { readonly kind: 'read'; readonly bookmarks: readonly Bookmark[]; readonly damaged: readonly unknown[] }
  /** `version`: as it says itself; undefined when it says none. */
  | { readonly kind: 'foreign'; readonly version: number | undefined };

/** The form in which bookmarks are kept. What could not be read among them stays where it is. */
export const storeBookmarks = (bookmarks: readonly Bookmark[], damaged: readonly unknown[] = []): object => ({
  version: BOOKMARKS_VERSION,
  bookmarks: [...bookmarks, ...damaged],
});

/** Reads kept bookmarks. What another version or another program left there is told, and never taken for bookmarks. */
export function readBookmarks(stored: unknown): ReadBookmarks {
  if (stored === undefined || stored === null) return { kind: 'read', bookmarks: [], damaged: [] };
  const version = isRecord(stored) ? stored['version'] : undefined;
  const list: unknown = isRecord(stored) ? stored['bookmarks'] : undefined;
  if (version !== BOOKMARKS_VERSION || !Array.isArray(list)) {
    return { kind: 'foreign', version: typeof version === 'number' ? version : undefined };
  }
  const all: readonly unknown[] = list;
  return {
    kind: 'read',
    bookmarks: all.filter(isBookmark),
    damaged: all.filter((each) => !isBookmark(each)),
  };
}

/** Names a bookmark: there is one for a place of a source. */
export const bookmarkId = ({ source, node }: Pick<Bookmark, 'source' | 'node'>): string =>
  `${source}#${node}`;

/** Bookmarks that are taken in from a file at most, and characters of each of their texts: files come with images. */
export const MOST_TAKEN_IN = 1000;
const MOST_CHARACTERS = 4096;

/** Takes in those of a file that are new; the note of one that is known stays. `leftOut`: how many were too many or too long. */
export function mergeBookmarks(
  known: readonly Bookmark[],
  others: readonly Bookmark[],
): { readonly bookmarks: readonly Bookmark[]; readonly leftOut: number } {
  const ids = new Set(known.map(bookmarkId));
  const fresh: Bookmark[] = [];
  let leftOut = 0;
  for (const other of others) {
    const id = bookmarkId(other);
    if (ids.has(id)) continue;
    if (fresh.length >= MOST_TAKEN_IN || isLong(other)) {
      leftOut++;
      continue;
    }
    ids.add(id);
    fresh.push(other);
  }
  return { bookmarks: [...known, ...fresh], leftOut };
}

const isLong = ({ domain, ...texts }: Bookmark): boolean =>
  [...Object.values(texts), domain?.iommu ?? ''].some((text) => text.length > MOST_CHARACTERS);

/** What a file beside an image has once those of one source are saved: those of the image's other descriptions stay. */
export const savedBeside = (
  there: readonly Bookmark[],
  source: string,
  own: readonly Bookmark[],
): readonly Bookmark[] => [
  ...there.filter((each) => each.source !== source),
  ...own.map((each) => ({ ...each, source })),
];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isAddress = (value: unknown): boolean => typeof value === 'string' && /^0x[0-9a-f]{1,16}$/.test(value);

function isBookmark(value: unknown): value is Bookmark {
  if (!isRecord(value)) return false;
  const { source, imageTitle, node, kind, label, description, note, domain, iova } = value;
  return (
    [source, imageTitle, node, kind, label, description, note].every((text) => typeof text === 'string') &&
    isBookmarkKind(String(kind)) &&
    (domain === undefined || isDomain(domain)) &&
    (iova === undefined || isAddress(iova))
  );
}

function isDomain(value: unknown): value is StoredDomain {
  if (!isRecord(value)) return false;
  const { iommu, stage, domainId, root, levels, below } = value;
  return (
    typeof iommu === 'string' &&
    (stage === 1 || stage === 2) &&
    typeof domainId === 'number' &&
    isAddress(root) &&
    typeof levels === 'number' &&
    (below === undefined ||
      (isRecord(below) && typeof below['domainId'] === 'number' && isAddress(below['root'])))
  );
}
