import { appendFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { parquetMetadata } from 'hyparquet';
import { badInput } from '../errors';
import { type FlatRow } from './columns';
import { reason } from './files';
import { partName, type Row, type Shard } from './grid';
import { missing, writeWhole } from './wholeFile';

/** What a folder of results is of. Two sweeps that differ in any of it must not share one. */
export interface SweepIdentity {
  readonly scenario: string;
  /** SHA-256 of the scenario's text and of the files that it names. */
  readonly sha256: string;
  readonly version: string;
  readonly variants: readonly (string | null)[];
  readonly settings: Readonly<Record<string, readonly string[]>>;
  readonly rows: number;
  readonly shards: number;
}

const IDENTITY = 'sweep.json';

/** What came of the rows of a part, by their number. */
export interface SweepCounts {
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
}

/** Under which a part's own metadata has its SweepCounts, as JSON. */
export const COUNTS_KEY = 'iopte.counts';

function isCounts(value: unknown): value is SweepCounts {
  if (typeof value !== 'object' || value === null) return false;
  const { passed, failed, errors } = value as Readonly<Record<string, unknown>>;
  return [passed, failed, errors].every((count) => typeof count === 'number');
}

/**
 * A folder of results: `sweep.json`, the finished parts, and for a shard that runs or was stopped the rows that it has. Every file
 * but the last comes into being whole, by a rename.
 */
export class SweepFolder {
  readonly part: string;
  readonly #rows: string;

  private constructor(folder: string, shard: Shard) {
    this.part = path.join(folder, partName(shard));
    this.#rows = path.join(folder, `${partName(shard)}.rows`);
  }

  /** Makes the folder where there is none. Refuses one that has results of another sweep. */
  static async open(folder: string, identity: SweepIdentity, shard: Shard): Promise<SweepFolder> {
    const file = path.join(folder, IDENTITY);
    const text = `${JSON.stringify(identity, null, 2)}\n`;
    try {
      await mkdir(folder, { recursive: true });
      const there = await readFile(file, 'utf8').catch(missing);
      if (there === undefined) await writeWhole(file, text);
      else if (there !== text) {
        throw badInput(
          `${folder} has results of another sweep: ${differences(there, identity)}`,
          'choose another folder, or remove this one',
        );
      }
    } catch (error) {
      throw unwritable(folder, error);
    }
    return new SweepFolder(folder, shard);
  }

  /** What came of a shard whose part is there; undefined: it is not. */
  async done(): Promise<SweepCounts | undefined> {
    const found = await stat(this.part).catch(() => undefined);
    if (found?.isFile() !== true) return undefined;
    try {
      const bytes = new Uint8Array(await readFile(this.part));
      const { key_value_metadata: about = [] } = parquetMetadata(bytes.buffer);
      const counts: unknown = JSON.parse(about.find(({ key }) => key === COUNTS_KEY)?.value ?? '');
      if (isCounts(counts)) return counts;
    } catch {
      // Said below: it does not matter at which byte.
    }
    throw badInput(`${this.part} is damaged, or was written by something else`, '--force computes it again');
  }

  /** The rows that a run before has finished, by their index. A line that was cut off is as good as none. */
  async finished(rows: readonly Row[]): Promise<Map<number, FlatRow>> {
    const wanted = new Set(rows.map(({ index }) => index));
    const text = (await this.#keptText()) ?? '';
    const kept = text.split('\n').flatMap((line) => parsed(line) ?? []);
    return new Map(kept.filter(({ index }) => wanted.has(index)).map((row) => [row.index, row]));
  }

  async #keptText(): Promise<string | undefined> {
    try {
      return await readFile(this.#rows, 'utf8').catch(missing);
    } catch (error) {
      throw badInput(`${this.#rows} cannot be read: ${reason(error)}`);
    }
  }

  async keep(row: FlatRow): Promise<void> {
    try {
      // Starts a line of its own, also behind one that was cut off.
      await appendFile(this.#rows, `\n${JSON.stringify(row)}`);
    } catch (error) {
      throw unwritable(this.#rows, error);
    }
  }

  async forget(): Promise<void> {
    await rm(this.#rows, { force: true });
  }

  async finish(bytes: Uint8Array): Promise<void> {
    try {
      await writeWhole(this.part, bytes);
    } catch (error) {
      throw unwritable(this.part, error);
    }
    await this.forget();
  }
}

/** Written by `keep`, in a folder whose identity is ours. */
function parsed(line: string): FlatRow | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as FlatRow);
  } catch {
    return undefined;
  }
}

const unwritable = (what: string, error: unknown): unknown =>
  error instanceof Error && 'code' in error ? badInput(`${what} cannot be written: ${reason(error)}`) : error;

/** Which parts of its identity differ. */
function differences(there: string, identity: SweepIdentity): string {
  try {
    const other = JSON.parse(there) as Readonly<Record<string, unknown>>;
    const keys = Object.entries(identity).filter(
      ([key, value]) => JSON.stringify(other[key]) !== JSON.stringify(value),
    );
    return `${keys.map(([key]) => key).join(', ')} differ`;
  } catch {
    return `${IDENTITY} cannot be read`;
  }
}
