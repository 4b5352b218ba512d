/**
 * Which address space each row of a trace is about, told apart by rules that the user may choose (device, domain, filters).
 * Replay makes one; queries only read it.
 */
export interface RowSpaces {
  /** Spaces so far; they are numbered from 0. */
  readonly count: number;
  /** The space's name: the name of a device, a domain or a rule. Unique without regard to case, not empty. */
  name(space: number): string;
  /** The space that a row (from 0) is about; -1 when it is about none, or that is not known. */
  spaceOf(row: number): number;
}
