import { levelOf, type CompiledFormat } from '../../formats/compile';
import { type BitField, type FieldKind } from '../../bits/bitFields';
import { joinHalves, type EntryHalves } from '../../memory/words';
import { leafWords } from '../../pageTable/encode';
import { READ_WRITE } from '../../pageTable/entryClass';
import { cleanedHalves, markedHalves } from '../../pageTable/marks';
import { ACCESSED, DIRTY } from '../../pageTable/runColumns';
import { halvesOf, type LeafTemplate } from './leafEncoder';

/** What a leaf of another size takes over: all but where it leads, what makes it a leaf, and how large it is. */
const INHERITED: readonly FieldKind[] = ['permission', 'attribute', 'software', 'ignored', 'status'];

/** A field that stands at `from` in a leaf at one depth and at `to` in one at another. */
interface Move {
  readonly mask: bigint;
  readonly from: bigint;
  readonly to: bigint;
}

const moves = new WeakMap<CompiledFormat, Map<string, readonly Move[]>>();

/** Fields by name: a field that has the same name elsewhere moves (x86 PAT); one of several of a name stays where it is. */
function movesOf(format: CompiledFormat, fromDepth: number, toDepth: number): readonly Move[] {
  const key = `${fromDepth} ${toDepth}`;
  const known = moves.get(format) ?? new Map<string, readonly Move[]>();
  moves.set(format, known);
  const found = known.get(key) ?? findMoves(format, fromDepth, toDepth);
  known.set(key, found);
  return found;
}

function findMoves(format: CompiledFormat, fromDepth: number, toDepth: number): Move[] {
  const fields = (depth: number): BitField[] =>
    format.format
      .layout('leaf', levelOf(format, depth).rule)
      .filter((field) => INHERITED.includes(field.kind) && (maskOf(field) & runMask(format)) === 0n);
  const targets = fields(toDepth);
  return fields(fromDepth).flatMap((field) => {
    const named = targets.filter(({ name }) => name === field.name);
    const same = named.find(({ high, low }) => high === field.high && low === field.low);
    const target = same ?? (named.length === 1 ? named[0] : undefined);
    if (!target || target.high - target.low !== field.high - field.low) return [];
    return { mask: maskOf(field) >> BigInt(field.low), from: BigInt(field.low), to: BigInt(target.low) };
  });
}

const maskOf = ({ high, low }: BitField): bigint => ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
const runMask = (format: CompiledFormat): bigint => format.format.largeRun?.when.mask ?? 0n;

/** The words, at frame 0, of a page of 2^shift bytes that is like this leaf: its permission, attributes and software bits. */
export function likeLeaf(
  format: CompiledFormat,
  fromDepth: number,
  leaf: Readonly<EntryHalves>,
  toDepth: number,
  shift: number,
  marks: number,
): LeafTemplate {
  const contents = { frame: 0, pageShift: shift, permission: READ_WRITE, accessed: false, dirty: false };
  const word = joinHalves(leaf.lo, leaf.hi);
  const words = leafWords(format, toDepth, contents).map((plain) => {
    const all = movesOf(format, fromDepth, toDepth).reduce(
      (made, { mask, from, to }) => (made & ~(mask << to)) | (((word >> from) & mask) << to),
      plain,
    );
    return withMarks(format, halvesOf(all), marks);
  });
  const level = levelOf(format, toDepth);
  const step = words.length > 1 && format.runKind === 'own-address' ? level.pagesPerEntry : 0;
  return {
    depth: toDepth,
    shift,
    permission: READ_WRITE,
    words: Int32Array.from(words.flatMap(({ lo, hi }) => [lo, hi])),
    entries: words.length,
    step,
  };
}

/** A leaf with exactly these marks. */
export function withMarks(format: CompiledFormat, leaf: Readonly<EntryHalves>, marks: number): EntryHalves {
  const { lo, hi } = cleanedHalves(format, leaf);
  const unmarked = { lo: lo & ~format.accessedLo, hi: hi & ~format.accessedHi };
  return markedHalves(format, unmarked, marks & (ACCESSED | DIRTY));
}
