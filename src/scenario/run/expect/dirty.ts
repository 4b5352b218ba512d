import { parseInteger } from '../../../engine/values';
import { hex } from '../../../engine/values';
import { type Mismatch } from '../mismatch';
import { addressesText, PAGES } from '../texts';
import { type Aspect, counted, differs } from './look';

interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

export const dirty: Aspect<'dirty'> = ({ ranges, holds, lacks, pages }, { dirty: report }) => {
  if (!report) return [differs([], 'a report of dirty pages', 'nothing was asked for one')];
  const reported = report.ranges.map(({ start, end }) => ({
    start: parseInteger(start) ?? 0n,
    end: parseInteger(end) ?? 0n,
  }));
  const has = (address: bigint): boolean =>
    reported.some(({ start, end }) => address >= start && address < end);
  const found: Mismatch[] = [];
  if (ranges) {
    const [expected, actual] = [rangesText(merged(ranges)), rangesText(merged(reported))];
    if (expected !== actual) found.push(differs(['ranges'], expected, actual));
  }
  const missing = (holds ?? []).filter((address) => !has(address));
  if (missing.length > 0)
    found.push(
      differs(['holds'], `reported${addressesText(holds ?? [])}`, `not reported${addressesText(missing)}`),
    );
  const surplus = (lacks ?? []).filter(has);
  if (surplus.length > 0)
    found.push(
      differs(['lacks'], `not reported${addressesText(lacks ?? [])}`, `reported${addressesText(surplus)}`),
    );
  const starts = reported.map(({ start }) => start);
  return [...found, ...counted(['pages'], pages, report.pages, PAGES, addressesText(starts))];
};

/** Neighbours as one, ascending. */
function merged(ranges: readonly Range[]): Range[] {
  const whole: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of [...ranges].sort((one, other) => (one.start < other.start ? -1 : 1))) {
    const last = whole.at(-1);
    if (last && start <= last.end) last.end = end > last.end ? end : last.end;
    else whole.push({ start, end });
  }
  return whole;
}

const MOST_SHOWN = 8;

function rangesText(ranges: readonly Range[]): string {
  if (ranges.length === 0) return 'nothing';
  const shown = ranges.slice(0, MOST_SHOWN).map(({ start, end }) => `${hex(start)} to ${hex(end)}`);
  return `${shown.join(', ')}${ranges.length > MOST_SHOWN ? ` and ${ranges.length - MOST_SHOWN} more` : ''}`;
}
