import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import * as zlib from 'node:zlib';
import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';
import { BLOCK_BYTES, readBlocks } from '../../image/sparseStore';

/**
 * A file of inflated bytes without its zero blocks, little-endian:
 *   header (64 bytes): magic and version (8), inflated size (u64), blocks (u32), bytes a block (u32), CRC-32 of
 *   the header with zeros in its place and the index (u32), 4 zero bytes, SHA-256 of the identity (32);
 *   the blocks; the index: for each block its number (u32) and its CRC-32 (u32), numbers ascending.
 */
const MAGIC = Buffer.from('IOPTESP2', 'latin1');
const HEADER_BYTES = 64;
const CHECKSUM_AT = 24;
const INDEX_ENTRY_BYTES = 8;

const hash = (text: string): Hash => createHash('sha256').update(text);
/** Names the identity in the header. */
const identityDigest = (identity: SourceIdentity): Buffer =>
  hash(`${identity.place}\0${identity.version}`).digest();

/** `PLACE-VERSION` in hash digits: files of the same place begin alike. */
export function cacheKey(identity: SourceIdentity): { readonly place: string; readonly key: string } {
  const place = hash(identity.place).digest('hex').slice(0, 32);
  return { place, key: `${place}-${hash(identity.version).digest('hex').slice(0, 16)}` };
}

interface Slots {
  /** Slot by block number. */
  readonly byNumber: Map<number, number>;
  readonly checksums: readonly number[];
}

/** Writes a cache file. Every method may throw an error of the file system. */
export class CacheFileWriter {
  private readonly descriptor: number;
  private readonly byNumber = new Map<number, number>();
  private readonly checksums: number[] = [];

  constructor(private readonly file: string) {
    // The memory of a machine holds secrets: nobody else may read its copy.
    this.descriptor = fs.openSync(file, 'wx+', 0o600);
  }

  put(number: number, block: Uint8Array): void {
    const slot = this.checksums.length;
    writeAll(this.descriptor, block, HEADER_BYTES + slot * BLOCK_BYTES);
    this.byNumber.set(number, slot);
    this.checksums.push(zlib.crc32(block));
  }

  /** Completes the file and moves it to `target`, so that other openings find it. */
  publish(identity: SourceIdentity, size: number, target: string): void {
    const index = Buffer.alloc(this.checksums.length * INDEX_ENTRY_BYTES);
    for (const [number, slot] of this.byNumber) {
      index.writeUInt32LE(number, slot * INDEX_ENTRY_BYTES);
      index.writeUInt32LE(this.checksums[slot] ?? 0, slot * INDEX_ENTRY_BYTES + 4);
    }
    writeAll(this.descriptor, index, HEADER_BYTES + this.checksums.length * BLOCK_BYTES);
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeBigUInt64LE(BigInt(size), 8);
    header.writeUInt32LE(this.checksums.length, 16);
    header.writeUInt32LE(BLOCK_BYTES, 20);
    identityDigest(identity).copy(header, 32);
    header.writeUInt32LE(checksumOf(header, index), CHECKSUM_AT);
    writeAll(this.descriptor, header, 0);
    fs.renameSync(this.file, target);
  }

  /**
   * Reads what was written, published or not. A file that was not published loses its name at once, so that nothing of it
   * stays when the process is ended; on Windows, which keeps the name of an open file, when the source is closed.
   */
  source(name: string, size: number, published: boolean): ByteSource {
    const slots = { byNumber: this.byNumber, checksums: this.checksums };
    const verified = new Uint8Array(this.checksums.length).fill(1);
    const file = published || removed(this.file) ? undefined : this.file;
    return new CacheFileSource(name, size, this.descriptor, slots, verified, (why) => {
      if (why === 'closed' && file !== undefined) fs.rmSync(file, { force: true });
    });
  }

  /** For a published file that is not read any more. */
  close(): void {
    fs.closeSync(this.descriptor);
  }

  /** Gives up: closes and removes the file. */
  discard(): void {
    this.close();
    fs.rmSync(this.file, { force: true });
  }
}

