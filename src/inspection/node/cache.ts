import * as fs from 'node:fs';
import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';
import { CacheFileWriter, openCacheFile } from './cacheFile';
import { CacheFolder, INFLATED } from './cacheFolder';

/** Inflated images on disk, so that reopening does not inflate again. At most `capBytes`, least recently used thrown out first. */
export class InflateCache {
  readonly #folder: CacheFolder;

  constructor(
    directory: string,
    readonly capBytes: number,
  ) {
    this.#folder = new CacheFolder(directory, capBytes);
  }

  /** The inflated bytes of this file in this version, when they are held. */
  open(identity: SourceIdentity, name: string): ByteSource | undefined {
    const file = this.#folder.fileOf(identity, INFLATED);
    const source = openCacheFile(file, identity, name);
    if (source === 'absent') return undefined;
    if (source === 'unusable') {
      fs.rmSync(file, { force: true });
      return undefined;
    }
    this.#folder.touch(file);
    return source;
  }

  /** Begins a file, after what ended processes left. Throws an error of the file system when the directory cannot be written. */
  begin(): CacheFileWriter {
    return new CacheFileWriter(this.#folder.newPartial());
  }

  /** Puts a complete file in its place, throws out what it replaces, and keeps the cap. May throw; then nothing changed. */
  publish(writer: CacheFileWriter, identity: SourceIdentity, size: number): void {
    const target = this.#folder.fileOf(identity, INFLATED);
    writer.publish(identity, size, target);
    this.#folder.published(target, identity);
  }
}
