import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { type DomainImage } from './domainImage';

/** What one round took and what came out. */
export interface Round {
  readonly cpuNanoseconds: number;
  readonly checksum: number;
  /** Leaves listed, or requests translated. */
  readonly count: number;
}

const FLAGS = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra'];

/** Builds the C limit; gives the program's path, or undefined when there is no compiler that can. */
export function buildLimit(source: string, directory: string): string | undefined {
  const program = path.join(directory, 'limit');

  for (const compiler of [process.env['CC'], 'cc', 'gcc', 'clang']) {
    if (compiler === undefined || compiler === '') continue;
    try {
      execFileSync(compiler, [...FLAGS, '-o', program, source], { stdio: ['ignore', 'ignore', 'pipe'] });
      return program;
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

/** The C limit as a process of its own that runs a round whenever it is asked, so that rounds can be interleaved. */
export class Limit {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string, undefined>;

  constructor(program: string, image: DomainImage, work: readonly ['list'] | readonly ['translate', string]) {
    const { imagePath, base, root, below, levels, shape } = image;
    const numbers = [root, below, levels].map(String);
    this.#child = spawn(program, [imagePath, base.toString(), shape.name, ...numbers, ...work]);
    this.#child.stderr.pipe(process.stderr);
    const lines: AsyncIterable<string, undefined> = readline.createInterface({ input: this.#child.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async round(): Promise<Round> {
    this.#child.stdin.write('\n');
    const { value = '' } = await this.#lines.next();
    const [cpuNanoseconds = NaN, checksum = NaN, count = NaN] = value.split(' ').map(Number);
    if (!Number.isFinite(count)) throw new Error('The C limit ended without an answer.');
    return { cpuNanoseconds, checksum, count };
  }

  end(): void {
    this.#child.stdin.end();
  }
}
