import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startEngine } from '../inspection/node/startEngine';
import { cacheDirectory } from './cacheDirectory';
import { type CommonOptions } from './command';
import { endingOf, EXIT, errorText } from './errors';
import { Output } from './output';
import { ProgressLine } from './progress';
import { createProgram, type Runner } from './program';
import { Session } from './session';
import { resolveSource } from './source';

const cancel = new AbortController();
const progress = new ProgressLine(process.stderr);

function writeError(text: string): void {
  progress.clear();
  process.stderr.write(text);
}

const run: Runner = async (command, file, options) => {
  const source = await resolveSource(file, options satisfies CommonOptions);
  const output = new Output(process.stdout, progress, process.env);
  const cache = cacheDirectory(process.env);
  const engine = await startEngine(cache === undefined ? {} : { cacheDirectory: cache });
  engine.onLog((message) => writeError(`iopte: engine: ${message}\n`));
  const session = new Session(engine, cancel.signal, progress);
  try {
    const summary = await session.open(source);
    const note = (text: string): void => writeError(`iopte: ${text}\n`);
    for (const problem of summary.problems) note(`${problem.severity}: ${problem.message}`);
    await command.run({ session, output, options, note });
  } finally {
    progress.clear();
    await session.close();
    await engine.dispose();
  }
};

/** Of the package that dist/cli.js belongs to. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));
  const found =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest && manifest.version;
  return typeof found === 'string' ? found : 'unknown';
}

async function main(): Promise<void> {
  // The first Ctrl-C cancels what runs; the second one ends the process as usual.
  process.once('SIGINT', () => cancel.abort());
  process.stderr.on('error', () => {
    // Nobody reads the messages any more; the answer may still be wanted.
  });
  const program = createProgram(
    version(),
    { out: (text) => process.stdout.write(text), error: writeError },
    run,
  );
  try {
    await program.parseAsync();
  } catch (thrown) {
    const ending = cancel.signal.aborted
      ? { exitCode: EXIT.cancelled, text: errorText('cancelled') }
      : endingOf(thrown);
    if (ending.text !== '') writeError(ending.text);
    process.exitCode = ending.exitCode;
  }
  // An open standard input would keep the process alive.
  process.stdin.destroy();
}

void main();
