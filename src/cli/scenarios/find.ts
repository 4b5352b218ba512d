import { type Dirent, type Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { SCENARIO_SUFFIX } from '../../inspection/protocol';
import { badInput } from '../errors';
import { isScenario, reason, scenarioHint } from './files';

/** Bounds of a search: someone will ask for `/` one day. */
const MOST_FILES = 10_000;
const MOST_ENTRIES = 1_000_000;
const DEEPEST = 32;
/** Folders in which nobody keeps scenarios of their own. */
const LEFT_OUT = new Set(['node_modules', '.git']);

export interface FoundScenario {
  /** As messages name it: what was asked for, with what was found below. */
  readonly file: string;
  /** Asked for by its name; false: found in a folder. */
  readonly named: boolean;
}

export interface Found {
  readonly files: readonly FoundScenario[];
  /** Folders that cannot be read, and what was not looked at. */
  readonly problems: readonly string[];
}

/**
 * The scenario files of what was asked for: files in the order given, of a folder all below it, sorted by name. A file is found
 * once, however many ways lead to it; links are followed. Throws a CliError for what is not there and for a folder with none.
 */
export async function findScenarios(asked: readonly string[], signal: AbortSignal): Promise<Found> {
  const search = new Search(signal);
  for (const one of asked) await search.look(one);
  return search;
}

class Search implements Found {
  readonly files: FoundScenario[] = [];
  readonly problems: string[] = [];
  readonly #seen = new Set<string>();
  #entries = 0;
  /** Scenarios, and what had been met before. */
  #met = 0;

  constructor(private readonly signal: AbortSignal) {}

  async look(asked: string): Promise<void> {
    const found = await statOf(asked);
    if (found.isDirectory()) {
      const before = this.#met + this.problems.length;
      await this.#folder(asked, 0);
      if (this.#met + this.problems.length === before && !this.signal.aborted) {
        throw badInput(
          `there is no *${SCENARIO_SUFFIX} in ${asked}`,
          'name a scenario file, or a folder that holds some',
        );
      }
      return;
    }
    if (!isScenario(asked)) throw badInput(`${asked} is no scenario`, scenarioHint(asked));
    if (!found.isFile()) throw badInput(`${asked} is no regular file`);
    await this.#add(asked, true);
  }

  async #add(file: string, named: boolean): Promise<void> {
    if (!(await this.#isNew(file))) return;
    if (this.files.length === MOST_FILES) {
      throw badInput(`more than ${MOST_FILES} scenarios`, 'run them folder by folder');
    }
    this.#met++;
    this.files.push({ file, named });
  }

  async #isNew(file: string): Promise<boolean> {
    const real = await realpath(file);
    if (this.#seen.has(real)) {
      this.#met++;
      return false;
    }
    this.#seen.add(real);
    return true;
  }

  async #folder(folder: string, depth: number): Promise<void> {
    if (this.signal.aborted || !(await this.#isNew(folder))) return;
    if (depth > DEEPEST) {
      this.problems.push(`${folder}: more than ${DEEPEST} folders deep, so it was left out`);
      return;
    }
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      this.problems.push(`${folder} cannot be read: ${reason(error)}`);
      return;
    }
    this.#entries += entries.length;
    if (this.#entries > MOST_ENTRIES) {
      throw badInput(
        `more than ${MOST_ENTRIES} files were looked at`,
        'name the folders that hold the scenarios',
      );
    }
    // By code units, not by the language of the machine: the order is part of the answer.
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) await this.#entry(path.join(folder, entry.name), entry, depth);
  }

  async #entry(name: string, entry: Dirent, depth: number): Promise<void> {
    const scenario = isScenario(entry.name);
    if (!scenario && (LEFT_OUT.has(entry.name) || !(entry.isDirectory() || entry.isSymbolicLink()))) return;
    // A link that leads nowhere is not ours to judge, unless it is named as a scenario.
    const found = await stat(name).catch(() => undefined);
    if (found?.isDirectory() === true) await this.#folder(name, depth + 1);
    else if (scenario && found?.isFile() === true) await this.#add(name, false);
    else if (scenario) this.problems.push(`${name} cannot be read: it is no regular file`);
  }
}

async function statOf(file: string): Promise<Stats> {
  try {
    return await stat(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw badInput(missing ? `${file} does not exist` : `${file} cannot be read: ${reason(error)}`);
  }
}
