import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type SourceIdentity } from '../../bytes/byteSource';
import { type ClearedCaches } from '../protocol';
import { cacheKey } from './cacheFile';

/** Inflated files without their zero blocks, and indexes of traces. */
export const INFLATED = '.sparse';
export const INDEX = '.index';
const PARTIAL = '.partial';
/** A partial file that nobody wrote to for so long is given up, even if a process has the number in its name. */
const PARTIAL_LIFE_MS = 60 * 60 * 1000;

type Suffix = typeof INFLATED | typeof INDEX;

interface CachedFile {
  readonly name: string;
  readonly bytes: number;
  /** When it was last written or used, in milliseconds. */
  readonly time: number;
}

/** A folder of files that can be made again. At most `capBytes`, least recently used thrown out first. */
export class CacheFolder {
  constructor(
    readonly directory: string,
    readonly capBytes: number,
  ) {}

  /** Where the file of this kind for this version of its source is, or would be. */
  fileOf(identity: SourceIdentity, suffix: Suffix): string {
    return path.join(this.directory, cacheKey(identity).key + suffix);
  }

  /** Files of this kind that were made of other versions of the same source. */
  otherVersions(identity: SourceIdentity, suffix: Suffix): readonly string[] {
    const { place, key } = cacheKey(identity);
    try {
      return this.files()
        .map(({ name }) => name)
        .filter(
          (name) => name.startsWith(`${place}-`) && name.endsWith(suffix) && !name.startsWith(`${key}.`),
        );
    } catch {
      // Not readable: then there is none to use either.
      return [];
    }
  }

  /** Says that a file was used: the oldest are thrown out first. */
  touch(file: string): void {
    const now = new Date();
    try {
      fs.utimesSync(file, now, now);
    } catch {
      // The time only orders the eviction.
    }
  }

  /** A name for a file to be written, after what ended processes left. Throws when the folder cannot be written. */
  newPartial(): string {
    fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.trim();
    return path.join(this.directory, `${process.pid}-${randomBytes(8).toString('hex')}${PARTIAL}`);
  }

  /** Throws out what a file that was just put in its place replaces, and keeps the cap. */
  published(file: string, identity: SourceIdentity): void {
    this.trim({ keep: path.basename(file), ...cacheKey(identity) });
  }

  /** Throws out everything but what others are writing just now. */
  clear(): ClearedCaches {
    let held: readonly CachedFile[];
    try {
      held = this.files();
    } catch {
      return { files: 0, bytes: 0 };
    }
    const gone = held.filter(
      (file) => (!file.name.endsWith(PARTIAL) || isGivenUp(file)) && this.remove(file.name),
    );
    return { files: gone.length, bytes: gone.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /**
   * Removes partial files that nobody completes, other versions of what was just published (`keep`, of `place`), and the
   * oldest beyond the cap. `keep` stays.
   */
  private trim(published?: { readonly keep: string; readonly place: string; readonly key: string }): void {
    let files: readonly CachedFile[];
    try {
      files = this.files();
    } catch {
      // Not readable just now; the next trim tries again.
      return;
    }
    const isKept = ({ name }: CachedFile): boolean => name === published?.keep;
    const isReplaced = ({ name }: CachedFile): boolean =>
      published !== undefined &&
      name.startsWith(`${published.place}-`) &&
      !name.startsWith(`${published.key}.`);
    const stale = files.filter((file) => isReplaced(file) || isGivenUp(file));
    for (const file of stale) this.remove(file.name);
    const held = files.filter((file) => !stale.includes(file));
    const isEvictable = (file: CachedFile): boolean => !file.name.endsWith(PARTIAL) && !isKept(file);
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
      .filter((name) => [INFLATED, INDEX, PARTIAL].some((suffix) => name.endsWith(suffix)))
      .flatMap((name) => {
        const stat = fs.statSync(path.join(this.directory, name), { throwIfNoEntry: false });
        return stat ? [{ name, bytes: stat.size, time: stat.mtimeMs }] : [];
      });
  }

  /** A file that is open elsewhere may refuse to go; the next trim tries again. */
  private remove(name: string): boolean {
    try {
      fs.rmSync(path.join(this.directory, name), { force: true });
      return true;
    } catch {
      return false;
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
