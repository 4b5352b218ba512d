import { type ByteReader } from './byteReader';
import { type TableProblems } from './problems';

/** How the structures of a table tell their length. */
export interface StructureShape {
  /** What one is called in a problem: `a block`. */
  readonly what: string;
  /** Where its length, of 16 bits, stands in it. */
  readonly lengthAt: number;
  /** Bytes that each has at least. */
  readonly least: number;
}

/** One structure, and where it begins in its table. */
export interface Structure {
  readonly at: number;
  readonly data: ByteReader;
}

/** The structures that follow each other from `at` on to the end. One that does not fit is reported and ends them. */
export function* structuresOf(
  bytes: ByteReader,
  at: number,
  { what, lengthAt, least }: StructureShape,
  problems: TableProblems,
): Generator<Structure> {
  for (let next = at; next < bytes.length;) {
    const length = bytes.u16(next + lengthAt);
    if (length < least || next + length > bytes.length) {
      problems.report(next, `${what} of ${length} bytes does not fit; the rest is not read`);
      return;
    }
    yield { at: next, data: bytes.part(next, length) };
    next += length;
  }
}
