import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';
import { type Room } from '../../image/inflating';
import { BLOCK_BYTES, type BlockSink, MemoryBlocks, SparseStore } from '../../image/sparseStore';
import { type Task } from '../../bytes/task';
import { type InflateCache } from './cache';
import { type CacheFileWriter } from './cacheFile';
import { errorText } from './fileSource';

/** Blocks copied between two pauses. */
const COPIED_AT_ONCE = 64;

/** Blocks in memory until they are too many, then in a file of the cache. */
export class SpillingBlocks implements BlockSink, Room {
  private readonly memory: MemoryBlocks;
  private file: CacheFileWriter | undefined;
  private fileBytes = 0;
  private published = false;
  private fileError: string | undefined;
  /** Bytes that are not zero and find room. */
  readonly limit: number;

  constructor(
    memoryBytes: number,
    private readonly cache: InflateCache | undefined,
  ) {
    this.memory = new MemoryBlocks(memoryBytes);
    this.limit = cache ? Math.max(memoryBytes, cache.capBytes) : memoryBytes;
  }

  /** Why the file could not take more. */
  get why(): string | undefined {
    return this.fileError;
  }

  put(number: number, block: Uint8Array): boolean {
    if (!this.file && this.memory.put(number, block)) return true;
    if (!this.cache) return false;
    try {
      this.file ??= this.spill(this.cache);
      if (this.fileBytes + BLOCK_BYTES > this.limit) return false;
      this.file.put(number, block);
      this.fileBytes += BLOCK_BYTES;
      return true;
    } catch (error) {
      this.fileError = errorText(error);
      return false;
    }
  }

  private spill(cache: InflateCache): CacheFileWriter {
    const writer = cache.begin();
    try {
      for (const [number, block] of this.memory.blocks) writer.put(number, block);
    } catch (error) {
      writer.discard();
      throw error;
    }
    this.fileBytes = this.memory.blocks.size * BLOCK_BYTES;
    this.memory.blocks.clear();
    return writer;
  }

  /** Keeps the complete blocks in the cache for the next opening. A cache that cannot be written is no error. */
  async keep(identity: SourceIdentity, size: number, task: Task): Promise<void> {
    if (!this.cache) return;
    try {
      if (this.file) {
        this.cache.publish(this.file, identity, size);
        this.published = true;
      } else {
        await this.copy(this.cache, identity, size, task);
      }
    } catch {
      // The image opens all the same; the next opening inflates again.
    }
  }

  /** Writes a copy; the blocks in memory stay, they are read faster. */
  private async copy(cache: InflateCache, identity: SourceIdentity, size: number, task: Task): Promise<void> {
    const writer = cache.begin();
    try {
      let copied = 0;
      for (const [number, block] of this.memory.blocks) {
        writer.put(number, block);
        if (++copied % COPIED_AT_ONCE === 0) await task.pause();
      }
      cache.publish(writer, identity, size);
    } catch (error) {
      writer.discard();
      throw error;
    }
    writer.close();
  }

  /** The bytes, as a source that owns them from now on. */
  source(name: string, size: number): ByteSource {
    if (this.file) return this.file.source(name, size, this.published);
    return new SparseStore(name, size, this.memory.blocks);
  }

  discard(): void {
    this.file?.discard();
  }
}
