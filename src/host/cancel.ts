import * as vscode from 'vscode';
import type { CancelSignal } from '../inspection/protocol';

/** A VS Code cancellation token as the signal that the engine's client understands. */
export function signalOf(token: vscode.CancellationToken): CancelSignal {
  const listening = new Map<() => void, vscode.Disposable>();
  return {
    get aborted() {
      return token.isCancellationRequested;
    },
    addEventListener: (_type, listener) => {
      listening.set(listener, token.onCancellationRequested(listener));
    },
    removeEventListener: (_type, listener) => {
      listening.get(listener)?.dispose();
      listening.delete(listener);
    },
  };
}

/** Of several requests for the same thing only the newest counts: starting one cancels the one before. */
export class LatestOnly implements vscode.Disposable {
  private source: vscode.CancellationTokenSource | undefined;

  next(): CancelSignal {
    this.dispose();
    this.source = new vscode.CancellationTokenSource();
    return signalOf(this.source.token);
  }

  dispose(): void {
    this.source?.cancel();
    this.source?.dispose();
    this.source = undefined;
  }
}
