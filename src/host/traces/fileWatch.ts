import * as vscode from 'vscode';
import { folderOf } from '../source';

/** A file that is being written is looked at when it rests this long. */
const REST_MS = 500;

/** Tells once when a file is no longer as it was when it was read. */
export class FileWatch implements vscode.Disposable {
  readonly #watcher: vscode.FileSystemWatcher;
  #read: Promise<string> | undefined;
  #isTold = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly uri: vscode.Uri,
    private readonly changed: () => void,
  ) {
    // The folder: a name may have characters that patterns give a meaning.
    this.#watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(folderOf(uri), '*'));
    const look = (each: vscode.Uri): void => {
      if (each.toString() === uri.toString()) this.#soon();
    };
    this.#watcher.onDidChange(look);
    this.#watcher.onDidCreate(look);
    this.#watcher.onDidDelete(look);
  }

  /** It is read now: from here on it is to stay as it is. */
  begin(): void {
    this.#isTold = false;
    this.#read = this.#state();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#watcher.dispose();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), REST_MS);
  }

  async #look(): Promise<void> {
    const read = this.#read;
    if (!read || this.#isTold) return;
    const [before, now] = await Promise.all([read, this.#state()]);
    // Read anew meanwhile.
    if (before === now || read !== this.#read) return;
    this.#isTold = true;
    this.changed();
  }

  async #state(): Promise<string> {
    try {
      const { mtime, size } = await vscode.workspace.fs.stat(this.uri);
      return `${mtime} ${size}`;
    } catch {
      return 'gone';
    }
  }
}
