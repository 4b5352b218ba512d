import path from 'node:path';
import { badInput } from '../errors';
import { readBounded, sizeOf } from './files';

/** Bytes of one file that a scenario names, and of all that one run reads. */
const FILE_BYTES = 2 ** 28;
const FILES_BYTES = 2 ** 29;

/** The files that a scenario names, relative to it. `keep`: each is read once, for many runs of one scenario. */
export class ScenarioFiles {
  readonly #kept = new Map<string, Promise<Uint8Array>>();

  constructor(
    private readonly scenario: string,
    private readonly keep = false,
  ) {}

  /** Bytes of these together. Throws a CliError for one that cannot be read, and for too many bytes. */
  async bytes(names: readonly string[]): Promise<number> {
    let bytes = 0;
    for (const name of names) bytes += await sizeOf(this.#place(name), this.#what(name), FILE_BYTES);
    if (bytes > FILES_BYTES) {
      throw badInput(`${this.scenario} names files of ${bytes} bytes`, `at most ${FILES_BYTES} are read`);
    }
    return bytes;
  }

  async read(names: readonly string[]): Promise<Readonly<Record<string, Uint8Array>>> {
    const files: Record<string, Uint8Array> = {};
    for (const name of names) files[name] = await this.#one(name);
    return files;
  }

  #one(name: string): Promise<Uint8Array> {
    const kept = this.#kept.get(name);
    if (kept) return kept;
    const reading = readBounded(this.#place(name), this.#what(name), FILE_BYTES);
    if (this.keep) this.#kept.set(name, reading);
    return reading;
  }

  #what(name: string): string {
    return `${this.scenario}: ${name}, which it names,`;
  }

  #place(name: string): string {
    if (path.isAbsolute(name)) {
      throw badInput(`${this.#what(name)} has an absolute path`, 'name it relative to the scenario');
    }
    return path.join(path.dirname(this.scenario), name);
  }
}
