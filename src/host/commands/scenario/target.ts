import * as vscode from 'vscode';
import type { App } from '../../app';
import { findScenarios, nameOf, SCENARIO_LANGUAGE, isScenario, stemOf } from '../../scenarios/files';
import { shippedScenarios } from '../../scenarios/samples';
import { givenUris } from '../openMemoryImage';
import { givenText, givenValues } from '../targets';

/** What a command was given: a file (from a menu), or `{uri, variant, set}` (from a link, a lens, a program). */
export interface GivenScenario {
  readonly uri: vscode.Uri | undefined;
  readonly variant: string | undefined;
}

export function givenScenario(args: readonly unknown[]): GivenScenario {
  const [uri] = givenUris(args);
  const given = givenValues(uri ? undefined : args[0]);
  const named = given['uri'];
  return {
    uri: uri ?? (named instanceof vscode.Uri ? named : undefined) ?? parsed(givenText(given, 'uri')),
    variant: givenText(given, 'variant'),
  };
}

const parsed = (uri: string | undefined): vscode.Uri | undefined =>
  uri === undefined ? undefined : vscode.Uri.parse(uri, true);

interface ScenarioItem extends vscode.QuickPickItem {
  readonly uri?: vscode.Uri;
}

/** The scenario that is meant: the one given, or one to choose from the editor, the workspace, and those that ship. */
export async function targetScenario(
  app: App,
  given: GivenScenario,
  title = vscode.l10n.t('Run Scenario'),
): Promise<vscode.Uri | undefined> {
  if (given.uri) return given.uri;
  const placeHolder = vscode.l10n.t('A scenario of the workspace, or one that comes with the extension');
  const options = { title, placeHolder, matchOnDescription: true };
  const chosen = await vscode.window.showQuickPick(itemsOf(app), { ...options, matchOnDetail: true });
  return chosen?.uri;
}

async function itemsOf(app: App): Promise<ScenarioItem[]> {
  const active = activeScenario();
  const found = await findScenarios();
  const others = found.filter((uri) => uri.toString() !== active?.toString());
  const shipped = shippedScenarios().map(({ path, title }): ScenarioItem => {
    const uri = vscode.Uri.joinPath(app.context.extensionUri, 'samples', path);
    return {
      label: stemOf(uri),
      description: path.includes('/') ? folderName(path) : '',
      detail: title,
      uri,
    };
  });
  const { Separator } = vscode.QuickPickItemKind;
  const section = (label: string, items: readonly ScenarioItem[]): readonly ScenarioItem[] =>
    items.length === 0 ? [] : [{ label, kind: Separator }, ...items];
  return [
    ...section(vscode.l10n.t('open'), active ? [ofWorkspace(active)] : []),
    ...section(vscode.l10n.t('workspace'), others.map(ofWorkspace)),
    ...section(vscode.l10n.t('samples'), shipped),
  ];
}

const folderName = (path: string): string => path.slice(0, path.lastIndexOf('/'));

const ofWorkspace = (uri: vscode.Uri): ScenarioItem => {
  const path = nameOf(uri);
  return { label: stemOf(uri), description: path.includes('/') ? folderName(path) : '', uri };
};

/** The scenario that the editor in front shows. */
export function activeScenario(): vscode.Uri | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document && (document.languageId === SCENARIO_LANGUAGE || isScenario(document.uri))
    ? document.uri
    : undefined;
}
