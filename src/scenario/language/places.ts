import { type Path, rangeAt, type SourceNode, type TextRange } from './source/node';

/** Where the values of a merged scenario stand in the text. */
export interface Places {
  /** Of the value at a path, or the nearest above it that is written down. Offsets half-open; lines from 1. */
  of(path: Path): TextRange & { readonly line: number };
}

export function placesOf(text: string, root: SourceNode | undefined): Places {
  const lines = lineStarts(text);
  return {
    of: (path) => {
      const range = root ? rangeAt(root, path) : { start: 0, end: 0 };
      return { ...range, line: lineAt(lines, range.start) };
    },
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** From 1. */
function lineAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}
