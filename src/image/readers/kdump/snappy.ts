import { PageOutput } from '../../../bytes/pageOutput';

/** Literals longer than this have their length in 1 to 4 bytes after the tag. */
const SHORT_LITERAL = 60;

/** Little-endian number of `count` bytes. */
function number(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw new Error('the data end in the middle');
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/**
 * Decompresses one raw Snappy block into `output`, which it has to fill. Throws an `Error` when the data are damaged. Work is
 * bounded: each element takes bytes of the input and adds to the output.
 *
 * The format: Snappy compressed format description, 2011-10-05.
 */
export function decompressSnappy(bytes: Uint8Array, output: Uint8Array): void {
  let at = 0;
  let declared = 0;
  // A varint of at most 32 bits.
  for (let scale = 1; ; scale *= 128) {
    const byte = number(bytes, at++, 1);
    declared += (byte & 0x7f) * scale;
    if (byte < 128) break;
    if (at === 5) throw new Error('the length has more than 32 bits');
  }
  if (declared !== output.length) {
    throw new Error(`they say that they give ${declared} bytes of a page of ${output.length}`);
  }
  const page = new PageOutput(output);
  while (at < bytes.length) {
    const tag = number(bytes, at++, 1);
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >> 2) + 1;
      if (length > SHORT_LITERAL) {
        const lengthBytes = length - SHORT_LITERAL;
        length = number(bytes, at, lengthBytes) + 1;
        at += lengthBytes;
      }
      page.literals(bytes, at, length);
      at += length;
    } else if (kind === 1) {
      page.copy(((tag >> 5) << 8) + number(bytes, at, 1), 4 + ((tag >> 2) & 7));
      at += 1;
    } else {
      const offsetBytes = kind === 2 ? 2 : 4;
      page.copy(number(bytes, at, offsetBytes), (tag >> 2) + 1);
      at += offsetBytes;
    }
  }
  page.end();
}
