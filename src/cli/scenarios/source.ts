import { type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type EngineClient, type ScenarioOutline, type ScenarioProblem } from '../../inspection/protocol';
import { badInput, pointAt, positionOf } from '../errors';
import { reason } from './find';

/** Bytes of a scenario, of one file that it names, and of all that it names. */
const TEXT_BYTES = 2 ** 20;
const FILE_BYTES = 2 ** 28;
const FILES_BYTES = 2 ** 29;

/** A scenario file that can run. */
export interface ScenarioSource {
  readonly file: string;
  readonly text: string;
  readonly outline: ScenarioOutline;
  /** Bytes of one run, with the files that it names. */
  readonly memory: number;
}

/** Reads and checks a scenario. Throws a CliError: why it cannot run, with file, line and column. Warnings go to `warn`. */
export async function readScenario(
  engine: EngineClient,
  file: string,
  warn: (text: string) => void,
): Promise<ScenarioSource> {
  const text = await readText(file);
  const { problems, outline } = await engine.request('checkScenario', { text });
  const errors = problems.filter(({ severity }) => severity === 'error');
  for (const problem of problems) {
    if (problem.severity === 'warning') warn(`${placed(file, text, problem)}\n`);
  }
  if (errors.length > 0 || !outline) {
    const lines = errors.map((problem) => placed(file, text, problem)).join('\n');
    throw badInput(lines === '' ? `${file}:1:1: error: this is no scenario` : lines);
  }
  const bytes = await bytesOf(file, outline.files);
  return { file, text, outline, memory: outline.memory + 2 * bytes };
}

/**
 * As compilers write it, so that editors find the place:
 *
 *     a.iopte.yaml:3:8: error: There is no vendor "smuv3".
 *       machine: { vendor: smuv3 }
 *                          ^^^^^
 *     hint: did you mean "smmuv3"?
 */
export function placed(file: string, text: string, problem: ScenarioProblem): string {
  const { line, column } = positionOf(text, problem.start);
  const hint = problem.hint === undefined ? '' : `\nhint: ${problem.hint}`;
  const head = `${file}:${line}:${column}: ${problem.severity}: ${problem.message}`;
  return `${head}\n${pointAt(text, problem)}${hint}`;
}

async function readText(file: string): Promise<string> {
  const bytes = await readBounded(file, file, TEXT_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw badInput(`${file}:1:1: error: it is not UTF-8`, 'save it as UTF-8');
  }
}

/** The files that a scenario names, by those names, relative to it. */
export async function readNamed({
  file,
  outline,
}: ScenarioSource): Promise<Readonly<Record<string, Uint8Array>>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of outline.files) {
    files[name] = new Uint8Array(await readBounded(place(file, name), named(file, name), FILE_BYTES));
  }
  return files;
}

/** Their bytes; refuses what a run could not read. */
async function bytesOf(file: string, names: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of names) bytes += await sizeOf(place(file, name), named(file, name), FILE_BYTES);
  if (bytes > FILES_BYTES) {
    throw badInput(`${file}: the files that it names have ${bytes} bytes`, `at most ${FILES_BYTES}`);
  }
  return bytes;
}

const named = (file: string, name: string): string => `${file}: ${name}, which it names,`;

function place(file: string, name: string): string {
  if (path.isAbsolute(name)) {
    throw badInput(`${named(file, name)} has an absolute path`, 'name it relative to the scenario');
  }
  return path.join(path.dirname(file), name);
}

async function readBounded(file: string, what: string, most: number): Promise<Uint8Array> {
  await sizeOf(file, what, most);
  try {
    return await readFile(file);
  } catch (error) {
    throw badInput(`${what} cannot be read: ${reason(error)}`);
  }
}

async function sizeOf(file: string, what: string, most: number): Promise<number> {
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
