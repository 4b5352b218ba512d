import { type ByteSource } from '../bytes/byteSource';

/** Gzip (RFC 1952): ID1, ID2, and the only method there is. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;

const CHUNK = 64 * 1024;
/** The trailer's ISIZE and the next member's first three bytes. */
const SEAM_BYTES = 7;

/** Finds out whether an inflater that knows only one member failed because there are more. */
export class GzipMembers {
  constructor(private readonly packed: ByteSource) {}

  /** True when a member of this inflated size (modulo 2^32, RFC 1952 §2.3.1) is followed by another. */
  memberEndsAfter(inflated: number): boolean {
    const buffer = new Uint8Array(CHUNK);
    const view = new DataView(buffer.buffer);
    for (let start = 0; start < this.packed.size; start += CHUNK - SEAM_BYTES + 1) {
      const got = this.packed.read(start, buffer);
      for (let at = 0; at + SEAM_BYTES <= got; at++) {
        const seam = buffer[at + 4] === 0x1f && buffer[at + 5] === 0x8b && buffer[at + 6] === 8;
        if (seam && view.getUint32(at, true) === inflated % 2 ** 32) return true;
      }
      if (got < CHUNK) break;
    }
    return false;
  }
}
