import { Writable } from 'node:stream';
import { type CliCommand, type CommonOptions } from '../../../src/cli/command';
import { endingOf } from '../../../src/cli/errors';
import { Output } from '../../../src/cli/output';
import { ProgressLine } from '../../../src/cli/progress';
import { createProgram, type Runner } from '../../../src/cli/program';
import { Session } from '../../../src/cli/session';
import { inProcessEngine } from '../inspection/inProcess';

export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the program that opens nothing itself, with the engine in this thread. */
export async function runInProcess(...words: readonly string[]): Promise<CliRun> {
  const { client } = inProcessEngine();
  let stdout = '';
  let stderr = '';
  const error = (text: string): void => {
    stderr += text;
  };
  const out = new Writable({
    write(piece: Buffer, _encoding, done) {
      stdout += piece.toString();
      done();
    },
  });
  const silent = new ProgressLine(new Writable({ write: (_piece, _encoding, done) => done() }));
  const source: Runner['source'] = async <Options extends CommonOptions>(
    command: CliCommand<Options>,
    file: string,
    options: Options,
  ) => {
    const session = new Session(client, new AbortController().signal, silent);
    const output = new Output(out, silent, {});
    const note = (text: string): void => error(`iopte: ${text}\n`);
    await command.run({ session, file, output, options, note, exitWith: () => undefined });
  };
  const program = createProgram(
    '0',
    { out: (text) => void (stdout += text), error },
    {
      source,
      scenarios: () => Promise.reject(new Error('runs no scenarios')),
    },
  );
  try {
    await program.parseAsync(['node', 'iopte', ...words]);
    return { exitCode: 0, stdout, stderr };
  } catch (thrown) {
    const ending = endingOf(thrown);
    return { exitCode: ending.exitCode, stdout, stderr: stderr + ending.text };
  } finally {
    await client.dispose();
  }
}
