import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX, RequestError } from '../../inspection/protocol';
import type { App, Command } from '../app';
import {
  defaultDescriptionUri,
  descriptionsOf,
  isDescription,
  readDescription,
  type Description,
} from '../description';
import type { InspectionSource } from '../inspections';
import { askForDescription, recogniseImage } from '../prompts/description';
import { baseName } from '../source';
import { openSource } from './openSource';

/**
 * Opens an image or a description: the one given (from the explorer, a drop, the list of recent ones), else asks for a
 * file. A description beside the image is used; without one the kind and the registers are asked for.
 */
export const openMemoryImage: Command = {
  id: 'iopte.openMemoryImage',
  async run(app, ...args) {
    const uris = givenUris(args);
    const chosen = uris.length > 0 ? uris : await askForFile();
    for (const uri of chosen) await openUri(app, uri);
  },
};

/** The same under the name that the explorer's menu and the editor's title show. */
export const openInInspector: Command = {
  id: 'iopte.openInInspector',
  run: (app, ...args) => openMemoryImage.run(app, ...(args.length > 0 ? args : editedFile())),
};

/** Asks for kind and registers anew, also where there is a description. */
export const describeImage: Command = {
  id: 'iopte.describeImage',
  async run(app, ...args) {
    const [given] = givenUris(args);
    const image = given ?? app.inspections.current?.imageUri ?? (await askForFile())[0];
    if (image) await describeAndOpen(app, image);
  },
};

export async function openUri(app: App, uri: vscode.Uri): Promise<void> {
  if (isDescription(uri)) {
    const description = await readDescription(uri);
    if (!description.ok) throw new RequestError(description.failure);
    await openSource(app, sourceOf(description.value));
    return;
  }
  const beside = await chooseDescription(uri);
  if (beside === 'none') await openUndescribed(app, uri);
  else if (beside) await openSource(app, beside);
}

/** Opens one after the other, since each may ask; one that fails is reported and does not hold up the others. */
export async function openInTurn(app: App, uris: readonly vscode.Uri[]): Promise<void> {
  for (const uri of uris) {
    try {
      await openUri(app, uri);
    } catch (error) {
      app.reporter.report(error);
    }
  }
}

async function chooseDescription(image: vscode.Uri): Promise<InspectionSource | 'none' | undefined> {
  const found = await descriptionsOf(image);
  const [only] = found;
  if (!only) return 'none';
  const items = found.map((each) => ({ label: baseName(each.uri), each }));
  const placeHolder = vscode.l10n.t('Descriptions of {0}', baseName(image));
  const chosen =
    items.length === 1 ? only : (await vscode.window.showQuickPick(items, { placeHolder }))?.each;
  if (!chosen) return undefined;
  return sourceOf(chosen);
}

const sourceOf = ({ uri, text, image }: Description): InspectionSource => ({
  title: baseName(uri).slice(0, -DESCRIPTION_SUFFIX.length),
  description: text,
  descriptionUri: uri,
  imageUri: image,
});

/** An image that says itself which IOMMUs there are needs no questions. */
async function openUndescribed(app: App, image: vscode.Uri): Promise<void> {
  const found = await recogniseImage(app, image);
  if (!found.describesItself) return describeAndOpen(app, image);
  await openSource(app, {
    title: baseName(image),
    description: '',
    descriptionUri: undefined,
    imageUri: image,
  });
}

async function describeAndOpen(app: App, image: vscode.Uri): Promise<void> {
  const answer = await askForDescription(app, image);
  if (!answer) return;
  if (answer.kind === 'find-roots') {
    await vscode.commands.executeCommand('iopte.findRoots', image, { description: answer.where });
    return;
  }
  const uri = defaultDescriptionUri(image);
  if (answer.write) await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(answer.text));
  const descriptionUri = answer.write ? uri : undefined;
  await openSource(app, {
    title: baseName(image),
    description: answer.text,
    descriptionUri,
    imageUri: image,
  });
}

export async function askForFile(): Promise<readonly vscode.Uri[]> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Open Memory Image'),
    openLabel: vscode.l10n.t('Open'),
    filters: {
      [vscode.l10n.t('Memory images and descriptions')]: [
        'elf',
        'core',
        'dump',
        'raw',
        'bin',
        'mem',
        'kdump',
        'flat',
        'txt',
        'gz',
        'json',
      ],
      [vscode.l10n.t('All files')]: ['*'],
    },
  });
  return chosen ?? [];
}

/** The explorer gives the file clicked and all files selected; a link or a program gives one, as URI or text. */
export function givenUris([first, second]: readonly unknown[]): readonly vscode.Uri[] {
  if (Array.isArray(second) && second.length > 0) return second.filter((each) => each instanceof vscode.Uri);
  if (first instanceof vscode.Uri) return [first];
  return typeof first === 'string' ? [vscode.Uri.parse(first, true)] : [];
}

function editedFile(): readonly vscode.Uri[] {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri ? [uri] : [];
}
