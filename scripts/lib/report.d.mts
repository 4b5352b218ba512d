/** Collects the named tests of one layer. */
export class LayerReport {
  constructor(title: string);
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of what failed. */
  readonly failures: readonly string[];
}

/** Wall time of several spans [start, end), each moment counted once. */
export function wallTime(spans: readonly (readonly [number, number])[]): number;
