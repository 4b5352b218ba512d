import { PageOutput } from '../../../bytes/pageOutput';

/** Distance that ends the stream when it is coded by an instruction 0001HLLL. */
const END_DISTANCE = 16_384;

/** Bytes of the input, one after the other; past the end is an error. */
class Input {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  next(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error('the data end in the middle');
    return byte;
  }

  /** Little-endian 16 bits. */
  next16(): number {
    const low = this.next();
    return low | (this.next() << 8);
  }

  /** A length of `bits` bits; 0 means that it goes on: 255 for each zero byte and then the first other byte. */
  length(instruction: number, bits: number): number {
    const most = (1 << bits) - 1;
    const short = instruction & most;
    if (short !== 0) return short;
    let length = most;
    let byte = this.next();
    for (; byte === 0; byte = this.next()) length += 255;
    return length + byte;
  }
}

/**
 * Decompresses one LZO1X stream into `output`, which it has to fill. Throws an `Error` when the data are damaged. Work is
 * bounded by the input and the output: each instruction takes a byte of the one, or adds to the other.
 *
 * The format: Linux, Documentation/staging/lzo.rst (bitstream version 0, as LZO1X-1 writes it).
 */
export function decompressLzo(bytes: Uint8Array, output: Uint8Array): void {
  const input = new Input(bytes);
  const page = new PageOutput(output);
  const literals = (count: number): void => {
    page.literals(bytes, input.at, count);
    input.at += count;
  };
  // Literals that the last instruction copied: 0 to 3, or 4 for more.
  let state = 0;
  const first = bytes[0] ?? 0;
  if (first > 17) {
    input.at = 1;
    literals(first - 17);
    state = Math.min(4, first - 17);
  }
  for (;;) {
    const code = input.next();
    if (code < 16 && state === 0) {
      literals(3 + input.length(code, 4));
      state = 4;
      continue;
    }
    let tail = code;
    if (code < 16) {
      const distance = (code >> 2) + (input.next() << 2);
      if (state === 4) page.copy(distance + 2049, 3);
      else page.copy(distance + 1, 2);
    } else if (code < 32) {
      const length = 2 + input.length(code, 3);
      tail = input.next16();
      const distance = END_DISTANCE + ((code & 8) << 11) + (tail >> 2);
      if (distance === END_DISTANCE) break;
      page.copy(distance, length);
    } else if (code < 64) {
      const length = 2 + input.length(code, 5);
      tail = input.next16();
      page.copy((tail >> 2) + 1, length);
    } else {
      const length = code < 128 ? 3 + ((code >> 5) & 1) : 5 + ((code >> 5) & 3);
      page.copy((input.next() << 3) + ((code >> 2) & 7) + 1, length);
    }
    state = tail & 3;
    literals(state);
  }
  if (input.at !== bytes.length)
    throw new Error(`${bytes.length - input.at} bytes follow the end of the data`);
  page.end();
}
