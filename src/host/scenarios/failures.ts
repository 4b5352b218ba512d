import * as vscode from 'vscode';
import type { ExpectationFailure } from '../../inspection/protocol';
import { baseName, folderOf } from '../source';
import { positionsOf, readScenario, stemOf } from './files';

/** What was looked at, without the place that the range shows. */
export const whatFailed = ({ what }: ExpectationFailure): string => what.replace(/^expect\./, '');

/** What was expected, and what there was instead. */
export const failureText = (failure: ExpectationFailure): string =>
  vscode.l10n.t('expected {0}: {1}, but {2}', whatFailed(failure), failure.expected, failure.actual);

export const failureRange = (text: string, { start, end }: ExpectationFailure): vscode.Range => {
  const at = positionsOf(text);
  return new vscode.Range(at(start), at(end));
};

/** Opens a scenario with this range selected. */
export async function showRange(uri: vscode.Uri, selection: vscode.Range): Promise<void> {
  await vscode.window.showTextDocument(uri, { selection });
}

/**
 * Opens a scenario where an expectation failed. In a text that is another than the one that was run, the place would be a wrong one:
 * then it says where it was.
 * @param ran  the text that was run; undefined: nobody knows it any more
 */
export async function showFailure(
  uri: vscode.Uri,
  ran: string | undefined,
  failure: ExpectationFailure,
): Promise<void> {
  const now = await readScenario(uri);
  const range = failureRange(now, failure);
  const isThere = ran === undefined ? range.start.line + 1 === failure.line : ran === now;
  if (isThere) return showRange(uri, range);
  await vscode.window.showTextDocument(uri);
  void vscode.window.showInformationMessage(
    vscode.l10n.t('{0} has changed since it ran. What failed was in line {1}.', stemOf(uri), failure.line),
  );
}

/** What is shown in one file. */
interface Kept {
  /** That was run. */
  readonly text: string;
  readonly variants: Map<string | null, readonly vscode.Diagnostic[]>;
  readonly watcher: vscode.Disposable | undefined;
}

/** Expectations that failed, where they stand, until the text is another or is run again. */
export class ScenarioFailures implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('iopte-run');
  private readonly kept = new Map<string, Kept>();
  private readonly disposables: { dispose(): unknown }[];

  constructor() {
    const { workspace } = vscode;
    const gone = (uri: vscode.Uri): void => {
      this.clear(uri);
    };
    this.disposables = [
      this.collection,
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) gone(document.uri);
      }),
      workspace.onDidDeleteFiles(({ files }) => {
        files.forEach(gone);
      }),
      workspace.onDidRenameFiles(({ files }) => {
        for (const { oldUri } of files) gone(oldUri);
      }),
      workspace.onDidCloseTextDocument(({ uri }) => {
        // A file's stay in the list of problems; what was never saved is gone.
        if (uri.scheme === 'untitled') gone(uri);
        else void this.review(uri);
      }),
    ];
  }

  /**
   * Shows what failed in the text that was run, in the place of what this variant left before. Of a text that is another by now
   * nothing is shown.
   */
  async show(
    uri: vscode.Uri,
    text: string,
    variant: string | null,
    failures: readonly ExpectationFailure[],
  ): Promise<void> {
    const now = await currentText(uri);
    const before = this.kept.get(uri.toString());
    if (before && before.text !== now) this.clear(uri);
    if (now !== text) return;
    const kept = this.kept.get(uri.toString()) ?? { text, variants: new Map(), watcher: this.watch(uri) };
    kept.variants.set(
      variant,
      failures.map((failure) => toDiagnostic(text, variant, failure)),
    );
    this.kept.set(uri.toString(), kept);
    this.collection.set(uri, [...kept.variants.values()].flat());
  }

  clear(uri: vscode.Uri): void {
    const kept = this.kept.get(uri.toString());
    if (!kept) return;
    kept.watcher?.dispose();
    this.kept.delete(uri.toString());
    this.collection.delete(uri);
  }

  dispose(): void {
    for (const { watcher } of this.kept.values()) watcher?.dispose();
    for (const each of this.disposables) each.dispose();
  }

  /** Other programs change and delete files, too. */
  private watch(uri: vscode.Uri): vscode.Disposable | undefined {
    if (uri.scheme === 'untitled') return undefined;
    const pattern = new vscode.RelativePattern(folderOf(uri), literalGlob(baseName(uri)));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern, true);
    const changed = (): void => void this.review(uri);
    return vscode.Disposable.from(watcher, watcher.onDidChange(changed), watcher.onDidDelete(changed));
  }

  /** Clears what is shown in a text that is another by now, or gone. A text that was run and then saved is the same. */
  private async review(uri: vscode.Uri): Promise<void> {
    const kept = this.kept.get(uri.toString());
    if (kept && (await currentText(uri)) !== kept.text) this.clear(uri);
  }
}

/** Undefined: it cannot be read. */
const currentText = (uri: vscode.Uri): Promise<string | undefined> =>
  readScenario(uri).catch(() => undefined);

/** A name as a pattern for that name alone. */
const literalGlob = (name: string): string => name.replace(/[*?[\]{}]/g, '?');

function toDiagnostic(text: string, variant: string | null, failure: ExpectationFailure): vscode.Diagnostic {
  const said = failureText(failure);
  const diagnostic = new vscode.Diagnostic(
    failureRange(text, failure),
    variant === null ? said : `${variant}: ${said}`,
    vscode.DiagnosticSeverity.Error,
  );
  diagnostic.source = 'iopte';
  diagnostic.code = 'expectation';
  return diagnostic;
}
