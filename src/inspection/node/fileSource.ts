import * as fs from 'node:fs';
import * as path from 'node:path';
import { failure, type Result, success } from '../../engine/result';
import { type ByteSource, type SourceIdentity } from '../../bytes/byteSource';

/** Opening a pipe would wait for its writer, and the thread with it. Windows has no such flag and no such pipes. */
const READ_AT_ONCE = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;

/** A file read by ranges, synchronously: the engine runs in a thread of its own. */
export function openFileSource(file: string): Result<ByteSource> {
  const name = path.basename(file);
  let descriptor: number | undefined;
  try {
    // Opening a device may already do something to it.
    const found = fs.statSync(file);
    if (!found.isFile()) return notRegular(name, found);
    descriptor = fs.openSync(file, READ_AT_ONCE);
    const stat = fs.fstatSync(descriptor, { bigint: true });
    // Another file may have taken its place meanwhile.
    if (stat.isFile()) {
      const version = [stat.size, stat.mtimeNs, stat.ctimeNs, stat.ino].join(':');
      return success(
        new FileSource(name, Number(stat.size), { place: path.resolve(file), version }, descriptor),
      );
    }
    fs.closeSync(descriptor);
    return notRegular(name, stat);
  } catch (error) {
    if (descriptor !== undefined) fs.closeSync(descriptor);
    return cannotOpen(name, error);
  }
}

function notRegular(name: string, stat: { isDirectory(): boolean }): ReturnType<typeof failure> {
  return failure(
    'image/not-a-file',
    `${name} is ${stat.isDirectory() ? 'a directory' : 'not a regular file'}.`,
    'Choose a file; copy the contents of a device or a pipe into one first.',
  );
}

const HINTS: Partial<Record<string, string>> = {
  ENOENT: 'Check the path; a description names its image relative to itself.',
  EACCES: 'Change its permissions, or open it as a user who may read it.',
  EMFILE: 'Close other images first.',
};

/** `EIO` and the like, or the message of an error without a code. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function cannotOpen(name: string, error: unknown): ReturnType<typeof failure> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return failure(
    'image/cannot-open',
    `${name} cannot be opened: ${errorText(error)}.`,
    HINTS[code] ?? 'Check that the file is there and readable.',
  );
}

class FileSource implements ByteSource {
  private why: string | undefined;

  constructor(
    readonly name: string,
    readonly size: number,
    readonly identity: SourceIdentity,
    private readonly descriptor: number,
  ) {}

  read(offset: number, target: Uint8Array): number {
    let done = 0;
    try {
      while (done < target.length) {
        const got = fs.readSync(this.descriptor, target, done, target.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      if (offset + done < Math.min(this.size, offset + target.length)) {
        this.why = `${this.name} became shorter while it was open`;
      }
    } catch (error) {
      this.why = `${this.name}: ${errorText(error)}`;
    }
    return done;
  }

  fault(): string | undefined {
    return this.why;
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }
}
