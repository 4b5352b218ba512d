import * as vscode from 'vscode';
import type { ExpectationFailure } from '../../inspection/protocol';
import { positionsOf } from './files';

/** What was looked at, without the place that the range shows. */
export const whatFailed = ({ what }: ExpectationFailure): string => what.replace(/^expect\./, '');

/** What was expected, and what there was instead. */
export const failureText = (failure: ExpectationFailure): string =>
  vscode.l10n.t('expected {0}: {1}, but {2}', whatFailed(failure), failure.expected, failure.actual);

export const failureRange = (text: string, { start, end }: ExpectationFailure): vscode.Range => {
  const at = positionsOf(text);
  return new vscode.Range(at(start), at(end));
};

/** Expectations that failed, where they stand, until the text is another or is run again. */
export class ScenarioFailures implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('iopte-run');
  /** By file: the diagnostics of each variant. */
  private readonly kept = new Map<string, Map<string | null, readonly vscode.Diagnostic[]>>();
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
      }),
    ];
  }

  /** Shows what failed in the text that was run, in the place of what this variant left before. */
  show(uri: vscode.Uri, text: string, variant: string | null, failures: readonly ExpectationFailure[]): void {
    const variants = this.kept.get(uri.toString()) ?? new Map<string | null, readonly vscode.Diagnostic[]>();
    variants.set(
      variant,
      failures.map((failure) => toDiagnostic(text, variant, failure)),
    );
    this.kept.set(uri.toString(), variants);
    this.collection.set(uri, [...variants.values()].flat());
  }

  clear(uri: vscode.Uri): void {
    if (this.kept.delete(uri.toString())) this.collection.delete(uri);
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }
}

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
