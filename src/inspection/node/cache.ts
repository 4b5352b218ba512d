import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type ByteSource, type SourceIdentity } from '../../image/byteSource';
import { cacheKey, CacheFileWriter, openCacheFile } from './cacheFile';

const SUFFIX = '.sparse';
const PARTIAL = '.partial';
/** A partial file that nobody wrote to for so long belongs to a process that is gone. */
const PARTIAL_LIFE_MS = 60 * 60 * 1000;

/** Inflated images on disk, so that reopening does not inflate again. At most `capBytes`, least recently used thrown out first. */
export class InflateCache {
  constructor(
    readonly directory: string,
    readonly capBytes: number,
  ) {}

  /** The inflated bytes of this file in this version, when they are held. */
  open(identity: SourceIdentity, name: string): ByteSource | undefined {
    const file = this.fileOf(identity);
    const source = openCacheFile(file, identity, name);
    if (source === 'absent') return undefined;
    if (source === 'unusable') {
      fs.rmSync(file, { force: true });
      return undefined;
    }
    const now = new Date();
    try {
      fs.utimesSync(file, now, now);
    } catch {
      // The time only orders the eviction.
    }
    return source;
  }

  /** Begins a file. Throws an error of the file system when the directory cannot be written. */
  begin(): CacheFileWriter {
    fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const unique = `${process.pid}-${randomBytes(8).toString('hex')}`;
    return new CacheFileWriter(path.join(this.directory, `${unique}${PARTIAL}`));
  }

  /** Puts a complete file in its place, throws out what it replaces, and keeps the cap. May throw; then nothing changed. */
  publish(writer: CacheFileWriter, identity: SourceIdentity, size: number): void {
    const target = this.fileOf(identity);
    writer.publish(identity, size, target);
    this.trim(path.basename(target), cacheKey(identity).place);
  }

  private fileOf(identity: SourceIdentity): string {
    return path.join(this.directory, cacheKey(identity).key + SUFFIX);
  }

  /** Removes other versions of the same place, dead partial files, and the oldest beyond the cap. `keep` stays. */
  private trim(keep: string, place: string): void {
    let files: ReturnType<InflateCache['files']>;
    try {
      files = this.files();
    } catch {
      // Not readable just now; the next trim tries again.
      return;
    }
    const now = Date.now();
    const stale = files.filter(
      (file) =>
        file.name !== keep &&
        (file.name.startsWith(`${place}-`) ||
          (file.name.endsWith(PARTIAL) && now - file.time > PARTIAL_LIFE_MS)),
    );
    for (const file of stale) this.remove(file.name);
    const rest = files
      .filter((file) => !stale.includes(file) && file.name.endsWith(SUFFIX))
      .sort((a, b) => b.time - a.time);
    let total = rest.find((file) => file.name === keep)?.bytes ?? 0;
    for (const file of rest) {
      if (file.name === keep) continue;
      total += file.bytes;
      if (total > this.capBytes) {
        total -= file.bytes;
        this.remove(file.name);
      }
    }
  }

  private files(): { readonly name: string; readonly bytes: number; readonly time: number }[] {
    return fs
      .readdirSync(this.directory)
      .filter((name) => name.endsWith(SUFFIX) || name.endsWith(PARTIAL))
      .flatMap((name) => {
        const stat = fs.statSync(path.join(this.directory, name), { throwIfNoEntry: false });
        return stat ? [{ name, bytes: stat.size, time: stat.mtimeMs }] : [];
      });
  }

  /** A file that is open elsewhere may refuse to go; the next trim tries again. */
  private remove(name: string): void {
    try {
      fs.rmSync(path.join(this.directory, name), { force: true });
    } catch {
      // See above.
    }
  }
}
