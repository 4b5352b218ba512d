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

/** What takes longer than this shows that it goes on. */
const SHOW_AFTER_MS = 300;

/** The same for what is mostly over at once: the notification comes only when it takes longer. */
export function withProgressIfLong<T>(title: string, task: (task: LongTask) => Promise<T>): Promise<T> {
  const source = new vscode.CancellationTokenSource();
  let last: Progress | undefined;
  let shown: LongTask | undefined;
  const running = task({
    signal: signalOf(source.token),
    report: (progress) => {
      last = progress;
      shown?.report(progress);
    },
  });
  const timer = setTimeout(() => {
    void withProgress(title, async (visible) => {
      shown = visible;
      visible.signal.addEventListener('abort', () => {
        source.cancel();
      });
      if (last) visible.report(last);
      await Promise.allSettled([running]);
    });
  }, SHOW_AFTER_MS);
  return running.finally(() => {
    clearTimeout(timer);
    source.dispose();
  });
}

/** The options that make a request part of a long task. */
export const requestOptions = (task: LongTask): RequestOptions => ({
  signal: task.signal,
  onProgress: (progress) => {
    task.report(progress);
  },
});