/** A completed cache file, or why it cannot be used. */
export function openCacheFile(
  file: string,
  identity: SourceIdentity,
  name: string,
): ByteSource | 'absent' | 'unusable' {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, 'r');
  } catch {
    return 'absent';
  }
  try {
    const read = readIndex(descriptor, identity);
    if (read) {
      const verified = new Uint8Array(read.slots.checksums.length);
      return new CacheFileSource(name, read.size, descriptor, read.slots, verified, (why) => {
        // The next opening inflates again.
        if (why === 'damaged') fs.rmSync(file, { force: true });
      });
    }
  } catch {
    // A file that cannot be read is as good as none.
  }
  fs.closeSync(descriptor);
  return 'unusable';
}

/** Of all that says where the bytes are; the blocks have checksums of their own. */
function checksumOf(header: Buffer, index: Buffer): number {
  const blank = Buffer.from(header);
  blank.writeUInt32LE(0, CHECKSUM_AT);
  return zlib.crc32(index, zlib.crc32(blank));
}

function readIndex(
  descriptor: number,
  identity: SourceIdentity,
): { readonly size: number; readonly slots: Slots } | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readAll(descriptor, header, 0) < HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC)) return undefined;
  if (header.readUInt32LE(20) !== BLOCK_BYTES) return undefined;
  if (!header.subarray(32, 64).equals(identityDigest(identity))) return undefined;
  const size = Number(header.readBigUInt64LE(8));
  const count = header.readUInt32LE(16);
  const indexOffset = HEADER_BYTES + count * BLOCK_BYTES;
  // Checked before memory is taken for the index.
  if (fs.fstatSync(descriptor).size !== indexOffset + count * INDEX_ENTRY_BYTES) return undefined;
  const index = Buffer.alloc(count * INDEX_ENTRY_BYTES);
  if (readAll(descriptor, index, indexOffset) < index.length) return undefined;
  if (checksumOf(header, index) !== header.readUInt32LE(CHECKSUM_AT)) return undefined;
  const byNumber = new Map<number, number>();
  const checksums: number[] = [];
  let next = 0;
  for (let slot = 0; slot < count; slot++) {
    const number = index.readUInt32LE(slot * INDEX_ENTRY_BYTES);
    if (number < next || number * BLOCK_BYTES >= size) return undefined;
    next = number + 1;
    byNumber.set(number, slot);
    checksums.push(index.readUInt32LE(slot * INDEX_ENTRY_BYTES + 4));
  }
  return { size, slots: { byNumber, checksums } };
}

class CacheFileSource implements ByteSource {
  private why: string | undefined;
  private readonly block = new Uint8Array(BLOCK_BYTES);

  constructor(
    readonly name: string,
    readonly size: number,
    private readonly descriptor: number,
    private readonly slots: Slots,
    /** By slot: 1 once its checksum was found right. */
    private readonly verified: Uint8Array,
    private readonly onEnd: (why: 'closed' | 'damaged') => void,
  ) {}

  read(offset: number, target: Uint8Array): number {
    return readBlocks(this.size, offset, target, (number, inBlock, part) => {
      const slot = this.slots.byNumber.get(number);
      if (slot === undefined) {
        part.fill(0);
        return true;
      }
      return this.readSlot(slot, inBlock, part);
    });
  }

  private readSlot(slot: number, inBlock: number, part: Uint8Array): boolean {
    const at = HEADER_BYTES + slot * BLOCK_BYTES;
    try {
      if (this.verified[slot] === 1) return readAll(this.descriptor, part, at + inBlock) === part.length;
      const whole = readAll(this.descriptor, this.block, at) === BLOCK_BYTES;
      if (whole && zlib.crc32(this.block) === this.slots.checksums[slot]) {
        this.verified[slot] = 1;
        part.set(this.block.subarray(inBlock, inBlock + part.length));
        return true;
      }
      this.onEnd('damaged');
      this.why = `the inflated copy of ${this.name} is damaged and was thrown away; open the image again`;
    } catch (error) {
      this.why = `the inflated copy of ${this.name} cannot be read (${String(error)})`;
    }
    return false;
  }

  fault(): string | undefined {
    return this.why;
  }

  close(): void {
    fs.closeSync(this.descriptor);
    this.onEnd('closed');
  }
}

/** Removes a file that is still read; false where that has to wait until it is closed. */
function removed(file: string): boolean {
  if (process.platform === 'win32') return false;
  try {
    fs.rmSync(file, { force: true });
    return true;
  } catch {
    return false;
  }
}

function readAll(descriptor: number, target: Uint8Array, position: number): number {
  let done = 0;
  while (done < target.length) {
    const got = fs.readSync(descriptor, target, done, target.length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}
