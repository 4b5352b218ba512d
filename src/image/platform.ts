import { type Result } from '../engine/result';
import { type ByteSource } from '../bytes/byteSource';
import { type ImageProblem } from './problems';
import { type Task } from '../bytes/task';

/** What was inflated. */
export interface Inflated {
  readonly source: ByteSource;
  /** Set when the end is missing: the packed file is cut short or damaged, or a limit was reached. */
  readonly problem?: ImageProblem;
}

/** What image reading needs of the place it runs in. Made by inspection/node and inspection/web. */
export interface ImagePlatform {
  /** A file by its path, read by ranges. Fails where there are no paths (web). */
  openPath(path: string): Result<ByteSource>;
  /**
   * Inflates a gzip file whole. Fails when nothing useful came out, or with `CANCELLED`. `packed` stays open and is the
   * caller's to close.
   */
  inflate(packed: ByteSource, task: Task): Promise<Result<Inflated>>;
  /** The first bytes of what a gzip file holds, at most `bytes`; fewer when it is damaged. */
  inflateHead(packed: ByteSource, bytes: number): Promise<Uint8Array>;
  /** Lets the event loop run once. */
  pause(): Promise<void>;
}
