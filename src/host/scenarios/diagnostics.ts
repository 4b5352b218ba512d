import * as vscode from 'vscode';
import type { ScenarioProblem } from '../../inspection/protocol';
import { sentence } from '../errors';
import type { Checked, ScenarioChecks } from './checks';
import { SCENARIO_LANGUAGE } from './files';

/** A text is checked this long after the last keystroke. */
const CHECK_AFTER_MS = 200;

/** Problems of the scenarios that are open, while they are written. */
export class ScenarioDiagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('iopte-scenario');
  private readonly timers = new Map<string, unknown>();
  private readonly disposables: { dispose(): unknown }[];

  constructor(
    private readonly checks: ScenarioChecks,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const { workspace } = vscode;
    this.disposables = [
      this.collection,
      checks.onDidCheck(({ document, checked }) => {
        this.show(document, checked);
      }),
      workspace.onDidOpenTextDocument((document) => {
        this.checkSoon(document, 0);
      }),
      workspace.onDidChangeTextDocument(({ document }) => {
        this.checkSoon(document, CHECK_AFTER_MS);
      }),
      workspace.onDidCloseTextDocument(({ uri }) => {
        this.forget(uri);
      }),
    ];
    for (const document of workspace.textDocuments) this.checkSoon(document, 0);
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const each of this.disposables) each.dispose();
  }

  private checkSoon(document: vscode.TextDocument, milliseconds: number): void {
    if (document.languageId !== SCENARIO_LANGUAGE) return;
    const key = document.uri.toString();
    clearTimeout(this.timers.get(key));
    const check = (): void => {
      this.timers.delete(key);
      this.checks.of(document).catch((error: unknown) => {
        this.log.error(`${key} could not be checked: ${String(error)}`);
      });
    };
    this.timers.set(key, setTimeout(check, milliseconds));
  }

  private show(document: vscode.TextDocument, { problems }: Checked): void {
    if (document.languageId !== SCENARIO_LANGUAGE) return;
    this.collection.set(
      document.uri,
      problems.map((problem) => toDiagnostic(document, problem)),
    );
  }

  private forget(uri: vscode.Uri): void {
    clearTimeout(this.timers.get(uri.toString()));
    this.timers.delete(uri.toString());
    this.collection.delete(uri);
  }
}

function toDiagnostic(document: vscode.TextDocument, problem: ScenarioProblem): vscode.Diagnostic {
  const { Error: Wrong, Warning } = vscode.DiagnosticSeverity;
  const diagnostic = new vscode.Diagnostic(
    new vscode.Range(document.positionAt(problem.start), document.positionAt(problem.end)),
    problemText(problem),
    problem.severity === 'error' ? Wrong : Warning,
  );
  diagnostic.source = 'iopte';
  diagnostic.code = 'scenario';
  return diagnostic;
}

/** What is wrong, and what to do about it as a second sentence. */
export const problemText = ({ message, hint }: Pick<ScenarioProblem, 'message' | 'hint'>): string =>
  sentence({
    code: 'scenario',
    message: hint === undefined || /[.!?]$/.test(message) ? message : `${message}.`,
    ...(hint !== undefined && { hint: capital(hint) }),
  });

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
