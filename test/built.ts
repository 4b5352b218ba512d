/** The built command line and its worker: made anew when a source is newer, so that tests never run yesterday's. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '..');
const BUILT = ['dist/cli.js', 'dist/engineWorker.js'].map((file) => path.join(ROOT, file));
const SOURCES = [
  'src/bytes',
  'src/cli',
  'src/engine',
  'src/image',
  'src/inspection',
  'src/scenario',
  'src/trace',
  'webpack.config.js',
  'package.json',
];

export const CLI = path.join(ROOT, 'dist', 'cli.js');
export const ENGINE_WORKER = path.join(ROOT, 'dist', 'engineWorker.js');

/** Builds when a built file is missing or older than its sources. Takes up to a minute then. */
export function ensureBuilt(): void {
  const newest = Math.max(...SOURCES.map((source) => newestIn(path.join(ROOT, source))));
  if (BUILT.every((file) => existsSync(file) && statSync(file).mtimeMs >= newest)) return;
  const webpack = path.join(ROOT, 'node_modules', 'webpack', 'bin', 'webpack.js');
  const args = [webpack, '--mode', 'production', '--config-name', 'node'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
}

function newestIn(file: string): number {
  const found = statSync(file);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(0, ...readdirSync(file).map((name) => newestIn(path.join(file, name))));
}

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
}

export function startCli(args: readonly string[], cwd = ROOT): ChildProcessWithoutNullStreams {
  // Nothing of a test stays in the user's cache.
  return spawn(process.execPath, [CLI, ...args], { cwd, env: { ...process.env, IOPTE_CACHE: '' } });
}

/** Runs the command line as a process of its own, to its end. */
export async function runCli(
  args: readonly string[],
  { input = '', cwd = ROOT }: RunOptions = {},
): Promise<Ended> {
  const child = startCli(args, cwd);
  // A command that fails early closes its standard input; that is not the test's failure.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return ended(child);
}

export function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}

/** Lines of a JSON lines output. */
export function jsonLines(text: string): readonly unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}
