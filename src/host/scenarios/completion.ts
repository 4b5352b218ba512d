import * as vscode from 'vscode';
import type { ScenarioCompletion } from '../../inspection/protocol';
import { signalOf } from '../cancel';
import type { EngineHost } from '../engineHost';
import { SCENARIOS } from './files';

/** After these something new may follow. */
const TRIGGERS = [' ', ':', '-', '$', '[', '{', ',', '"', '.'] as const;

/** What may stand at the cursor, and what stands under the mouse: both from the engine, which knows the language. */
export function registerScenarioHelp(engine: Pick<EngineHost, 'ask'>): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.languages.registerCompletionItemProvider(
      SCENARIOS,
      {
        provideCompletionItems: async (document, position, token) => {
          const offset = document.offsetAt(position);
          const { items, more } = await engine.ask(
            'completeScenario',
            { text: document.getText(), offset },
            { signal: signalOf(token) },
          );
          return new vscode.CompletionList(
            items.map((item, index) => toItem(document, item, index)),
            more,
          );
        },
      },
      ...TRIGGERS,
    ),
    vscode.languages.registerHoverProvider(SCENARIOS, {
      provideHover: async (document, position, token) => {
        const offset = document.offsetAt(position);
        const found = await engine.ask(
          'hoverScenario',
          { text: document.getText(), offset },
          { signal: signalOf(token) },
        );
        if (!found) return undefined;
        const range = new vscode.Range(document.positionAt(found.start), document.positionAt(found.end));
        return new vscode.Hover(new vscode.MarkdownString(found.markdown), range);
      },
    }),
  );
}

const KINDS: Readonly<Record<ScenarioCompletion['kind'], vscode.CompletionItemKind>> = {
  key: vscode.CompletionItemKind.Property,
  value: vscode.CompletionItemKind.Value,
  snippet: vscode.CompletionItemKind.Snippet,
};

function toItem(
  document: vscode.TextDocument,
  completion: ScenarioCompletion,
  index: number,
): vscode.CompletionItem {
  const item = new vscode.CompletionItem(completion.label, KINDS[completion.kind]);
  item.range = new vscode.Range(document.positionAt(completion.start), document.positionAt(completion.end));
  item.insertText =
    completion.kind === 'snippet' ? new vscode.SnippetString(completion.insert) : completion.insert;
  // What is typed is compared with it; the text that it replaces may begin with what belongs to no label.
  item.filterText = completion.label;
  item.sortText = String(index).padStart(4, '0');
  if (completion.detail !== undefined) item.detail = completion.detail;
  if (completion.documentation !== undefined)
    item.documentation = new vscode.MarkdownString(completion.documentation);
  // A key is written to be followed by its value.
  if (completion.kind === 'key' && completion.insert.endsWith(' '))
    item.command = { command: 'editor.action.triggerSuggest', title: '' };
  return item;
}
