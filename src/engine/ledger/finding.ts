import { type CachedTranslation } from '../iommu/caches/translationCache';

/** What can go wrong; over-reports are counted, and no error. */
export const FINDING_KINDS = [
  'lost-dirty',
  'stale-use',
  'use-after-free',
  'corrupt-slot',
  'spurious-fault',
  'over-report',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export const isError = (kind: FindingKind): boolean => kind !== 'over-report';

/** One thing that went wrong, as plain data. */
export interface Finding {
  readonly kind: FindingKind;
  /** Which pages the range counts: guest physical, IOVA, or the frames of a table. */
  readonly of: 'guest' | 'iova' | 'frame';
  /** Half-open, pages of 4 KiB. */
  readonly startPage: number;
  readonly endPage: number;
  /** The step it is about: the write, the use, the update; 0: before the first one. */
  readonly step: number;
  /** A sentence for people. */
  readonly why: string;
  /** Physical byte address of the entry behind it. */
  readonly entry?: number;
  readonly cached?: CachedTranslation;
  /** The invalidation, or other command, behind it. */
  readonly command?: string;
}

/** Findings of a kind that are kept; all are counted. */
export const MOST_FINDINGS = 1000;

/** The findings so far: the first ones of each kind, and how many there were. */
export class FindingList {
  readonly #kept = new Map<FindingKind, Finding[]>();
  readonly #counts = new Map<FindingKind, { findings: number; pages: number }>();

  /** Counts a finding about so many pages, and makes it when it is kept. */
  add(kind: FindingKind, pages: number, make: () => Omit<Finding, 'kind'>): void {
    const count = this.#counts.get(kind) ?? { findings: 0, pages: 0 };
    count.findings++;
    count.pages += pages;
    this.#counts.set(kind, count);
    const kept = this.#kept.get(kind) ?? [];
    if (kept.length < MOST_FINDINGS) kept.push({ kind, ...make() });
    this.#kept.set(kind, kept);
  }

  of(kind: FindingKind): readonly Finding[] {
    return this.#kept.get(kind) ?? [];
  }

  /** All that are kept, errors first. */
  all(): Finding[] {
    return FINDING_KINDS.flatMap((kind) => this.of(kind));
  }

  /** How many there were, and how many pages they are about. */
  count(kind: FindingKind): { readonly findings: number; readonly pages: number } {
    return this.#counts.get(kind) ?? { findings: 0, pages: 0 };
  }

  /** Findings that are errors. */
  get errors(): number {
    return FINDING_KINDS.filter(isError).reduce((sum, kind) => sum + this.count(kind).findings, 0);
  }

  clear(kind: FindingKind): void {
    this.#kept.delete(kind);
    this.#counts.delete(kind);
  }
}
