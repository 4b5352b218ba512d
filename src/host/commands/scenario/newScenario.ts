import * as vscode from 'vscode';
import { RequestError, SCENARIO_SUFFIX } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { SCENARIO_LANGUAGE } from '../../scenarios/files';
import { givenText, givenValues } from '../targets';
import { whyNot } from '../../source';

/** Begins a scenario from a template, in an editor that is not saved yet. Takes `{template}`, or asks; with `{uri}` it is saved there. */
export const newScenario: Command = {
  id: 'iopte.newScenario',
  async run(app, arg) {
    const given = givenValues(arg);
    const text = await templateText(app, givenText(given, 'template'));
    if (text === undefined) return;
    const uri = given['uri'];
    await showScenario(text, uri instanceof vscode.Uri ? uri : undefined);
  },
};

async function templateText(app: App, id: string | undefined): Promise<string | undefined> {
  const templates = await app.engine.ask('scenarioTemplates', {});
  if (id !== undefined) {
    const found = templates.find((each) => each.id === id);
    if (found) return found.text;
    throw new RequestError({
      code: 'scenario/template',
      message: vscode.l10n.t('There is no template {0}.', id),
      hint: vscode.l10n.t('The templates are: {0}.', templates.map((each) => each.id).join(', ')),
    });
  }
  const items = templates.map(({ title, about, text }) => ({ label: title, detail: about, text }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('New Scenario'),
    placeHolder: vscode.l10n.t('What it begins with'),
    matchOnDetail: true,
  });
  return chosen?.text;
}

/** Shows a new scenario: as a file where one is named, else as a document that is saved when its writer wants to. */
export async function showScenario(text: string, uri: vscode.Uri | undefined): Promise<void> {
  if (!uri) {
    const document = await vscode.workspace.openTextDocument({ language: SCENARIO_LANGUAGE, content: text });
    await vscode.window.showTextDocument(document);
    return;
  }
  await writeFile(uri, new TextEncoder().encode(text));
  await vscode.window.showTextDocument(uri);
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
