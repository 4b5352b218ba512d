import * as vscode from 'vscode';
import type { TextProblem } from '../../inspection/protocol';
import type { App } from '../app';
import { imageReference, imageUri, isDescription } from '../description';
import { sentence } from '../errors';
import { sizeOf } from '../source';

/** A description is checked this long after the last keystroke. */
const CHECK_AFTER_MS = 300;

/** Problems of open image descriptions: what the engine says of the text, and an image that is not there. */
export class DescriptionDiagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('iopte');
  private readonly timers = new Map<string, unknown>();
  private readonly disposables: { dispose(): unknown }[];

  constructor(private readonly app: Pick<App, 'engine' | 'log'>) {
    const { workspace } = vscode;
    this.disposables = [
      this.collection,
      workspace.onDidOpenTextDocument((document) => {
        this.checkSoon(document, 0);
      }),
      workspace.onDidChangeTextDocument(({ document }) => {
        this.checkSoon(document, CHECK_AFTER_MS);
      }),
      workspace.onDidSaveTextDocument((document) => {
        this.checkSoon(document, 0);
      }),
      workspace.onDidCloseTextDocument((document) => {
        this.forget(document.uri);
      }),
    ];
    for (const document of workspace.textDocuments) this.checkSoon(document, 0);
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const each of this.disposables) each.dispose();
  }

  private checkSoon(document: vscode.TextDocument, milliseconds: number): void {
    if (!isDescription(document.uri)) return;
    const key = document.uri.toString();
    clearTimeout(this.timers.get(key));
    const check = (): void => {
      this.timers.delete(key);
      this.check(document).catch((error: unknown) => {
        this.app.log.error(`${key} could not be checked: ${String(error)}`);
      });
    };
    this.timers.set(key, setTimeout(check, milliseconds));
  }

  private async check(document: vscode.TextDocument): Promise<void> {
    const { version } = document;
    const text = document.getText();
    const [problems, missing] = await Promise.all([
      this.app.engine.ask('checkDescription', { text }),
      missingImage(document.uri, text),
    ]);
    if (document.isClosed || document.version !== version) return;
    const all = missing ? [...problems, missing] : problems;
    this.collection.set(
      document.uri,
      all.map((problem) => toDiagnostic(document, problem)),
    );
  }

  private forget(uri: vscode.Uri): void {
    clearTimeout(this.timers.get(uri.toString()));
    this.timers.delete(uri.toString());
    this.collection.delete(uri);
  }
}

async function missingImage(uri: vscode.Uri, text: string): Promise<TextProblem | undefined> {
  const reference = imageReference(text);
  if (!reference || uri.scheme === 'untitled') return undefined;
  const size = await sizeOf(imageUri(uri, reference));
  return size.ok
    ? undefined
    : { ...size.failure, severity: 'error', start: reference.start, end: reference.end };
}

function toDiagnostic(document: vscode.TextDocument, problem: TextProblem): vscode.Diagnostic {
  const range = new vscode.Range(document.positionAt(problem.start), document.positionAt(problem.end));
  const { Error: Wrong, Warning } = vscode.DiagnosticSeverity;
  const diagnostic = new vscode.Diagnostic(
    range,
    sentence(problem),
    problem.severity === 'error' ? Wrong : Warning,
  );
  diagnostic.source = 'IOPTE';
  diagnostic.code = problem.code;
  return diagnostic;
}
