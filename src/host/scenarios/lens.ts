import * as vscode from 'vscode';
import type { ScenarioChecks } from './checks';
import { SCENARIOS } from './files';

/** A plain space behind an icon is not shown. */
const PLAY = '$(play)\u00a0';

/** Run above the title of a scenario and above each of its variants. */
export class ScenarioLens implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changes.event;
  /** Of the last text of each document that could be read. */
  private readonly last = new WeakMap<vscode.TextDocument, vscode.CodeLens[]>();
  private readonly disposables: { dispose(): unknown }[];

  constructor(private readonly checks: ScenarioChecks) {
    this.disposables = [
      this.changes,
      checks.onDidCheck(() => {
        this.changes.fire();
      }),
      vscode.languages.registerCodeLensProvider(SCENARIOS, this),
    ];
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    const { outline } = await this.checks.of(document);
    // While a line is half typed, lenses that went and came would move the text up and down.
    if (!outline) return this.last.get(document) ?? [];
    const { uri } = document;
    const range = ({ start, end }: { readonly start: number; readonly end: number }): vscode.Range =>
      new vscode.Range(document.positionAt(start), document.positionAt(end));
    const whole = range(outline);
    const lens = (at: vscode.Range, title: string, command: string, given: object): vscode.CodeLens =>
      new vscode.CodeLens(at, { title, command, arguments: [{ uri, ...given }] });
    const { variants } = outline;
    const run = variants.length > 1 ? vscode.l10n.t('Run All Variants') : vscode.l10n.t('Run');
    const lenses = [
      lens(whole, `${PLAY}${run}`, 'iopte.runScenario', {}),
      ...(variants.length > 1
        ? [lens(whole, vscode.l10n.t('Run with Variant…'), 'iopte.runScenarioVariant', {})]
        : []),
      lens(whole, vscode.l10n.t('Sweep…'), 'iopte.runSweep', {}),
      ...variants.map((variant) =>
        lens(range(variant), `${PLAY}${vscode.l10n.t('Run')}`, 'iopte.runScenario', {
          variant: variant.name,
        }),
      ),
    ];
    this.last.set(document, lenses);
    return lenses;
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }
}
