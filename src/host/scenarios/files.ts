import * as vscode from 'vscode';
import { RequestError, SCENARIO_SUFFIX, type ScenarioOutline } from '../../inspection/protocol';
import { baseName, folderOf, readText, whyNot } from '../source';

export const SCENARIO_LANGUAGE = 'iopte-scenario';
export const SCENARIOS: vscode.DocumentSelector = { language: SCENARIO_LANGUAGE };

/** At most so many scenarios of a workspace are looked for. */
export const MOST_SCENARIOS = 1000;
/** A trace that a scenario names is read whole. */
const MOST_FILE_BYTES = 256 * 2 ** 20;
/** All that one scenario names, together. */
const MOST_ALL_BYTES = 512 * 2 ** 20;

export const isScenario = (uri: vscode.Uri): boolean => uri.path.toLowerCase().endsWith(SCENARIO_SUFFIX);

/** `split` of `split.iopte.yaml`. */
export const stemOf = (uri: vscode.Uri): string =>
  isScenario(uri) ? baseName(uri).slice(0, -SCENARIO_SUFFIX.length) : baseName(uri);

/** The scenarios of the workspace, by their paths. */
export async function findScenarios(token?: vscode.CancellationToken): Promise<readonly vscode.Uri[]> {
  const pattern = `**/*${SCENARIO_SUFFIX}`;
  const found = await vscode.workspace.findFiles(pattern, '**/node_modules/**', MOST_SCENARIOS, token);
  return found.sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** The text of a scenario: as the editor has it, where it is open, else as its file has it. */
export async function readScenario(uri: vscode.Uri): Promise<string> {
  const open = openDocument(uri);
  if (open) return open.getText();
  const text = await readText(uri);
  if (!text.ok) throw new RequestError(text.failure);
  return text.value;
}

export const openDocument = (uri: vscode.Uri): vscode.TextDocument | undefined =>
  vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri.toString() && !each.isClosed);

/** Bytes of the files that a scenario names, which are relative to it. */
export async function readFilesOf(
  uri: vscode.Uri,
  { files }: Pick<ScenarioOutline, 'files'>,
): Promise<Readonly<Record<string, Uint8Array>>> {
  const folder = uri.scheme === 'untitled' ? vscode.workspace.workspaceFolders?.[0]?.uri : folderOf(uri);
  const read: Record<string, Uint8Array> = {};
  let all = 0;
  for (const name of files) {
    if (/^[\\/]|^[A-Za-z]:/.test(name)) throw notRead(name, vscode.l10n.t('its path is absolute'));
    if (!folder) throw notRead(name, vscode.l10n.t('the scenario is not saved, and no folder is open'));
    const file = vscode.Uri.joinPath(folder, name.replaceAll('\\', '/'));
    try {
      const { size } = await vscode.workspace.fs.stat(file);
      if (size > MOST_FILE_BYTES) throw notRead(name, vscode.l10n.t('it has more than 256 MiB'));
      all += size;
      if (all > MOST_ALL_BYTES)
        throw notRead(name, vscode.l10n.t('all that the scenario names has more than 512 MiB'));
      // A copy: a Node Buffer does not survive a message.
      read[name] = new Uint8Array(await vscode.workspace.fs.readFile(file));
    } catch (error) {
      throw error instanceof RequestError ? error : notRead(name, whyNot(error));
    }
  }
  return read;
}

const notRead = (name: string, why: string): RequestError =>
  new RequestError({
    code: 'scenario/file',
    message: vscode.l10n.t('The file {0} that the scenario names cannot be read: {1}.', name, why),
    hint: vscode.l10n.t('Files are named relative to the scenario.'),
  });

/** Offsets of a text as positions: what a document does, for texts that no editor has open. */
export function positionsOf(text: string): (offset: number) => vscode.Position {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return new vscode.Position(low, Math.max(0, Math.min(offset, text.length) - (starts[low] ?? 0)));
  };
}

/** How messages and tasks name a scenario: relative to the workspace. */
export const nameOf = (uri: vscode.Uri): string => vscode.workspace.asRelativePath(uri);
