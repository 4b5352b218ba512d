/**
 * The `iommu:map` and `iommu:unmap` events of a guest, given to its domains. The events name neither device nor domain, and several
 * domains use the same IOVAs; nor do they say what a mapping allows. Both are told by the image as far as a mapping is still
 * there: an event that made pages of a domain was of that domain, with the permission its leaves have. A mapping that was
 * taken away again could have been in any domain in which nothing else stood in its way; it is given to the first such one.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { READ, READ_WRITE, WRITE } from '../../../src/engine/pageTable/entryClass';
import { CORPUS } from '../manifest';
import { type ListedRun } from '../spaces';

/** Of one call of iommu_map or iommu_unmap; pages and frames of 4 KiB. */
export interface TracedEvent {
  readonly kind: 'map' | 'unmap';
  readonly page: number;
  readonly pages: number;
  /** Of an unmap: how many went; a page that begins in the range goes as a whole. */
  readonly gone: number;
  /** Of a map. */
  readonly frame: number;
  /** Index of a domain of the image; those from the last on are of domains that had gone by then. */
  readonly domain: number;
  readonly permission: number;
}

export interface TracedGuest {
  readonly events: readonly TracedEvent[];
  /** How many domains of before there must have been at least. */
  readonly goneDomains: number;
  /** Pages of the image, by domain, that no event made. */
  readonly untraced: readonly (readonly number[])[];
}

interface Mapping {
  readonly time: number;
  readonly page: number;
  readonly pages: number;
  readonly frame: number;
  /** When it was unmapped. */
  end: number;
  domain: number | undefined;
  permission: number;
}

interface Unmap {
  readonly time: number;
  readonly page: number;
  readonly pages: number;
  readonly gone: number;
  /** What it took away. */
  members: Mapping[];
}

/** What is left of a mapping. */
interface Piece {
  readonly map: Mapping;
  readonly page: number;
  readonly end: number;
}

const EVENT =
  / (map|unmap): IOMMU: iova=0x([0-9a-f]{16}) - 0x[0-9a-f]{16}(?: paddr=0x([0-9a-f]{16}))? size=(\d+)(?: unmapped_size=(\d+))?$/;
const PERMISSIONS: Readonly<Record<string, number>> = { RW: READ_WRITE, R: READ, W: WRITE };
/** Ranges from this many pages on are compared one by one. */
const LARGE = 1024;

/** The events of a guest with their domains; `domains`: what its image lists of each. */
export function traceOf(name: string, domains: readonly (readonly ListedRun[])[]): TracedGuest {
  const { maps, unmaps } = readTrace(name);
  const untraced = keepMapped(maps, domains);
  pair(maps, unmaps);
  const goneDomains = place(maps, unmaps, domains.length);
  const events: (TracedEvent & { readonly time: number })[] = [
    ...maps.map((map) => ({ ...map, kind: 'map' as const, gone: 0, domain: map.domain ?? 0 })),
    ...unmaps.map(({ time, page, pages, gone, members: [first] }) => ({
      ...{ kind: 'unmap' as const, time, page, pages, gone, frame: 0, permission: 0 },
      domain: first?.domain ?? 0,
    })),
  ];
  return { events: events.sort((one, other) => one.time - other.time), goneDomains, untraced };
}

function readTrace(name: string): { readonly maps: Mapping[]; readonly unmaps: Unmap[] } {
  const text = gunzipSync(readFileSync(path.join(CORPUS, `${name}.ftrace.txt.gz`))).toString('utf8');
  const maps: Mapping[] = [];
  const unmaps: Unmap[] = [];
  for (const [time, line] of text.split('\n').entries()) {
    const [, kind, start = '', paddr = '', size, unmapped] = EVENT.exec(line) ?? [];
    if (kind === undefined) continue;
    const page = parseInt(start, 16) / 4096;
    const pages = Number(size) / 4096;
    if (kind === 'unmap') unmaps.push({ time, page, pages, gone: Number(unmapped) / 4096, members: [] });
    else {
      const frame = parseInt(paddr, 16) / 4096;
      maps.push({ time, page, pages, frame, end: Infinity, domain: undefined, permission: READ_WRITE });
    }
  }
  return { maps, unmaps };
}

/** Gives the mappings that the image still holds to their domains, the latest first; returns the pages left over. */
function keepMapped(
  maps: readonly Mapping[],
  domains: readonly (readonly ListedRun[])[],
): readonly (readonly number[])[] {
  const held = domains.map(pagesOf);
  for (const map of [...maps].reverse()) {
    const domain = held.findIndex((pages) => holds(pages, map));
    const pages = held[domain];
    if (!pages) continue;
    map.domain = domain;
    map.permission = (pages.get(map.page) ?? 0) % 4;
    for (let page = map.page; page < map.page + map.pages; page++) pages.delete(page);
  }
  return held.map((pages) => [...pages.keys()]);
}

