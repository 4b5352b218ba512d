import { type ByteSource } from '../../bytes/byteSource';
import { type TextHead } from './lineFormat';
import { utf8 } from './utf8';

/** Bytes that a format is recognised by. */
const HEAD_BYTES = 65_536;
const LINE_FEED = 0x0a;

/** The first bytes of a source. */
export function headBytes(source: ByteSource): Uint8Array {
  const head = new Uint8Array(Math.min(HEAD_BYTES, source.size));
  return head.subarray(0, source.read(0, head));
}

/** How many bytes in front are a byte order mark. */
export const markLength = (head: Uint8Array): number =>
  head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;

/** The lines of the head; the last only when it has an end, or the file is no longer. */
export function textHead(head: Uint8Array, name: string): TextHead {
  const cut = head.length < HEAD_BYTES ? head.length : head.lastIndexOf(LINE_FEED) + 1;
  const lines = utf8(head.subarray(markLength(head), cut)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return { lines, name };
}
