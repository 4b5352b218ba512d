import { formatSize, hex } from '../../engine/values';
import { type PageRange } from '../../engine/iommu/cacheOperation';
import { type Expected } from '../language/schema/values';

/** How an expectation's numbers are told. */
export type Unit = (value: number) => string;

const count =
  (one: string, many: string): Unit =>
  (value) =>
    `${value.toLocaleString('en')} ${value === 1 ? one : many}`;

export const PAGES = count('page', 'pages');
export const FINDINGS = count('finding', 'findings');
export const REQUESTS = count('request', 'requests');
export const RECORDS = count('record', 'records');
export const ROUNDS = count('round', 'rounds');
export const PLAIN: Unit = (value) => value.toLocaleString('en', { maximumFractionDigits: 3 });
export const BYTES: Unit = (value) =>
  Number.isSafeInteger(value) ? formatSize(value) : value.toLocaleString('en');
const HOUR = 3600;
export const SECONDS: Unit = (value) =>
  value >= HOUR
    ? `${value.toLocaleString('en', { maximumFractionDigits: 3 })} s (${(value / HOUR).toFixed(1)} h)`
    : value >= 1 || value === 0
      ? `${Number(value.toFixed(3))} s`
      : `${Number((value * 1000).toFixed(3))} ms`;

export const isWithin = ({ atLeast, atMost }: Expected, value: number): boolean =>
  value >= atLeast && value <= atMost;

/** `2 pages`, `at least 1 page`, `1 page to 4 pages`. */
export function expectedText({ atLeast, atMost }: Expected, unit: Unit): string {
  if (atLeast === atMost) return unit(atLeast);
  if (atMost === Infinity) return `at least ${unit(atLeast)}`;
  return atLeast === 0 ? `at most ${unit(atMost)}` : `${unit(atLeast)} to ${unit(atMost)}`;
}

/** Addresses that a text names. */
const MOST_NAMED = 8;

/** `: 0x3f000, 0x77000`; nothing for none. */
export function addressesText(addresses: readonly (bigint | number)[], total = addresses.length): string {
  if (addresses.length === 0) return '';
  const named = addresses.slice(0, MOST_NAMED).map(hex).join(', ');
  return total > MOST_NAMED ? `: ${named}, ...` : `: ${named}`;
}

export const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no');

/** Addresses of the first pages of ranges, as many as a text may name and one more. */
export function firstPages(ranges: readonly PageRange[]): bigint[] {
  const pages: bigint[] = [];
  for (const { startPage, endPage } of ranges)
    for (let page = startPage; page < endPage && pages.length <= MOST_NAMED; page++)
      pages.push(BigInt(page) * 4096n);
  return pages;
}

export const pagesOf = (ranges: readonly PageRange[]): number =>
  ranges.reduce((sum, { startPage, endPage }) => sum + endPage - startPage, 0);
