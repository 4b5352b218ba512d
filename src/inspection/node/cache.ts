import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';
import { cacheKey, CacheFileWriter, openCacheFile } from './cacheFile';

const SUFFIX = '.sparse';
const PARTIAL = '.partial';
/** A partial file that nobody wrote to for so long is given up, even if a process has the number in its name. */
const PARTIAL_LIFE_MS = 60 * 60 * 1000;

interface CachedFile {
  readonly name: string;
  readonly bytes: number;
  /** When it was last written or used, in milliseconds. */
  readonly time: number;
}

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

  /** Begins a file, after what ended processes left. Throws an error of the file system when the directory cannot be written. */
  begin(): CacheFileWriter {
    fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.trim();
    const unique = `${process.pid}-${randomBytes(8).toString('hex')}`;
    return new CacheFileWriter(path.join(this.directory, `${unique}${PARTIAL}`));
  }

  /** Puts a complete file in its place, throws out what it replaces, and keeps the cap. May throw; then nothing changed. */
  publish(writer: CacheFileWriter, identity: SourceIdentity, size: number): void {
    const target = this.fileOf(identity);
    writer.publish(identity, size, target);
    this.trim({ keep: path.basename(target), place: cacheKey(identity).place });
  }

  private fileOf(identity: SourceIdentity): string {
    return path.join(this.directory, cacheKey(identity).key + SUFFIX);
  }

  /**
   * Removes partial files that nobody completes, other versions of what was just published (`keep`, of `place`), and the
   * oldest beyond the cap. `keep` stays.
   */
  private trim(published?: { readonly keep: string; readonly place: string }): void {
    let files: readonly CachedFile[];
    try {
      files = this.files();
    } catch {
      // Not readable just now; the next trim tries again.
      return;
    }
    const isKept = ({ name }: CachedFile): boolean => name === published?.keep;
    const isReplaced = (file: CachedFile): boolean =>
      published !== undefined && !isKept(file) && file.name.startsWith(`${published.place}-`);
    const stale = files.filter((file) => isReplaced(file) || isGivenUp(file));
    for (const file of stale) this.remove(file.name);
    const held = files.filter((file) => !stale.includes(file));
    const isEvictable = (file: CachedFile): boolean => file.name.endsWith(SUFFIX) && !isKept(file);
    // What another process is writing takes room too.
    let total = held.reduce((sum, file) => (isEvictable(file) ? sum : sum + file.bytes), 0);
    for (const file of held.filter(isEvictable).sort((a, b) => b.time - a.time)) {
      if (total + file.bytes > this.capBytes) this.remove(file.name);
      else total += file.bytes;
    }
  }

  private files(): CachedFile[] {
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

/**
 * A partial file that is not written to any more: its process is gone, or has been idle for long. Should it be another
 * machine's after all, its writer finds that it cannot publish, and reads on from what it holds open.
 */
function isGivenUp({ name, time }: CachedFile): boolean {
  if (!name.endsWith(PARTIAL)) return false;
  return Date.now() - time > PARTIAL_LIFE_MS || !isRunning(Number.parseInt(name, 10));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
