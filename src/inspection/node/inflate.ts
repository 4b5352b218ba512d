import { setImmediate } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import { failure, type Result, success } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';
import { type InflateEnd, inflateProblem } from '../../image/inflating';
import { type ImagePlatform, type Inflated } from '../../image/platform';
import { BlockWriter } from '../../image/sparseStore';
import { CANCELLED, type Task } from '../../bytes/task';
import { InflateCache } from './cache';
import { openFileSource } from './fileSource';
import { gunzip } from './gunzip';
import { SpillingBlocks } from './spillingBlocks';

export interface NodeImageOptions {
  /** Where inflated images are kept. Absent: in memory only. */
  readonly cacheDirectory?: string;
  /** Bytes the cache may take, and one image in it. */
  readonly cacheBytes?: number;
  /** Bytes that are not zero and stay in memory; more go to the cache. Without a cache: the most that is inflated. */
  readonly memoryBytes?: number;
  /** Images that inflate to less are not kept in the cache: inflating them again takes no time. */
  readonly cachedFrom?: number;
}

const GIB = 2 ** 30;
const MEMORY_BYTES = 64 * 2 ** 20;
const MEMORY_BYTES_ALONE = GIB;
/** Bytes that inflated files and indexes take on disk. */
export const CACHE_BYTES = 8 * GIB;
const CACHED_FROM = 16 * 2 ** 20;
/** Packed bytes that `inflateHead` looks at. */
const HEAD_PACKED_BYTES = 16 * 1024;

/** Image reading in Node: files by ranges, zlib, a cache on disk. */
export function nodeImagePlatform(options: NodeImageOptions = {}): ImagePlatform {
  const { cacheDirectory, cacheBytes = CACHE_BYTES } = options;
  const cache = cacheDirectory === undefined ? undefined : new InflateCache(cacheDirectory, cacheBytes);
  return {
    openPath: openFileSource,
    inflate: (packed, task) => inflate(packed, task, cache, options),
    inflateHead: (packed, bytes) => Promise.resolve(inflateHead(packed, bytes)),
    pause: () => setImmediate(),
  };
}

async function inflate(
  packed: ByteSource,
  task: Task,
  cache: InflateCache | undefined,
  options: NodeImageOptions,
): Promise<Result<Inflated>> {
  const { name, identity } = packed;
  const held = identity && cache?.open(identity, name);
  if (held) return success({ source: held });
  const memoryBytes = options.memoryBytes ?? (cache ? MEMORY_BYTES : MEMORY_BYTES_ALONE);
  const blocks = new SpillingBlocks(memoryBytes, cache);
  const writer = new BlockWriter(blocks);
  let end: InflateEnd;
  let size: number;
  try {
    end = await gunzip(packed, writer, task);
    size = writer.end();
  } catch (error) {
    blocks.discard();
    throw error;
  }
  if (end.kind === 'cancelled') {
    blocks.discard();
    return failure(CANCELLED, `Inflating ${name} was cancelled.`);
  }
  if (end.kind !== 'complete') {
    const problem = inflateProblem(name, end, size, blocks);
    if (size > 0) return success({ source: blocks.source(name, size), problem });
    blocks.discard();
    const { code, message, hint } = problem;
    return failure(code, message, hint);
  }
  if (identity && size >= (options.cachedFrom ?? CACHED_FROM)) await blocks.keep(identity, size, task);
  return success({ source: blocks.source(name, size) });
}

function inflateHead(packed: ByteSource, bytes: number): Uint8Array {
  const input = new Uint8Array(Math.min(HEAD_PACKED_BYTES, packed.size));
  const got = packed.read(0, input);
  try {
    // Cut short on purpose: a flush gives what there is instead of an error.
    const inflated = zlib.gunzipSync(input.subarray(0, got), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    return new Uint8Array(inflated.subarray(0, bytes));
  } catch {
    return new Uint8Array();
  }
}
