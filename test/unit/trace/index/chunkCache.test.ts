import assert from 'node:assert/strict';
import { ChunkCache } from '../../../../src/trace/index/chunkCache';
import { type TraceChunk } from '../../../../src/trace/model/chunk';

/** A chunk of which the cache looks at the bytes only. */
const chunkOf = (bytes: number): TraceChunk => ({ rows: 1, columns: {} as TraceChunk['columns'], bytes });

/** Goes over all chunks in their order, and counts those that had to be read. */
function readAll(cache: ChunkCache, chunks: number): number {
  let reads = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    if (cache.get(chunk)) continue;
    reads++;
    cache.put(chunk, chunkOf(10));
  }
  return reads;
}

describe('chunks in memory', () => {
  it('serve questions over all rows of a trace that is slightly too large', () => {
    const cache = new ChunkCache(1000);
    assert.equal(readAll(cache, 110), 110);
    for (let question = 0; question < 3; question++) assert.ok(readAll(cache, 110) <= 25);
    assert.ok(cache.bytes <= 1000);
  });

  it('keep those around the place that somebody looks at, wherever that is', () => {
    const cache = new ChunkCache(1000);
    readAll(cache, 500);
    for (const chunk of [400, 401, 402]) cache.put(chunk, chunkOf(10));
    for (let look = 0; look < 3; look++) assert.ok([400, 401, 402].every((chunk) => cache.get(chunk)));
    assert.ok(cache.bytes <= 1000);
  });

  it('are one at least, and never more than the budget beside each other', () => {
    const cache = new ChunkCache(15);
    for (const [chunk, bytes] of [3, 40, 10, 8, 2, 1].entries()) {
      cache.put(chunk, chunkOf(bytes));
      assert.ok(cache.peek(chunk));
      assert.ok(cache.bytes <= Math.max(15, bytes), `${cache.bytes}`);
    }
    cache.put(5, chunkOf(4));
    assert.equal(cache.peek(5)?.bytes, 4);
  });
});
