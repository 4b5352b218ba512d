import * as vscode from 'vscode';
import type { CancelSignal, Progress, RequestOptions } from '../inspection/protocol';
import { signalOf } from './cancel';

/** Progress is shown at most this often, however often the engine reports. */
const SHOW_EVERY_MS = 100;

export interface LongTask {
  readonly signal: CancelSignal;
  report(progress: Progress): void;
}

/** Runs a task under a notification with a cancel button; the engine's fraction drives the bar. */
export function withProgress<T>(title: string, task: (task: LongTask) => Promise<T>): Thenable<T> {
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress({ location, title, cancellable: true }, (progress, token) => {
    let percent = 0;
    let shownAt = 0;
    return task({
      signal: signalOf(token),
      report: ({ message, fraction }) => {
        const now = Date.now();
        if (now - shownAt < SHOW_EVERY_MS) return;
        shownAt = now;
        const reached = Math.max(percent, Math.round(100 * (fraction ?? 0)));
        progress.report({ message, increment: reached - percent });
        percent = reached;
      },
    });
  });
}

/** The options that make a request part of a long task. */
export const requestOptions = (task: LongTask): RequestOptions => ({
  signal: task.signal,
  onProgress: (progress) => {
    task.report(progress);
  },
});
