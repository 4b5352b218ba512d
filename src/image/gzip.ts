import { type ByteSource } from './byteSource';
import { type InflateEnd } from './inflating';

/** Gzip (RFC 1952): ID1, ID2, and the only method there is. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;

const CHUNK = 64 * 1024;
/** The trailer's ISIZE and the next member's first three bytes. */
const SEAM_BYTES = 7;

/** Finds out why an inflater that knows only one member failed. */
export class GzipMembers {
  constructor(private readonly packed: ByteSource) {}

  /**
   * @param inflated Bytes that came out.
   * @param offset Packed bytes that went in.
   * @param why What the inflater said.
   */
  explain(inflated: number, offset: number, why: string): InflateEnd {
    if (this.memberEndsAfter(inflated)) return { kind: 'members' };
    if (offset >= this.packed.size && !this.endsWithSize(inflated)) return { kind: 'cut' };
    return { kind: 'corrupt', offset, why };
  }

  /** True when a member of this inflated size (modulo 2^32, RFC 1952 §2.3.1) is followed by another. */
  private memberEndsAfter(inflated: number): boolean {
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

  private endsWithSize(inflated: number): boolean {
    const trailer = new Uint8Array(4);
    const got = this.packed.read(Math.max(0, this.packed.size - 4), trailer);
    return got === 4 && new DataView(trailer.buffer).getUint32(0, true) === inflated % 2 ** 32;
  }
}
