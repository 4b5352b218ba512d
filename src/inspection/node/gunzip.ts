import * as zlib from 'node:zlib';
import { type ByteSource } from '../../bytes/byteSource';
import { type InflateEnd } from '../../image/inflating';
import { type BlockWriter } from '../../image/sparseStore';
import { type Task } from '../../bytes/task';
import { errorText } from './fileSource';

/** Packed bytes given to zlib at once. */
const INPUT_BYTES = 256 * 1024;
/** Inflated bytes that come back at once. */
const OUTPUT_BYTES = 64 * 1024;
const PROGRESS_EVERY_MS = 100;

/**
 * Inflates all members of `packed` into `writer`. zlib works in a thread of its own and hands over 64 KiB at a time, so
 * the event loop runs in between.
 */
export async function gunzip(packed: ByteSource, writer: BlockWriter, task: Task): Promise<InflateEnd> {
  const first = await onePass(packed, writer, task, Infinity);
  if (first.kind !== 'corrupt') return first;
  // zlib keeps back what it inflated in the call that failed. Once more, byte by byte from where that call began.
  return await onePass(packed, writer, task, first.offset);
}

async function onePass(
  packed: ByteSource,
  writer: BlockWriter,
  task: Task,
  bytewiseFrom: number,
): Promise<InflateEnd> {
  const stream = zlib.createGunzip({ chunkSize: OUTPUT_BYTES });
  let end: InflateEnd | undefined;
  const stop = (why: InflateEnd): void => {
    end ??= why;
    stream.destroy();
  };
  const known = writer.size;
  let seen = 0;
  let reported = 0;
  stream.on('data', (bytes: Uint8Array) => {
    if (end) return;
    const fresh = bytes.subarray(Math.max(0, known - seen));
    seen += bytes.length;
    writer.write(fresh);
    if (writer.full) stop({ kind: 'full' });
    if (task.signal?.aborted) stop({ kind: 'cancelled' });
    if (Date.now() - reported < PROGRESS_EVERY_MS) return;
    reported = Date.now();
    task.onProgress?.({
      message: `Inflating ${packed.name}`,
      fraction: Math.min(1, stream.bytesWritten / packed.size),
    });
  });
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const cut = error.code === 'Z_BUF_ERROR';
    end ??= cut ? { kind: 'cut' } : { kind: 'corrupt', offset: stream.bytesWritten, why: errorText(error) };
  });
  const closed = new Promise<void>((resolve) => {
    stream.once('close', resolve);
  });
  const buffer = new Uint8Array(INPUT_BYTES);
  for (let offset = 0; offset < packed.size && !end;) {
    if (task.signal?.aborted) stop({ kind: 'cancelled' });
    const bytes = offset >= bytewiseFrom ? 1 : Math.min(INPUT_BYTES, bytewiseFrom - offset);
    const piece = buffer.subarray(0, Math.min(bytes, packed.size - offset));
    const got = packed.read(offset, piece);
    if (got === 0) stop({ kind: 'unreadable', offset, why: packed.fault?.() ?? 'the file ended' });
    else await written(stream, piece.subarray(0, got));
    offset += got;
  }
  if (!end) stream.end();
  await closed;
  return end ?? { kind: 'complete' };
}

/** Resolves when zlib has taken the bytes, or when the stream was destroyed. */
function written(stream: zlib.Gunzip, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('close', done);
      resolve();
    };
    stream.on('close', done);
    stream.write(bytes, done);
  });
}
