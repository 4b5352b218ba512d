import assert from 'node:assert/strict';
import { bytesSource } from '../../../src/bytes/byteSource';
import { PageBitmap } from '../../../src/image/readers/kdump/pageBitmap';
import { task } from './support';

const CHUNK_PAGES = 32_768;
const OFFSET = 100;
/** Seven chunks: mixed, full, mixed, empty, mixed, mixed, and a part of one that ends within a byte. */
const PAGES = 6 * CHUNK_PAGES + 1003;

/** Whether a page is held, by a rule that has no pattern of words or bytes. */
function held(page: number): boolean {
  const chunk = Math.floor(page / CHUNK_PAGES);
  if (chunk === 1) return true;
  return chunk !== 3 && (page * page + chunk) % 7 < 3;
}

/** All bits behind the last page are set: they are no pages. */
function bitmap(): Uint8Array {
  const bytes = new Uint8Array(OFFSET + Math.ceil(PAGES / 8)).fill(0xff);
  for (let page = 0; page < PAGES; page++) {
    const at = OFFSET + (page >> 3);
    if (!held(page)) bytes[at] = (bytes[at] ?? 0) & ~(1 << (page & 7));
  }
  return bytes;
}

async function load(mostMixed?: number): Promise<PageBitmap> {
  const loaded = await PageBitmap.load(bytesSource('dump', bitmap()), OFFSET, PAGES, task, mostMixed);
  assert.ok(loaded instanceof PageBitmap);
  return loaded;
}

function ranges(pages: PageBitmap, most: number): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  pages.ranges(most, (start, end) => void found.push([start, end]));
  return found;
}

describe('a bitmap of pages', () => {
  for (const [name, mostMixed] of [
    ['kept whole', undefined],
    ['of which two mixed chunks are kept and the others read again', 2],
  ] as const) {
    it(`says which pages are held and how many come before each, ${name}`, async () => {
      const pages = await load(mostMixed);
      let rank = 0;
      for (let page = 0; page < PAGES; page++) {
        if (pages.has(page) !== held(page)) assert.fail(`page ${page}`);
        if (pages.rank(page) !== rank) assert.fail(`rank of page ${page}: ${pages.rank(page)}, not ${rank}`);
        if (held(page)) rank++;
      }
      assert.equal(pages.count, rank);
      assert.equal(pages.has(PAGES), false);
    });
  }

  it('gives the same ranges either way, exact and by whole chunks', async () => {
    const [whole, partly] = [await load(), await load(2)];
    assert.deepEqual(ranges(partly, PAGES), ranges(whole, PAGES));
    const coarse = ranges(partly, 10);
    assert.deepEqual(coarse, ranges(whole, 10));
    assert.equal(coarse.length, 6);
    assert.ok((coarse.at(-1)?.[1] ?? Infinity) <= PAGES);
  });
});
