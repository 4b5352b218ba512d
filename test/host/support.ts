/** What the suites share: the extension's exports, and ways through its trees. */
import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import type { Element } from '../../src/host/views/elements';
import { ok } from './assert';

export const EXTENSION = 'iopte.iopte-inspector';

export async function activated(): Promise<IopteApi> {
  const extension = vscode.extensions.getExtension<IopteApi>(EXTENSION);
  ok(extension, `VS Code does not know ${EXTENSION}`);
  return extension.activate();
}

/** What package.json contributes, as VS Code read it. */
export function manifest(): Readonly<Record<string, unknown>> {
  const extension = vscode.extensions.getExtension(EXTENSION);
  ok(extension, `VS Code does not know ${EXTENSION}`);
  return extension.packageJSON as Readonly<Record<string, unknown>>;
}

/** Runs a command; the result is the failure it showed, or undefined. */
export const run = (command: string, ...args: readonly unknown[]): Thenable<unknown> =>
  vscode.commands.executeCommand(command, ...args);

/** Runs a command that must not fail. */
export async function must(command: string, ...args: readonly unknown[]): Promise<void> {
  const failure = await run(command, ...args);
  ok(failure === undefined, `${command}: ${JSON.stringify(failure)}`);
}

/** The first folder: a copy of the samples that may be written to. */
export function folder(): vscode.Uri {
  const first = vscode.workspace.workspaceFolders?.[0];
  ok(first, 'no folder is open');
  return first.uri;
}

export const inFolder = (name: string): vscode.Uri => vscode.Uri.joinPath(folder(), name);

export const writeText = (name: string, text: string): Thenable<void> =>
  vscode.workspace.fs.writeFile(inFolder(name), new TextEncoder().encode(text));

export const readText = async (uri: vscode.Uri): Promise<string> =>
  new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));

/** Closes everything, so that a test begins with an empty tree. */
export async function closeAll(api: IopteApi): Promise<void> {
  for (const root of await children(api)) await must('iopte.closeInspection', root);
}

export async function children(api: IopteApi, element?: Element): Promise<readonly Element[]> {
  return (await api.domains.getChildren(element)) ?? [];
}

/** How an element reads in the tree: label and description. */
export async function text(api: IopteApi, element: Element): Promise<string> {
  const item = await api.domains.getTreeItem(element);
  return `${typeof item.label === 'string' ? item.label : ''} | ${String(item.description)}`;
}

export const texts = (api: IopteApi, elements: readonly Element[]): Promise<readonly string[]> =>
  Promise.all(elements.map((element) => text(api, element)));

/** Goes down the tree by what the labels begin with. */
export async function descend(api: IopteApi, ...labels: readonly string[]): Promise<Element> {
  const roots = await children(api);
  ok(roots.length === 1, `${String(roots.length)} images are open`);
  let [at] = roots;
  for (const label of labels) {
    ok(at, 'the tree is empty');
    const below = await children(api, at);
    const seen = await texts(api, below);
    at = below[seen.findIndex((each) => each.startsWith(label))];
    ok(at, `nothing begins with "${label}" among: ${seen.join('; ')}`);
  }
  ok(at, 'the tree is empty');
  return at;
}

/** Every element below one, in order, as text with its id: what "the same tree" means. */
export async function snapshot(api: IopteApi, element?: Element, depth = 8): Promise<readonly string[]> {
  if (depth === 0) return [];
  const lines: string[] = [];
  for (const child of await children(api, element)) {
    lines.push(`${child.id} ${await text(api, child)}`);
    const { collapsibleState } = await api.domains.getTreeItem(child);
    const opens = collapsibleState !== vscode.TreeItemCollapsibleState.None;
    if (opens) lines.push(...(await snapshot(api, child, depth - 1)));
  }
  return lines;
}
