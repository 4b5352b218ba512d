/** Number of findings of the ledger, by kind. */
export type FindingCounts = Readonly<Record<string, number>>;

/** Over-reports cost time and lose nothing: they are counted, and nobody is warned. */
const HARMLESS: readonly string[] = ['over-report'];

/** What an operation led to that must not happen: kinds with the number of new findings, as text; empty for none. */
export function newFindings(before: FindingCounts, after: FindingCounts): string {
  return Object.entries(after)
    .map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const)
    .filter(([kind, more]) => more > 0 && !HARMLESS.includes(kind))
    .map(([kind, more]) => (more === 1 ? kind : `${kind} × ${more}`))
    .join(', ');
}
