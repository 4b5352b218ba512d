import { type FoundFrames } from './foundFrames';
import { type SignatureId } from './signature';

/** Neighbouring frames that may be one table. */
export interface Block {
  readonly frame: number;
  readonly frames: number;
}

/** A block of up to so many frames is offered in halves too: a copy may stand right beside a table. */
const MOST_HALVED = 16;
/** Blocks that are offered at most. */
const MOST_BLOCKS = 4096;

/**
 * The tables that frames of a form may make up: blocks of a power of two of frames that are aligned to their size, at most
 * `most` frames; runs as they are, with `anySize`; and runs with frames of zeros between them.
 */
export function* blocksOf(
  found: FoundFrames,
  id: SignatureId,
  most: number,
  anySize = false,
): Generator<number, Block[]> {
  const blocks = new Map<string, Block>();
  const add = (block: Block): void => {
    if (blocks.size < MOST_BLOCKS) blocks.set(`${block.frame}+${block.frames}`, block);
  };
  const runs = runsOf(found.frames(id));
  for (const [index, run] of runs.entries()) {
    yield run.frames;
    for (const block of aligned(run, most)) halves(block, add);
    if (anySize && run.frames <= most) add(run);
    const next = runs[index + 1];
    const whole = next && around(run, next, most);
    if (whole && isTable(found, id, whole)) add(whole);
  }
  return [...blocks.values()];
}

function runsOf(frames: readonly number[]): Block[] {
  const runs: { frame: number; frames: number }[] = [];
  for (const frame of frames) {
    const last = runs.at(-1);
    if (last && last.frame + last.frames === frame) last.frames++;
    else runs.push({ frame, frames: 1 });
  }
  return runs;
}

/** The largest aligned blocks that make up a run, from its start on. */
function* aligned(run: Block, most: number): Generator<Block> {
  const end = run.frame + run.frames;
  for (let frame = run.frame; frame < end;) {
    let frames = 1;
    while (frames < most && frame % (2 * frames) === 0 && frame + 2 * frames <= end) frames *= 2;
    yield { frame, frames };
    frame += frames;
  }
}

function halves(block: Block, add: (block: Block) => void): void {
  add(block);
  if (block.frames === 1 || block.frames > MOST_HALVED) return;
  const frames = block.frames / 2;
  halves({ frame: block.frame, frames }, add);
  halves({ frame: block.frame + frames, frames }, add);
}

/** The smallest aligned block around two runs; undefined when it is too large. */
function around(run: Block, next: Block, most: number): Block | undefined {
  for (let frames = 2; frames <= most; frames *= 2) {
    const frame = run.frame - (run.frame % frames);
    if (next.frame + next.frames <= frame + frames) return { frame, frames };
  }
  return undefined;
}

/** Whether all frames of a block are of the form or zeros. */
function isTable(found: FoundFrames, id: SignatureId, { frame, frames }: Block): boolean {
  for (let each = frame; each < frame + frames; each++) {
    if (!found.has(id, each) && !found.isZero(each)) return false;
  }
  return true;
}
