import { failure, type Result, success } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';
import { GzipMembers } from '../../image/gzip';
import { type InflateEnd, inflateProblem } from '../../image/inflating';
import { type ImagePlatform, type Inflated } from '../../image/platform';
import { BlockWriter, MemoryBlocks, SparseStore } from '../../image/sparseStore';
import { CANCELLED, type Task } from '../../bytes/task';

export interface WebImageOptions {
  /** Lets the event loop run once. */
  readonly pause: () => Promise<void>;
  /** Inflated bytes that are not zero and are kept, in memory. */
  readonly storedBytes?: number;
}

const STORED_BYTES = 2 ** 30;
/** Packed bytes given to the browser at once: small, for it inflates what it is given in one go. */
const INPUT_BYTES = 16 * 1024;
/** How browsers say that the packed bytes end too early; the standard gives no code for it. */
const TOO_SHORT = /truncated|unexpected end|without reaching the stream end/i;
/** Without a pause at most. */
const SLICE_MS = 20;

/** Image reading in a browser: bytes handed in, DecompressionStream, everything in memory. */
export function webImagePlatform({ pause, storedBytes = STORED_BYTES }: WebImageOptions): ImagePlatform {
  return {
    openPath: (path) =>
      failure(
        'image/no-paths',
        `${path} cannot be read: a browser has no files by path.`,
        'Open the image through the editor, which hands over its bytes.',
      ),
    inflate: (packed, task) => inflate(packed, task, storedBytes),
    inflateHead,
    pause,
  };
}

async function inflate(packed: ByteSource, task: Task, limit: number): Promise<Result<Inflated>> {
  const blocks = new MemoryBlocks(limit);
  const writer = new BlockWriter(blocks);
  const end = await decompress(packed, writer, task);
  const size = writer.end();
  if (end.kind === 'cancelled') return failure(CANCELLED, `Inflating ${packed.name} was cancelled.`);
  const source = new SparseStore(packed.name, size, blocks.blocks);
  if (end.kind === 'complete') return success({ source });
  const problem = inflateProblem(packed.name, end, size, { limit });
  if (size > 0) return success({ source, problem });
  return failure(problem.code, problem.message, problem.hint);
}

async function decompress(packed: ByteSource, writer: BlockWriter, task: Task): Promise<InflateEnd> {
  const stream = new DecompressionStream('gzip');
  const members = new GzipMembers(packed);
  const input = stream.writable.getWriter();
  const output = stream.readable.getReader();
  /** Packed bytes handed over. */
  let offset = 0;
  const feed = async (): Promise<void> => {
    while (offset < packed.size) {
      await input.ready;
      // A fresh buffer each time: the stream may keep it.
      const piece = new Uint8Array(Math.min(INPUT_BYTES, packed.size - offset));
      packed.read(offset, piece);
      offset += piece.length;
      await input.write(piece);
    }
    await input.close();
  };
  // What goes wrong here goes wrong for the reader of the output too, which reports it.
  const feeding = feed().catch(() => undefined);
  let slice = performance.now();
  try {
    for (;;) {
      const { done, value } = await output.read();
      if (done) break;
      writer.write(value);
      if (task.signal?.aborted || writer.full) {
        await output.cancel();
        await feeding;
        return { kind: writer.full ? 'full' : 'cancelled' };
      }
      if (performance.now() - slice < SLICE_MS) continue;
      task.onProgress?.({ message: `Inflating ${packed.name}`, fraction: offset / packed.size });
      await task.pause();
      slice = performance.now();
    }
  } catch (error) {
    await feeding;
    if (members.memberEndsAfter(writer.size)) return { kind: 'members' };
    const why = error instanceof Error ? error.message : String(error);
    return TOO_SHORT.test(why) ? { kind: 'cut' } : { kind: 'corrupt', offset, why };
  }
  await feeding;
  return { kind: 'complete' };
}

async function inflateHead(packed: ByteSource, bytes: number): Promise<Uint8Array> {
  const stream = new DecompressionStream('gzip');
  const input = stream.writable.getWriter();
  const output = stream.readable.getReader();
  const piece = new Uint8Array(Math.min(INPUT_BYTES, packed.size));
  packed.read(0, piece);
  // Neither settles before the output is read or cancelled; a failure shows there.
  const feeding = input.write(piece).then(
    () => input.close(),
    () => undefined,
  );
  const head = new Uint8Array(bytes);
  let filled = 0;
  try {
    while (filled < bytes) {
      const { done, value } = await output.read();
      if (done) break;
      const part = value.subarray(0, bytes - filled);
      head.set(part, filled);
      filled += part.length;
    }
    await output.cancel();
  } catch {
    // Cut short on purpose: what came before the error is the head.
  }
  await feeding.catch(() => undefined);
  return head.subarray(0, filled);
}
