import type * as vscode from 'vscode';
import type { EngineClient } from '../inspection/protocol';

/** What differs between the Node host and the web worker host. Each entry point hands in its own. */
export interface Platform {
  readonly kind: 'node' | 'web';
  /** Starts an engine; called on first use, and again after an engine was lost. */
  startEngine(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<EngineClient>;
  /** Puts the command line on the PATH of integrated terminals, where there are any. */
  prepareTerminals?(context: vscode.ExtensionContext): void;
}