/** Frame and permission in one number, of each page: pages of 1G have many. */
function pagesOf(runs: readonly ListedRun[]): Map<number, number> {
  const pages = new Map<number, number>();
  for (const { iova, length, paddr, perm } of runs) {
    const permission = PERMISSIONS[perm] ?? 0;
    const [first, frame] = [Number(iova) / 4096, Number(paddr) / 4096];
    for (let page = 0; page < Number(length) / 4096; page++)
      pages.set(first + page, (frame + page) * 4 + permission);
  }
  return pages;
}

function holds(pages: ReadonlyMap<number, number>, map: Mapping): boolean {
  for (let page = 0; page < map.pages; page++)
    if (Math.floor((pages.get(map.page + page) ?? -1) / 4) !== map.frame + page) return false;
  return true;
}

/** Finds for each unmap the mappings that it took away: of those that are not held some that fill its range, end to end. */
function pair(maps: readonly Mapping[], unmaps: readonly Unmap[]): void {
  const live = new Map<number, Piece[]>();
  const add = (piece: Piece): void => {
    live.set(piece.page, [...(live.get(piece.page) ?? []), piece]);
  };
  // What one call mapped goes by one call as a rule: the longest first, and parts only where nothing else is there.
  const fill = (page: number, end: number, parts: boolean): Piece[] | undefined => {
    if (page >= end) return [];
    const pieces = (live.get(page) ?? []).filter((piece) => parts || piece.end <= end);
    for (const piece of pieces.sort((one, other) => other.end - one.end)) {
      const rest = fill(piece.end, end, parts);
      if (rest) return [piece, ...rest];
    }
    return undefined;
  };
  let next = 0;
  for (const unmap of unmaps) {
    const { time, page, gone } = unmap;
    for (let map = maps[next]; map && map.time < time; map = maps[++next])
      if (map.domain === undefined) add({ map, page: map.page, end: map.page + map.pages });
    const end = page + gone;
    const pieces = fill(page, end, false) ?? fill(page, end, true);
    if (!pieces) throw new Error(`nothing to unmap at page 0x${page.toString(16)}, line ${time}`);
    unmap.members = pieces.map(({ map }) => map);
    for (const piece of pieces) {
      const { map } = piece;
      map.end = time;
      const left = (live.get(piece.page) ?? []).filter((each) => each !== piece);
      live.set(piece.page, left);
      if (piece.end > end) add({ map, page: end, end: piece.end });
    }
  }
  const left = [...live.values()].flat()[0];
  if (left) throw new Error(`the image does not hold what line ${left.map.time} of the trace maps`);
}

/** Gives what was unmapped to domains, and says how many more than `domains` there have to be. */
function place(maps: readonly Mapping[], unmaps: readonly Unmap[], domains: number): number {
  const busy = Array.from({ length: domains }, () => new Busy());
  for (const map of maps) if (map.domain !== undefined) busy[map.domain]?.add(map);
  const groups = unmaps
    .map(({ members }) => ({ members, first: Math.min(...members.map(({ time }) => time)) }))
    .sort((one, other) => one.first - other.first);
  for (const { members, first } of groups) {
    const unplaced = members.filter((map) => map.domain === undefined);
    // What is unmapped together was of one domain.
    const known = members.find((map) => map.domain !== undefined)?.domain;
    let domain = known ?? busy.findIndex((each) => unplaced.every((map) => each.isFree(map, first)));
    if (domain < 0) domain = busy.push(new Busy()) - 1;
    for (const map of unplaced) {
      map.domain = domain;
      busy[domain]?.add(map);
    }
  }
  return busy.length - domains;
}

/** What a domain maps, and when; asked in the order of time. */
class Busy {
  readonly #byPage = new Map<number, Mapping[]>();
  #large: Mapping[] = [];

  add(map: Mapping): void {
    if (map.pages >= LARGE) this.#large.push(map);
    else for (let page = map.page; page < map.page + map.pages; page++) this.#at(page).push(map);
  }

  /** What had ended before `now` is forgotten. */
  isFree(map: Mapping, now: number): boolean {
    const meets = (other: Mapping): boolean =>
      other.time < map.end &&
      map.time < other.end &&
      other.page < map.page + map.pages &&
      map.page < other.page + other.pages;
    this.#large = this.#large.filter(({ end }) => end > now);
    if (this.#large.some(meets)) return false;
    if (map.pages >= LARGE) return ![...this.#byPage.values()].some((maps) => maps.some(meets));
    for (let page = map.page; page < map.page + map.pages; page++) {
      const maps = this.#at(page);
      if (maps.some(meets)) return false;
      if (maps.some(({ end }) => end <= now))
        this.#byPage.set(
          page,
          maps.filter(({ end }) => end > now),
        );
    }
    return true;
  }

  #at(page: number): Mapping[] {
    const known = this.#byPage.get(page) ?? [];
    this.#byPage.set(page, known);
    return known;
  }
}
