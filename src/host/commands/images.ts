import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX, RequestError } from '../../inspection/protocol';
import type { Command } from '../app';
import { imageReference, readDescription } from '../description';
import type { Inspection } from '../inspections';
import { baseName, sizeOf } from '../source';
import { openUri } from './openMemoryImage';
import { targetInspection } from './targets';

export const closeInspection: Command = {
  id: 'iopte.closeInspection',
  run: (app, arg) => app.inspections.close(targetInspection(app, arg)),
};

/** Reads image and description again; builds a machine again. */
export const refreshInspection: Command = {
  id: 'iopte.refreshInspection',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const { descriptionUri, description, imageUri } = inspection;
    const read = descriptionUri ? await readDescription(descriptionUri) : undefined;
    if (read && !read.ok) throw new RequestError(read.failure);
    const source = read
      ? { description: read.value.text, imageUri: read.value.image }
      : { description, imageUri };
    await app.inspections.refresh(inspection, source);
  },
};

export const openRecent: Command = {
  id: 'iopte.openRecent',
  async run(app) {
    const recent = app.memory.recent.map((each) => vscode.Uri.parse(each));
    if (recent.length === 0) {
      const open = vscode.l10n.t('Open Memory Image');
      const message = vscode.l10n.t('No image was opened yet.');
      const chosen = await vscode.window.showInformationMessage(message, open);
      if (chosen === open) await vscode.commands.executeCommand('iopte.openMemoryImage');
      return;
    }
    const items = recent.map((uri) => ({ label: baseName(uri), description: uri.toString(true), uri }));
    const placeHolder = vscode.l10n.t('Recent memory images');
    const chosen = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true });
    if (!chosen) return;
    const there = await sizeOf(chosen.uri);
    if (!there.ok) {
      await app.memory.forgetRecent(chosen.uri.toString());
      const hint = vscode.l10n.t('It was taken off the list of recent images.');
      throw new RequestError({ ...there.failure, hint });
    }
    await openUri(app, chosen.uri);
  },
};

/** What is asked of a machine that only images have. */
export const noFile = ({ title, replay }: Inspection): RequestError =>
  new RequestError({
    code: 'host/no-file',
    message: replay
      ? vscode.l10n.t('{0} was built from a trace, and has no file.', title)
      : vscode.l10n.t('{0} is an emulated machine, and has no file.', title),
    hint: vscode.l10n.t('"IOPTE: Save as Image" writes one, with its description.'),
  });

/** Shows the description of an image in an editor, at its first problem, else at what names the image. */
export const openDescription: Command = {
  id: 'iopte.openDescription',
  async run(app, arg) {
    const inspection = arg instanceof vscode.Uri ? undefined : targetInspection(app, arg);
    const uri = arg instanceof vscode.Uri ? arg : inspection?.descriptionUri;
    if (inspection?.machine ?? inspection?.replay) throw noFile(inspection);
    if (!uri) {
      throw new RequestError({
        code: 'host/no-description',
        message: vscode.l10n.t('This image was opened without a description file.'),
        hint: vscode.l10n.t('"IOPTE: Describe Image" writes a NAME{0} beside it.', DESCRIPTION_SUFFIX),
      });
    }
    const document = await vscode.workspace.openTextDocument(uri);
    const text = document.getText();
    const [problem] = await app.engine.ask('checkDescription', { text });
    const place = problem ?? imageReference(text);
    const at = place && new vscode.Range(document.positionAt(place.start), document.positionAt(place.end));
    await vscode.window.showTextDocument(document, at ? { selection: at } : {});
  },
};
