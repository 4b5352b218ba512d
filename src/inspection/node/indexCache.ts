import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';
import { type IndexCache, type IndexSlot, type KeptIndex } from '../traces/indexCache';
import { CacheFolder, INDEX } from './cacheFolder';
import { openFileSource } from './fileSource';

/**
 * A file of an index, little-endian: magic and version (8), bytes of the index (u64), SHA-256 of the file's identity (32),
 * SHA-256 of samples of its content (32), the index, which has its own checks.
 */
const MAGIC = Buffer.from('IOPTEIX1', 'latin1');
const [BYTES_AT, IDENTITY_AT, CONTENT_AT, HEADER_BYTES] = [8, 16, 48, 80];
/** An index that is larger is not kept. */
const MOST_BYTES = 2 ** 28;

/** Of a file its beginning, its end, and pieces in between, evenly. */
const END_BYTES = 64 * 1024;
const PIECES = 14;
const PIECE_BYTES = 4096;

/** Indexes of traces in the folder that also holds inflated files, under one cap. */
export class NodeIndexCache implements IndexCache {
  readonly #folder: CacheFolder;

  constructor(directory: string, capBytes: number) {
    this.#folder = new CacheFolder(directory, capBytes);
  }

  slotOf(file: ByteSource): IndexSlot | undefined {
    const { identity } = file;
    const content = sampled(file);
    return identity && content && new Slot(this.#folder, identity, content);
  }

  clear(): ReturnType<IndexCache['clear']> {
    return this.#folder.clear();
  }
}

class Slot implements IndexSlot {
  readonly #folder: CacheFolder;
  readonly #identity: SourceIdentity;
  readonly #content: Buffer;
  readonly #file: string;

  constructor(folder: CacheFolder, identity: SourceIdentity, content: Buffer) {
    this.#folder = folder;
    this.#identity = identity;
    this.#content = content;
    this.#file = folder.fileOf(identity, INDEX);
  }

  read(): KeptIndex {
    const opened = openFileSource(this.#file);
    if (!opened.ok) {
      const others = this.#folder.otherVersions(this.#identity, INDEX);
      return others.length > 0 ? stale('the file was changed since') : { kind: 'none' };
    }
    const file = opened.value;
    const why = this.#whyNot(file);
    if (why !== undefined) {
      file.close();
      return stale(why);
    }
    this.#folder.touch(this.#file);
    return {
      kind: 'kept',
      source: {
        name: file.name,
        size: file.size - HEADER_BYTES,
        read: (offset, target) => file.read(HEADER_BYTES + offset, target),
        close: () => {
          file.close();
        },
      },
    };
  }

  /** Why the index in this file is not to be used; undefined: it is. */
  #whyNot(file: ByteSource): string | undefined {
    const header = Buffer.alloc(HEADER_BYTES);
    if (file.read(0, header) < HEADER_BYTES || !header.subarray(0, BYTES_AT).equals(MAGIC)) {
      return 'it was written by another version';
    }
    if (!header.subarray(IDENTITY_AT, CONTENT_AT).equals(digest(this.#identity)))
      return 'it is of another file';
    if (!header.subarray(CONTENT_AT).equals(this.#content)) {
      return 'the file has other content by now, though its size and times are the same';
    }
    return header.readBigUInt64LE(BYTES_AT) === BigInt(file.size - HEADER_BYTES)
      ? undefined
      : 'it is cut short';
  }

  *write(parts: Iterable<Uint8Array>): Generator<undefined, boolean> {
    let partial: string | undefined;
    let descriptor: number | undefined;
    try {
      partial = this.#folder.newPartial();
      // Names of tasks and devices may be secrets: nobody else may read them.
      descriptor = fs.openSync(partial, 'wx', 0o600);
      const header = Buffer.alloc(HEADER_BYTES);
      let size = 0;
      for (const part of parts) {
        writeAll(descriptor, part, HEADER_BYTES + size);
        size += part.length;
        if (HEADER_BYTES + size > MOST_BYTES) return false;
        yield;
      }
      if (size === 0) return false;
      MAGIC.copy(header);
      header.writeBigUInt64LE(BigInt(size), BYTES_AT);
      digest(this.#identity).copy(header, IDENTITY_AT);
      this.#content.copy(header, CONTENT_AT);
      writeAll(descriptor, header, 0);
      fs.closeSync(descriptor);
      descriptor = undefined;
      fs.renameSync(partial, this.#file);
      partial = undefined;
      this.#folder.published(this.#file, this.#identity);
      return true;
    } catch (error) {
      // Another error than one of the file system is a bug of who gives the parts.
      if (!(error instanceof Error && 'code' in error)) throw error;
      return false;
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      if (partial !== undefined) fs.rmSync(partial, { force: true });
    }
  }

  drop(): void {
    try {
      fs.rmSync(this.#file, { force: true });
    } catch {
      // The next index takes its place.
    }
  }
}

const stale = (why: string): KeptIndex => ({ kind: 'stale', why });

const digest = ({ place, version }: SourceIdentity): Buffer =>
  createHash('sha256').update(`${place}\0${version}`).digest();

/** A digest of samples of the content; undefined when it cannot be read. */
function sampled(file: ByteSource): Buffer | undefined {
  const { size } = file;
  const hash = createHash('sha256').update(`${size}\0`);
  const places: (readonly [offset: number, bytes: number])[] = [
    [0, END_BYTES],
    [Math.max(0, size - END_BYTES), END_BYTES],
  ];
  for (let piece = 1; piece <= PIECES; piece++) {
    places.push([Math.floor((size * piece) / (PIECES + 1)), PIECE_BYTES]);
  }
  for (const [offset, bytes] of places) {
    const target = new Uint8Array(Math.min(bytes, size - offset));
    if (file.read(offset, target) < target.length) return undefined;
    hash.update(target);
  }
  return hash.digest();
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}
