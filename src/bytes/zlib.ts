import { unzlibSync } from 'fflate';

const ADLER_BASE = 65_521;
/** Bytes between divisions: with so many both sums stay far below 2^53, however long the data are. */
const ADLER_STEP = 65_536;
const TRAILER_BYTES = 4;

/** RFC 1950 §8.2. */
function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let from = 0; from < bytes.length; from += ADLER_STEP) {
    const end = Math.min(from + ADLER_STEP, bytes.length);
    for (let at = from; at < end; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= ADLER_BASE;
    b %= ADLER_BASE;
  }
  return b * 65_536 + a;
}

/** Inflates one zlib stream (RFC 1950) into `output`, which it has to fill. Throws an `Error` when the data are damaged. */
export function decompressZlib(bytes: Uint8Array, output: Uint8Array): void {
  if (bytes.length < 2 + TRAILER_BYTES) throw new Error('the data end in the middle');
  const written = unzlibSync(bytes, { out: output });
  if (written.length !== output.length) {
    throw new Error(`they give ${written.length} bytes of a page of ${output.length}`);
  }
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - TRAILER_BYTES, TRAILER_BYTES);
  if (trailer.getUint32(0) !== adler32(output)) throw new Error('the checksum (Adler-32) is another');
}
