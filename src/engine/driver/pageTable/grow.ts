import { compileFormat, type CompiledFormat } from '../../formats/compile';
import { type FrameNumber } from '../../values';
import { type Steps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { framesOfTable, type TableTree, type Top } from './tableTree';

interface Growth {
  /** Levels that there may be. */
  readonly most: number;
  readonly bitsOf: (format: CompiledFormat) => number;
  /** Makes a root the one that hardware is told of. */
  readonly tell: (top: Top) => void;
}

/**
 * Puts new roots above the old one until pages up to `endPage` are taken. They are built where nobody can reach them; devices
 * are told before software finds the new root, so that nothing is mapped where hardware cannot walk. Nothing is flushed: what
 * the old root said, the new one says too, and what is new was not present.
 */
export function* growRoot(
  tree: TableTree,
  endPage: number,
  growth: Growth,
): Steps<SoftwareStep, Outcome<null>> {
  const built: FrameNumber[] = [];
  let { root, format } = tree.top;
  while (2 ** (growth.bitsOf(format) - 12) < endPage && format.rootDepth < growth.most) {
    const next = compileFormat(format.format, format.rootDepth + 1, format.hardware);
    const above = tree.frames.allocate(framesOfTable(next, next.rootDepth));
    if (above === undefined) {
      for (const frame of built) tree.frames.free(frame);
      return refused('ENOMEM', 'no memory is left for a larger root');
    }
    const { lo, hi } = tree.encoder.pointer(next, next.rootDepth, root, tree.marks);
    tree.words.fill(above, 0, lo, hi);
    yield { kind: 'build', name: 'build a larger root', frames: 1 };
    built.push(above);
    root = above;
    format = next;
  }
  if (built.length === 0) return refused('ERANGE', 'the tables cannot take more levels');
  growth.tell({ root, format });
  const told = yield* tree.flusher.changeTop();
  if (!told.ok) {
    for (const frame of built) tree.frames.free(frame);
    return told;
  }
  yield { kind: 'software', name: 'publish the root and its depth' };
  return done(null);
}
