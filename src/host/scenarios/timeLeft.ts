import * as vscode from 'vscode';
import type { Progress } from '../../inspection/protocol';

/** The first figures say little: below these, in seconds and as a part of the whole, nothing is said. */
const EARLY_SECONDS = 2;
const EARLY_PART = 0.02;

/**
 * Progress of a run that began now, with the time that is left by what is done so far.
 * @param now  milliseconds
 */
export function withTimeLeft(
  report: (progress: Progress) => void,
  now: () => number = Date.now,
): (progress: Progress) => void {
  const began = now();
  return (progress) => {
    const { message, fraction = 0 } = progress;
    const passed = (now() - began) / 1000;
    const isEarly = passed < EARLY_SECONDS || fraction < EARLY_PART || fraction >= 1;
    const left = isEarly ? '' : timeText((passed * (1 - fraction)) / fraction);
    report({ ...progress, message: left === '' ? message : vscode.l10n.t('{0}, {1} left', message, left) });
  };
}

function timeText(seconds: number): string {
  if (seconds < 60) return vscode.l10n.t('{0} s', Math.ceil(seconds));
  return seconds < 3600
    ? vscode.l10n.t('{0} min', Math.ceil(seconds / 60))
    : vscode.l10n.t('{0} h', (seconds / 3600).toFixed(1));
}
