/** Replays the guest kernel's own `iommu:map` and `iommu:unmap` events, as tracefs prints them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CORPUS, type ImageName } from './manifest';

export const PAGE = 4096;

export interface Replay {
  readonly maps: number;
  readonly unmaps: number;
  /** By IOVA of a 4K page. */
  readonly pages: ReadonlyMap<number, LivePage>;
}

/**
 * The events do not say of which domain they are, and several domains may map the same IOVA. An unmap therefore takes
 * one of the live mappings away without saying which: until all of them are gone the rest is known as a number only.
 */
export interface LivePage {
  /** Physical addresses that may be mapped here. */
  readonly candidates: readonly number[];
  /** How many of the candidates are. */
  readonly live: number;
}

const EVENT =
  / (map|unmap): IOMMU: iova=0x([0-9a-f]{16}) - 0x([0-9a-f]{16})(?: paddr=0x([0-9a-f]{16}))? size=(\d+)(?: unmapped_size=(\d+))?$/;

const replays = new Map<ImageName, Replay>();

export function replayTrace(name: ImageName): Replay {
  const known = replays.get(name) ?? replay(name);
  replays.set(name, known);
  return known;
}

function replay(name: ImageName): Replay {
  const text = gunzipSync(readFileSync(path.join(CORPUS, `${name}.ftrace.txt.gz`))).toString('utf8');
  const pages = new Map<number, { candidates: number[]; live: number }>();
  let maps = 0;
  let unmaps = 0;
  for (const line of text.split('\n')) {
    const [, kind, start = '', end = '', paddr = '', size = '', unmapped] = EVENT.exec(line) ?? [];
    if (kind === undefined) continue;
    const iova = parseInt(start, 16);
    const length = Number(unmapped ?? size);
    if (kind === 'map' && iova + length !== parseInt(end, 16)) throw new Error(`not a map event: ${line}`);
    if (kind === 'map') maps++;
    else unmaps++;
    for (let offset = 0; offset < length; offset += PAGE) {
      const page = pages.get(iova + offset) ?? { candidates: [], live: 0 };
      pages.set(iova + offset, page);
      if (kind === 'map') {
        page.candidates.push(parseInt(paddr, 16) + offset);
        page.live++;
      } else {
        if (page.live === 0) throw new Error(`unmapped but never mapped: ${line}`);
        page.live--;
        if (page.live === 0) page.candidates = [];
        else if (new Set(page.candidates).size === 1) page.candidates.pop();
      }
    }
  }
  for (const [iova, page] of pages) if (page.live === 0) pages.delete(iova);
  return { maps, unmaps, pages };
}
