import { type ByteSource } from '../../bytes/byteSource';
import { type ClearedCaches } from '../protocol';

/** An index that is kept for a file, as far as it is of this very content. */
export type KeptIndex =
  /** To be closed by whoever asked. */
  | { readonly kind: 'kept'; readonly source: ByteSource }
  /** There is one, and it is of something else. `why` ends a sentence: `the file was changed since`. */
  | { readonly kind: 'stale'; readonly why: string }
  | { readonly kind: 'none' };

/** The place of one file's index. */
export interface IndexSlot {
  read(): KeptIndex;
  /** Keeps an index, part by part, with a step between two parts. False when it cannot be kept, which is no error. */
  write(parts: Iterable<Uint8Array>): Generator<undefined, boolean>;
  /** Throws out what is there: it turned out to be of no use. */
  drop(): void;
}

/** Where indexes of traces stay between runs. Made by inspection/node; browsers have none. */
export interface IndexCache {
  /** Undefined for bytes that are no file, or one that cannot be read. Asked before the file is unpacked. */
  slotOf(file: ByteSource): IndexSlot | undefined;
  /** Throws out everything that can be made again: indexes, and unpacked files. */
  clear(): ClearedCaches;
}
