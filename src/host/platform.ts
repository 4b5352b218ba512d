import type * as vscode from 'vscode';
import type { EngineClient } from '../inspection/protocol';

/** A file that is written piece by piece. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** All is written: the file is there under its name. */
  close(): Promise<void>;
  /** It is not wanted: nothing of it stays. */
  discard(): Promise<void>;
}

/** What differs between the Node host and the web worker host. Each entry point hands in its own. */
export interface Platform {
  readonly kind: 'node' | 'web';
  /** Starts an engine; called on first use, and again after an engine was lost. */
  startEngine(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<EngineClient>;
  /** Begins a file on this machine; absent where files are only written whole. */
  createFile?(path: string): Promise<FileWriter>;
  /** Puts the command line on the PATH of integrated terminals, where there are any. */
  prepareTerminals?(context: vscode.ExtensionContext): void;
}
