import * as vscode from 'vscode';
import { RequestError, SCENARIO_SUFFIX, type ResultOf } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { SCENARIO_LANGUAGE } from '../../scenarios/files';
import { givenText, givenValues } from '../targets';
import { whyNot } from '../../source';

/** Numbers that are tried for a name that is free. */
const MOST_NAMES = 100;

/** Begins a scenario from a template, in an editor that is not saved yet. Takes `{template}`, or asks; with `{uri}` it is saved there. */
export const newScenario: Command = {
  id: 'iopte.newScenario',
  async run(app, arg) {
    const given = givenValues(arg);
    const template = await chosenTemplate(app, givenText(given, 'template'));
    if (!template) return;
    const uri = given['uri'];
    await showScenario(template.text, uri instanceof vscode.Uri ? uri : undefined, template.id);
  },
};

type Template = ResultOf<'scenarioTemplates'>[number];

async function chosenTemplate(app: App, id: string | undefined): Promise<Template | undefined> {
  const templates = await app.engine.ask('scenarioTemplates', {});
  if (id !== undefined) {
    const found = templates.find((each) => each.id === id);
    if (found) return found;
    throw new RequestError({
      code: 'scenario/template',
      message: vscode.l10n.t('There is no template {0}.', id),
      hint: vscode.l10n.t('The templates are: {0}.', templates.map((each) => each.id).join(', ')),
    });
  }
  const items = templates.map((template) => ({ label: template.title, detail: template.about, template }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('New Scenario'),
    placeHolder: vscode.l10n.t('What it begins with'),
    matchOnDetail: true,
  });
  return chosen?.template;
}

/**
 * Shows a new scenario: as a file where one is named, else as a document that is not saved yet. Where there is a folder, saving
 * puts it there under a name of its own.
 */
export async function showScenario(text: string, uri: vscode.Uri | undefined, name: string): Promise<void> {
  if (uri) {
    await writeFile(uri, new TextEncoder().encode(text));
    await vscode.window.showTextDocument(uri);
    return;
  }
  const place = await freePlace(name);
  if (!place) {
    const document = await vscode.workspace.openTextDocument({ language: SCENARIO_LANGUAGE, content: text });
    await vscode.window.showTextDocument(document);
    return;
  }
  const document = await vscode.workspace.openTextDocument(place);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(place, new vscode.Position(0, 0), text);
  await vscode.workspace.applyEdit(edit);
  const editor = await vscode.window.showTextDocument(document);
  editor.selection = new vscode.Selection(0, 0, 0, 0);
}

/** A name in the first folder that nothing has; none where documents that are not saved cannot be meant for the folder. */
async function freePlace(name: string): Promise<vscode.Uri | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (!folder || !['file', 'vscode-remote'].includes(folder.scheme)) return undefined;
  const open = new Set(vscode.workspace.textDocuments.map(({ uri }) => uri.path));
  for (let number = 1; number < MOST_NAMES; number++) {
    const file = vscode.Uri.joinPath(
      folder,
      `${number === 1 ? name : `${name}-${number}`}${SCENARIO_SUFFIX}`,
    );
    const isThere = await vscode.workspace.fs.stat(file).then(
      () => true,
      () => false,
    );
    if (!isThere && !open.has(file.path)) return file.with({ scheme: 'untitled' });
  }
  return undefined;
}

export async function writeFile(uri: vscode.Uri, bytes: Uint8Array): Promise<void> {
  try {
    await vscode.workspace.fs.writeFile(uri, bytes);
  } catch (error) {
    throw new RequestError({
      code: 'host/not-written',
      message: vscode.l10n.t('{0} cannot be written: {1}.', uri.toString(true), whyNot(error)),
      hint: vscode.l10n.t('Choose another folder.'),
    });
  }
}

/** Asks where a scenario is saved; the first folder is offered. */
export function askScenarioFile(title: string, name: string): Thenable<vscode.Uri | undefined> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  return vscode.window.showSaveDialog({
    title,
    filters: { [vscode.l10n.t('Scenarios')]: [SCENARIO_SUFFIX.slice(1), 'yaml'] },
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder.uri, `${name}${SCENARIO_SUFFIX}`) }),
  });
}
