/** What a replay finds wrong (findings.ts). Apart from it, as views name the kinds, too. */
export const FINDING_KINDS = ['double-map', 'unmap-nothing', 'short-unmap', 'leak', 'missing-flush'] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];
