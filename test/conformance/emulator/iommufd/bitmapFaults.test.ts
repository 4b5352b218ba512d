/**
 * What careless writers of the dirty bitmap lost (Linux 6.8-rc and 6.11, reported by Avihai Horon, fixed by Joao Martins), and
 * that a good one loses nothing: bits of a huge leaf past the end of a window of bitmap, and bitmaps at any byte.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type BitmapCarelessness, DirtyBitmap } from '../../../../src/engine/driver/iommufd/dirtyBitmap';

/** A window of 2 MiB of bitmap stands for 64 GiB. */
const WINDOW_PAGES = (64 * 2 ** 30) / 4096;
const LEAF_PAGES = 2 ** 30 / 4096;

/** A bitmap for `pages` pages, with a dirty leaf in it: which pages it tells, as runs. */
function tell(
  { pages, dirty, offset = 0 }: { pages: number; dirty: readonly [number, number]; offset?: number },
  careless?: BitmapCarelessness,
) {
  const bytes = new Uint8Array(Math.ceil(pages / 8) + offset);
  const bitmap = new DirtyBitmap({ bytes, offset }, 0, 1, pages, careless);
  bitmap.set(...dirty);
  const runs: [number, number][] = [];
  for (let page = 0; page < pages; page++) {
    if ((((bytes[offset + (page >>> 3)] ?? 0) >>> (page & 7)) & 1) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === page) last[1]++;
    else runs.push([page, page + 1]);
  }
  return { runs, overruns: bitmap.overruns };
}

describe('dirty bitmap: a 1G leaf across the end of a 64 GiB window, IOVA base not a multiple of 1G', () => {
  // The range begins half a leaf before a multiple of 1G: leaves straddle the window's end.
  const start = WINDOW_PAGES - LEAF_PAGES / 2;
  const leaf = { pages: WINDOW_PAGES + 2 * LEAF_PAGES, dirty: [start, start + LEAF_PAGES] as const };
  const whole = [start, start + LEAF_PAGES];

  it('a good writer tells the whole leaf', () => {
    assert.deepEqual(tell(leaf), { runs: [whole], overruns: 0 });
  });

  it('Linux 2780025e01e2: bits past the window are dropped, so that half of the leaf is lost', () => {
    assert.deepEqual(tell(leaf, { fault: 'window-drop' }).runs, [[start, WINDOW_PAGES]]);
  });

  it('Linux a4ab7dedaee0: bits past the window are written outside of the bitmap', () => {
    const { runs, overruns } = tell(leaf, { fault: 'window-overrun' });
    assert.deepEqual(runs, [[start, WINDOW_PAGES]]);
    assert.equal(overruns, LEAF_PAGES / 2);
  });

  it('Linux 53e6b65693b6: a leaf that is set ahead reaches one window, not those behind it', () => {
    const windowBytes = 4096;
    const bits = 8 * windowBytes;
    const long = { pages: 8 * bits, dirty: [bits / 2, 5 * bits] as const };
    assert.deepEqual(tell(long).runs, [[bits / 2, 5 * bits]]);
    assert.deepEqual(tell(long, { fault: 'set-ahead', windowBytes }).runs, [[bits / 2, 2 * bits]]);
    assert.deepEqual(tell(leaf, { fault: 'set-ahead' }).runs, [whole]);
  });
});

describe('dirty bitmap: at any byte', () => {
  const pages = 1024;

  it('a good writer is exact at every byte of a page', () => {
    for (const offset of [0, 1, 7, 8, 0xff1, 4095])
      assert.deepEqual(tell({ pages, dirty: [3, 70], offset }).runs, [[3, 70]]);
  });

  it('Linux d18411ec3057: a bitmap that is not aligned to 8 bytes is written in the wrong place', () => {
    const fault = 'word-pointer';
    assert.deepEqual(tell({ pages, dirty: [8, 16], offset: 8 }, { fault }).runs, [[8, 16]]);
    assert.notDeepEqual(tell({ pages, dirty: [8, 16], offset: 0xff1 }, { fault }).runs, [[8, 16]]);
  });

  it('Linux 6.8-rc: without the offset in its page too few pages are pinned, and the last bits are lost', () => {
    const fault = 'page-offset';
    const all = { pages: 4096 * 8, dirty: [0, 4096 * 8] as const };
    assert.deepEqual(tell(all, { fault }).runs, [[0, 4096 * 8]]);
    assert.deepEqual(tell({ ...all, offset: 2048 }, { fault }).runs, [[0, 2048 * 8]]);
    assert.deepEqual(tell({ ...all, offset: 2048 }).runs, [[0, 4096 * 8]]);
  });
});
