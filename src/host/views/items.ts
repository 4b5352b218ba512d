import * as vscode from 'vscode';
import type { Wording } from './wording';

/** A tree item of a wording. Its tooltip is made only when the pointer rests on it: see `tooltipOf`. */
export function treeItem(id: string, wording: Wording, contextValue: string, open = false): vscode.TreeItem {
  const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(wording.label, wording.opens ? (open ? Expanded : Collapsed) : None);
  item.id = id;
  item.description = wording.description;
  item.contextValue = contextValue;
  item.iconPath = new vscode.ThemeIcon(
    wording.icon,
    wording.colour === undefined ? undefined : new vscode.ThemeColor(wording.colour),
  );
  item.accessibilityInformation = { label: wording.spoken };
  return item;
}

/** The lines of a tooltip as a table-like list. Values are literal: nothing of an image is read as Markdown. */
export function tooltipOf(lines: Wording['tooltip']): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  for (const [key, value] of lines) {
    text.appendMarkdown('**').appendText(key).appendMarkdown('** ').appendText(value).appendMarkdown('  \n');
  }
  return text;
}
