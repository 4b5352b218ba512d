import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { RootSearch } from '../../src/engine/roots/index';
import { openImage } from '../../src/image/openImage';
import { type MemoryImage } from '../../src/image/memoryImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { framesOf, NoisyMemory } from '../../test/builders/noisyMemory';

const PIECE_BYTES = 2 ** 20;
const FRAME_BYTES = 4096;
const ROUNDS = 7;
const WARM_UP_ROUNDS = 2;
const GOAL_GIGABYTES = 1;

interface Segment {
  readonly paddr: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Searches a guest's memory of so many MiB, made from a seed: its tables, old copies of them, and noise. Rounds alternate with
 * those of the limit in C, over the same file. Gives the exit code.
 */
export async function bench(mebibytes: number, guest: string, home: string, out: string): Promise<number> {
  fs.mkdirSync(out, { recursive: true });
  const file = path.join(out, `noise-${mebibytes}.raw`);
  const segments = await makeImage(guest, file, mebibytes);
  const program = path.join(out, 'rootLimit');
  const flags = ['-O3', '-march=native', '-std=gnu11', '-Wall', '-Wextra'];
  execFileSync('cc', [...flags, '-o', program, path.join(home, 'limit.c')], { stdio: 'inherit' });
  const limit = spawn(program, [file]);
  const lines: AsyncIterable<string, undefined> = readline.createInterface({ input: limit.stdout });
  const answers = lines[Symbol.asyncIterator]();
  const ours: number[] = [];
  const limits: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const mine = await searchRound(file, segments);
    limit.stdin.write('\n');
    const [nanoseconds = NaN, , frames = NaN] = String((await answers.next()).value)
      .split(' ')
      .map(Number);
    if (mine.frames !== frames) {
      process.stderr.write(`The frames read differ: ours ${mine.frames}, the limit's ${frames}.\n`);
      return 1;
    }
    if (round < 0) continue;
    ours.push(mine.nanoseconds / (frames * FRAME_BYTES));
    limits.push(nanoseconds / (frames * FRAME_BYTES));
  }
  limit.stdin.end();
  const [mine, its] = [1 / median(ours), 1 / median(limits)];
  const ratio = its / mine;
  process.stdout.write(
    `root search of ${mebibytes} MiB: ours ${mine.toFixed(2)} GB/s, C limit ${its.toFixed(2)} GB/s, ratio ${ratio.toFixed(2)}; goal ${GOAL_GIGABYTES} GB/s\n`,
  );
  return 0;
}

/** CPU time of a whole search, the image opened before. */
async function searchRound(file: string, segments: readonly Segment[]) {
  const memory = await opened(file, segments);
  const start = process.cpuUsage();
  const work = new RootSearch(memory, memory.ranges(memory.segments)).run();
  let step = work.next();
  while (step.done !== true) step = work.next();
  const { user, system } = process.cpuUsage(start);
  memory.close();
  return { nanoseconds: 1000 * (user + system), frames: step.value.frames };
}

async function opened(file: string, segments?: readonly Segment[]): Promise<MemoryImage> {
  const image = await openImage(
    { kind: 'path', path: file },
    { platform: nodeImagePlatform(), ...(segments ? { segments } : {}) },
  );
  if (!image.ok) throw new Error(image.failure.message);
  return image.value.memory;
}

async function makeImage(guest: string, file: string, mebibytes: number): Promise<readonly Segment[]> {
  const memory = await opened(guest);
  const frames = framesOf(memory, memory.ranges(memory.segments));
  memory.close();
  const noisy = new NoisyMemory(frames, { seed: 1, frames: (mebibytes * 2 ** 20) / FRAME_BYTES, copies: 4 });
  const piece = new Uint8Array(PIECE_BYTES);
  const descriptor = fs.openSync(file, 'w');
  const segments: Segment[] = [];
  let offset = 0;
  for (const { start, end } of noisy.ranges) {
    segments.push({ paddr: start, offset, length: end - start });
    for (let at = start; at < end; at += PIECE_BYTES) {
      const part = piece.subarray(0, Math.min(PIECE_BYTES, end - at));
      noisy.read(at, part);
      offset += fs.writeSync(descriptor, part);
    }
  }
  fs.closeSync(descriptor);
  return segments;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
