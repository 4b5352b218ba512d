import { assert } from '../engine/result';

/** Tells whether two sources are the same file with the same content. */
export interface SourceIdentity {
  /** Where it is: the absolute path. */
  readonly place: string;
  /** Changes with the content: size, times of change, and which file it is on its disk. */
  readonly version: string;
}

/** Bytes by offset, read synchronously: a file, a buffer, or what was inflated from one. */
export interface ByteSource {
  /** For people: the file's name without its directories. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Absent when it is not known. */
  readonly identity?: SourceIdentity;
  /**
   * Fills `target` from `offset` on.
   *
   * @returns Bytes read: fewer than asked at the end of the source, or when the source cannot be read (see `fault`).
   */
  read(offset: number, target: Uint8Array): number;
  /**
   * `count` little-endian 32-bit words from byte `offset` on, without a copy, valid until `close`. Undefined when they do
   * not lie in memory in one piece at a multiple of 4.
   */
  words?(offset: number, count: number): Uint32Array | undefined;
  /** Why a read inside `size` came out short, as a sentence for people. */
  fault?(): string | undefined;
  /** Frees what is held. Nothing may be read afterwards. */
  close(): void;
}

/** Bytes in memory as a source. They are not copied and must not change. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, target) {
      assert(offset >= 0, 'read before the start of the source');
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
    words(offset, count) {
      const start = bytes.byteOffset + offset;
      if (start % 4 !== 0 || offset + 4 * count > bytes.length) return undefined;
      return new Uint32Array(bytes.buffer, start, count);
    },
    close() {
      // The garbage collector frees the bytes.
    },
  };
}
