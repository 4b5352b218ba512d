import { type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { SCENARIO_SUFFIX } from '../../inspection/protocol';
import { badInput } from '../errors';

/** In either case, as editors see it. */
export const isScenario = (name: string): boolean => name.toLowerCase().endsWith(SCENARIO_SUFFIX);

/** What to do about a file that is named and is none. */
export const scenarioHint = (name: string): string =>
  /\.iopte\.yml$/i.test(name)
    ? `rename it to ${name.slice(0, -'.yml'.length)}.yaml`
    : `scenarios are files named *${SCENARIO_SUFFIX}`;

/** The whole of a file of at most `most` bytes; `what` is how messages name it. Throws a CliError. */
export async function readBounded(file: string, what: string, most: number): Promise<Uint8Array> {
  await sizeOf(file, what, most);
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw badInput(`${what} cannot be read: ${reason(error)}`);
  }
}

/** Its bytes. Throws a CliError for what cannot be read, or is larger than `most`. */
export async function sizeOf(file: string, what: string, most: number): Promise<number> {
  let found: Stats;
  try {
    found = await stat(file);
  } catch (error) {
    throw badInput(`${what} cannot be read: ${reason(error)}`);
  }
  // A pipe would never end.
  if (!found.isFile()) throw badInput(`${what} is no regular file`);
  if (found.size > most) throw badInput(`${what} has ${found.size} bytes`, `at most ${most} are read`);
  return found.size;
}

/** `EACCES: permission denied`, without the call and the path that Node appends. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/, [a-z]+( '.*'( -> '.*')?)?$/s, '');
}
