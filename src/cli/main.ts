import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startEngine } from '../inspection/node/startEngine';
import { type EngineClient } from '../inspection/protocol';
import { cacheDirectory } from './cacheDirectory';
import { type CommonOptions } from './command';
import { cancelled, endingOf, EXIT, errorText, RUN_EXIT, withExitCode, type ExitCode } from './errors';
import { isClosed, Output, unwritable } from './output';
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

const exitWith = (code: ExitCode): void => {
  process.exitCode = code;
};

const source: Runner['source'] = async (command, file, options, operand) => {
  let started: EngineClient | undefined;
  const start = async (): Promise<EngineClient> => (started ??= await startOne());
  const output = new Output(process.stdout, progress, process.env);
  const note = (text: string): void => writeError(`iopte: ${text}\n`);
  const open = async (from: string, inspection: string): Promise<Session> => {
    const source = await resolveSource(from, options satisfies CommonOptions, (image) =>
      describesItself(start, image),
    );
    const session = new Session(await start(), cancel.signal, progress, inspection);
    sessions.push(session);
    const summary = await session.open(source);
    for (const problem of summary.problems) note(`${problem.severity}: ${problem.message}`);
    return session;
  };
  const sessions: Session[] = [];
  try {
    const session =
      command.opensNothing === true
        ? new Session(await start(), cancel.signal, progress)
        : await open(file, 'cli');
    const behind = operand === undefined ? {} : { operand };
    const isSource = command.operand?.isSource === true && operand !== undefined;
    const other = isSource ? { other: await open(operand, 'other') } : {};
    await command.run({ session, file, output, options, note, exitWith, ...behind, ...other });
  } catch (error) {
    throw command.badInputExit === undefined ? error : withExitCode(error, command.badInputExit);
  } finally {
    progress.clear();
    for (const session of sessions) await session.close();
    await started?.dispose();
  }
};

const scenarios: Runner['scenarios'] = async (command, operands, options) => {
  const output = new Output(process.stdout, progress, process.env, 'go on');
  try {
    await command.run({
      operands,
      options,
      output,
      progress,
      signal: cancel.signal,
      version: version(),
      startEngine: startOne,
      warn: writeError,
      exitWith,
    });
    // It has printed what there is.
    if (cancel.signal.aborted) throw cancelled();
    if (output.problem) throw output.problem;
  } catch (error) {
    throw withExitCode(error, RUN_EXIT.trouble);
  } finally {
    progress.clear();
  }
};

async function describesItself(start: () => Promise<EngineClient>, image: string): Promise<boolean> {
  const engine = await start();
  const found = await engine.request('recognise', { image: { kind: 'path', path: path.resolve(image) } });
  return found.describesItself;
}

async function startOne(): Promise<EngineClient> {
  const cache = cacheDirectory(process.env);
  const engine = await startEngine(cache === undefined ? {} : { cacheDirectory: cache });
  engine.onLog((message) => writeError(`iopte: engine: ${message}\n`));
  return engine;
}

/** Of the package that dist/cli.js belongs to. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));
  const found =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest && manifest.version;
  return typeof found === 'string' ? found : 'unknown';
}

/** Ctrl-C, and what a cluster says before it takes a machine away. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal cancels what runs; the second one ends the process as usual. */
function cancelAtSignal(): void {
  const stop = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, stop);
    cancel.abort();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
}

let unwrittenHelp = false;

/** Help and version, which no command prints. */
function writeHelp(text: string): void {
  process.stdout.write(text, (error) => {
    // Of several pieces the first one that fails is enough.
    if (!error || isClosed(error) || unwrittenHelp) return;
    unwrittenHelp = true;
    writeError(endingOf(unwritable(error)).text);
    process.once('exit', () => (process.exitCode = EXIT.badInput));
  });
}

async function main(): Promise<void> {
  cancelAtSignal();
  process.stdout.on('error', () => {
    // Who wrote is told.
  });
  process.stderr.on('error', () => {
    // Nobody reads the messages any more; the answer may still be wanted.
  });
  const program = createProgram(version(), { out: writeHelp, error: writeError }, { source, scenarios });
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
