import { levelOf, type CompiledFormat } from '../formats/compile';
import { type BitTest } from '../formats/pageTableFormat';

/** log2 of the sizes of the pages that leaves at this depth can be, ascending; empty where there are none. */
export function pageShifts(format: CompiledFormat, depth: number): number[] {
  const { rule, shift } = levelOf(format, depth);
  if (rule.leaf === 'never' || forbidsLeaves(format, depth)) return [];
  const size = 2 ** shift;
  if (depth > 1 && format.hardware.largePages?.has(size) === false) return [];
  const run = format.format.largeRun;
  if (run?.kind === 'size-in-address') {
    // Physical addresses have 52 bits, of which the size code needs one.
    const most = Math.min(shift + rule.indexBits - 1, 51);
    return Array.from({ length: Math.max(1, most - shift + 1) }, (_, index) => shift + index);
  }
  const entries = run?.log2Entries(rule) ?? 0;
  return entries === 0 ? [shift] : [shift, shift + entries];
}

/** Whether an encoding rule refuses every leaf of a level. */
function forbidsLeaves({ format, hardware, levels }: CompiledFormat, depth: number): boolean {
  const { rule } = levels[depth] ?? {};
  if (!rule) return true;
  const always = (test: BitTest) => test.mask === 0n && test.value === 0n;
  return (format.encodings?.('leaf', rule, hardware) ?? []).some(
    ({ when, must, faults }) => faults && must === undefined && always(when),
  );
}

/** log2 of the sizes of all pages of a format, ascending, each once. */
export function allPageShifts(format: CompiledFormat): number[] {
  const shifts = format.levels.flatMap((_, depth) => (depth === 0 ? [] : pageShifts(format, depth)));
  return [...new Set(shifts)].sort((a, b) => a - b);
}

/**
 * log2 of the largest page of these sizes that can map `iova` to `paddr` and ends at or before `end` (IOVA, bytes);
 * undefined when none can.
 */
export function bestPageShift(
  shifts: readonly number[],
  iova: bigint,
  paddr: bigint,
  end: bigint,
): number | undefined {
  const fits = (shift: number): boolean => {
    const size = 1n << BigInt(shift);
    return ((iova | paddr) & (size - 1n)) === 0n && iova + size <= end;
  };
  return shifts
    .filter(fits)
    .reduce<number | undefined>((best, shift) => Math.max(best ?? 0, shift), undefined);
}
