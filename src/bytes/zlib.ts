import { unzlibSync } from 'fflate';

const ADLER_BASE = 65_521;
/** Bytes whose sums stay below 2^53. */
const TRAILER_BYTES = 4;

/** RFC 1950 §8.2. */
function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  // A page has at most 64 KiB: the sums stay below 2^53 with one division at the end.
  for (const byte of bytes) {
    a += byte;
    b += a;
  }
  return (b % ADLER_BASE) * 65_536 + (a % ADLER_BASE);
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
