import { type PageRange } from '../../../engine/iommu/cacheOperation';
import { type Machine } from '../../../engine/machine/machine';
import { type OperationReport } from '../../../engine/machine/operation';
import { type MigrationResult } from '../../../engine/migration/result';
import { type Step } from '../../language/schema/steps';
import { type Expected } from '../../language/schema/values';
import { type Mismatch, nameOf, type Path } from '../mismatch';
import { type Names } from '../names';
import { expectedText, isWithin, type Unit } from '../texts';

export type Expectations = NonNullable<Step['expect']>;

/** What expectations look at: the run as it stands. */
export interface Look {
  readonly machine: Machine;
  readonly names: Names;
  /** Of the last operation that reported dirty pages. */
  readonly dirty: OperationReport['dirty'];
  /** Guest pages that are lost; none where nobody has begun to copy. */
  readonly lost: readonly PageRange[];
  readonly requests: number;
  readonly refused: number;
  readonly cycles: number;
  readonly migration: MigrationResult | null;
}

/** One kind of expectation; mismatches are below it. */
export type Aspect<Key extends keyof Expectations> = (
  of: NonNullable<Expectations[Key]>,
  look: Look,
) => readonly Mismatch[];

export const differs = (at: Path, expected: string, actual: string): Mismatch => ({
  at,
  what: nameOf(at),
  expected,
  actual,
});

/** Compares a number; `more` is added to what it is. */
export function counted(
  at: Path,
  of: Expected | undefined,
  actual: number,
  unit: Unit,
  more = '',
): Mismatch[] {
  if (of === undefined || isWithin(of, actual)) return [];
  return [differs(at, expectedText(of, unit), `${unit(actual)}${more}`)];
}

/** Compares a value where one is expected. */
export function same<T>(
  at: Path,
  expected: T | undefined,
  actual: T | undefined,
  text: (value: T) => string,
): Mismatch[] {
  if (expected === undefined || expected === actual) return [];
  return [differs(at, text(expected), actual === undefined ? 'nothing' : text(actual))];
}
