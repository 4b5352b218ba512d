import { type ByteSource } from '../../../bytes/byteSource';
import { cancelledMeanwhile, type Task } from '../../../bytes/task';

/** Read at once, and the longest line: a few milliseconds of work. */
const CHUNK = 512 * 1024;
const LINE_FEED = 10;

/** Takes one line without its end: bytes [start, end) of a buffer that is used again. Lines count from 1. */
export type TakeLine = (bytes: Uint8Array, start: number, end: number, line: number) => void;

/** How the reading of a text ended. */
export interface TextEnd {
  readonly end: 'complete' | 'cancelled' | 'unreadable';
  readonly lines: number;
  /** Bytes that came. */
  readonly bytes: number;
  /** False when the last line has no line feed, as in a text that was cut. */
  readonly closed: boolean;
}

/** Cuts a source into lines, in slices with progress. A line longer than a chunk comes in pieces. */
export async function readLines(source: ByteSource, task: Task, take: TakeLine): Promise<TextEnd> {
  const buffer = new Uint8Array(CHUNK);
  const message = `Reading ${source.name}`;
  let offset = 0;
  let lines = 0;
  let closed = true;
  while (offset < source.size) {
    const got = source.read(offset, buffer);
    if (got === 0) return { end: 'unreadable', lines, bytes: offset, closed };
    const last = offset + got >= source.size;
    let start = 0;
    for (;;) {
      const found = buffer.indexOf(LINE_FEED, start);
      if (found < 0 || found >= got) break;
      take(buffer, start, found, ++lines);
      start = found + 1;
    }
    // The rest of the chunk is read again with what follows it, unless nothing does or all of the chunk is one line.
    if (start < got && (last || start === 0)) {
      take(buffer, start, got, ++lines);
      closed = false;
      start = got;
    } else closed = true;
    offset += start;
    task.onProgress?.({ message, fraction: offset / source.size });
    if (await cancelledMeanwhile(task)) return { end: 'cancelled', lines, bytes: offset, closed };
  }
  return { end: 'complete', lines, bytes: offset, closed };
}
