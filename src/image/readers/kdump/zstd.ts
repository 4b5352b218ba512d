import { Decompress } from 'fzstd';

/** RFC 8878 §3.1.1: sizes and numbers of a frame. */
const MAGIC = 0xfd2f_b528;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
/** What RFC 8878 §3.1.1.1.2 asks every decoder to support. A page needs its own size. */
const MOST_WINDOW_BYTES = 8 * 1024 * 1024;
/** A match copies at least so many bytes. */
const LEAST_MATCH = 3;
const [RAW, RLE, COMPRESSED] = [0, 1, 2];

/** Decompresses one Zstandard frame into `output`, which it has to fill. Throws an `Error` when the data are damaged. */
export function decompressZstd(bytes: Uint8Array, output: Uint8Array): void {
  checkFrame(bytes, output.length);
  let written = 0;
  // In pieces, because only then the decoder tells how much it really wrote.
  const decoder = new Decompress((piece) => {
    if (written + piece.length > output.length) {
      throw new Error(`they give more than the ${output.length} bytes of a page`);
    }
    output.set(piece, written);
    written += piece.length;
  });
  decoder.push(bytes, true);
  if (written !== output.length) throw new Error(`they give ${written} bytes of a page of ${output.length}`);
}

/**
 * Checks what the decoder takes on trust, so that its work is bounded by the page: one frame, no dictionary, and no block that
 * claims more literals or more sequences than a page has room for.
 */
function checkFrame(bytes: Uint8Array, pageBytes: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) throw new Error('they are no Zstandard frame');
  const descriptor = view.getUint8(4);
  const [sizeFlag, single] = [descriptor >> 6, (descriptor & 0x20) !== 0];
  if ((descriptor & 0x0b) !== 0) throw new Error('the frame needs a dictionary or has reserved bits');
  const window = view.getUint8(5);
  if (!single && 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8) > MOST_WINDOW_BYTES) {
    throw new Error('the frame asks for a window of more than 8 MiB');
  }
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  let at = single ? 5 : 6;
  if (at + sizeBytes > bytes.length) throw new Error('the data end in the middle');
  if (sizeBytes > 0) {
    let size = sizeFlag === 1 ? 256 : 0;
    for (let i = 0; i < sizeBytes; i++) size += (bytes[at + i] ?? 0) * 256 ** i;
    if (size !== pageBytes)
      throw new Error(`they say that they give ${size} bytes of a page of ${pageBytes}`);
  }
  at += sizeBytes;
  let known = 0;
  for (let last = false; !last;) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) throw new Error('the data end in the middle');
    const header = view.getUint16(at, true) + view.getUint8(at + 2) * 65_536;
    const [type, size] = [(header >> 1) & 3, header >> 3];
    last = (header & 1) === 1;
    at += BLOCK_HEADER_BYTES;
    if (type === RAW || type === RLE) known += size;
    else if (type === COMPRESSED) checkBlock(bytes.subarray(at, at + size), pageBytes);
    else throw new Error('a block has the reserved type');
    if (known > pageBytes) throw new Error(`they give more than the ${pageBytes} bytes of a page`);
    at += type === RLE ? 1 : size;
    if (at > bytes.length) throw new Error('the data end in the middle');
  }
  const end = at + ((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES);
  if (end !== bytes.length) throw new Error(`the frame has ${end} bytes, the page's data ${bytes.length}`);
}

/** §3.1.1.3: the literals section's sizes and the count of sequences. */
function checkBlock(block: Uint8Array, pageBytes: number): void {
  const byte = (at: number): number => {
    const value = block[at];
    if (value === undefined) throw new Error('a block ends in the middle');
    return value;
  };
  const header = byte(0);
  const [kind, format] = [header & 3, (header >> 2) & 3];
  let literals: number;
  let at: number;
  if (kind < 2) {
    const headerBytes = (format & 1) === 0 ? 1 : format === 1 ? 2 : 3;
    literals = header >> 3;
    if (headerBytes > 1) literals = (header >> 4) + (byte(1) << 4) + (headerBytes === 3 ? byte(2) << 12 : 0);
    at = headerBytes + (kind === RLE ? 1 : literals);
  } else {
    const headerBytes = format < 2 ? 3 : format + 2;
    const bits = format < 2 ? 10 : format === 2 ? 14 : 18;
    let sizes = 0;
    for (let i = headerBytes - 1; i >= 0; i--) sizes = sizes * 256 + byte(i);
    sizes = Math.floor(sizes / 16);
    literals = sizes % 2 ** bits;
    at = headerBytes + (Math.floor(sizes / 2 ** bits) % 2 ** bits);
  }
  if (literals > pageBytes)
    throw new Error(`a block claims ${literals} literals for a page of ${pageBytes} bytes`);
  const first = byte(at);
  let sequences = first;
  if (first === 255) sequences = byte(at + 1) + (byte(at + 2) << 8) + 0x7f00;
  else if (first > 127) sequences = ((first - 128) << 8) + byte(at + 1);
  if (sequences * LEAST_MATCH > pageBytes) {
    throw new Error(`a block claims ${sequences} copies for a page of ${pageBytes} bytes`);
  }
}
