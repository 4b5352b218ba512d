import { type LayerReport } from './report.mjs';

type Step = (report: LayerReport) => Promise<void>;

/** A check that is one named test: it passes when the program exits with 0 and `accept` finds nothing missing. */
export function check(
  name: string,
  args: readonly string[],
  options: { readonly seconds: number; readonly accept?: (output: string) => string | undefined },
): Step;

/** A suite that prints its tests by name and `N passed, N failed` at the end. */
export function suite(name: string, args: readonly string[], options: { readonly seconds: number }): Step;

/** For `check`: the program has to have looked at a number of files, which `pattern` captures. */
export function atLeast(pattern: RegExp, least: number): (output: string) => string | undefined;
