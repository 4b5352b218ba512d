import * as vscode from 'vscode';

/** One thing that a sweep varies: `machine.memory` and its values. */
export interface Setting {
  readonly path: string;
  readonly values: readonly string[];
}

/** So many runs are too many for an editor; the command line has no such bound. */
export const MOST_RUNS = 256;

/**
 * Reads `machine.memory=64M,1G parameters.page=0x1000`; a text says what is wrong with it.
 * @param variants  that run with each combination
 */
export function parseSettings(text: string, variants: number): readonly Setting[] | string {
  const settings: Setting[] = [];
  for (const part of text.trim().split(/\s+/)) {
    const at = part.indexOf('=');
    const path = part.slice(0, at);
    if (at < 0 || !/^[A-Za-z][\w-]*(?:\.[\w-]+)*$/.test(path))
      return vscode.l10n.t('{0} is no setting: machine.memory=64M,1G', part === '' ? '""' : part);
    if (settings.some((each) => each.path === path))
      return vscode.l10n.t('{0} is there twice: give all its values at once.', path);
    const values = part.slice(at + 1).split(',');
    if (values.some((value) => value === '')) return vscode.l10n.t('A value of {0} is missing.', path);
    settings.push({ path, values });
  }
  const runs = productSize(settings) * variants;
  return runs > MOST_RUNS
    ? vscode.l10n.t(
        'These are {0} runs; at most {1} are done here. "iopte sweep" does more.',
        runs,
        MOST_RUNS,
      )
    : settings;
}

export const productSize = (settings: readonly Setting[]): number =>
  settings.reduce((size, { values }) => size * values.length, 1);

/** Every combination of the values, the last setting changing fastest. */
export function productOf(settings: readonly Setting[]): readonly Readonly<Record<string, string>>[] {
  return settings.reduce<readonly Readonly<Record<string, string>>[]>(
    (sets, { path, values }) => sets.flatMap((set) => values.map((value) => ({ ...set, [path]: value }))),
    [{}],
  );
}
