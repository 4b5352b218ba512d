import * as vscode from 'vscode';
import {
  failure,
  formatSize,
  RequestError,
  type FileSource,
  type Result,
  success,
} from '../inspection/protocol';

/** The largest typed array is not the limit; the memory of the extension host is. */
const REFUSE_ABOVE_BYTES = 2 * 1024 * 1024 * 1024;

export const baseName = (uri: vscode.Uri): string => uri.path.slice(uri.path.lastIndexOf('/') + 1);

export const folderOf = (uri: vscode.Uri): vscode.Uri => vscode.Uri.joinPath(uri, '..');

/**
 * How the engine gets at an image: by its path when it stands on the engine's own machine and the engine can read
 * ranges of files, else all its bytes through the editor's file system. `allowed` keeps up to which size the user has
 * allowed that for a URI. Throws a `RequestError`.
 */
export async function readImage(
  uri: vscode.Uri,
  canReadPaths: boolean,
  allowed: Map<string, number>,
): Promise<FileSource> {
  return readSized(uri, await sizeOf(uri), canReadPaths, allowed);
}

/** The same of a trace. */
export async function readTrace(
  uri: vscode.Uri,
  canReadPaths: boolean,
  allowed: Map<string, number>,
): Promise<FileSource> {
  return readSized(uri, await sizeOfTrace(uri), canReadPaths, allowed);
}

async function readSized(
  uri: vscode.Uri,
  size: Result<number>,
  canReadPaths: boolean,
  allowed: Map<string, number>,
): Promise<FileSource> {
  if (!size.ok) throw new RequestError(size.failure);
  if (canReadPaths && uri.scheme === 'file') return { kind: 'path', path: uri.fsPath };
  if (size.value > (allowed.get(uri.toString()) ?? 0) && !(await mayReadWhole(uri, size.value))) {
    throw new RequestError({
      code: 'cancelled',
      message: vscode.l10n.t('Not opened: {0} is too large.', baseName(uri)),
    });
  }
  allowed.set(uri.toString(), size.value);
  // A copy: the array may be a Node Buffer, or a view of something larger, and neither survives a message.
  return {
    kind: 'bytes',
    name: baseName(uri),
    bytes: new Uint8Array(await vscode.workspace.fs.readFile(uri)),
  };
}

/** Size of a file in bytes, or why there is none. */
export async function sizeOf(uri: vscode.Uri): Promise<Result<number>> {
  try {
    const stat = await vscode.workspace.fs.stat(uri);
    if (!(stat.type & vscode.FileType.Directory)) return success(stat.size);
    return failure(
      'image/folder',
      vscode.l10n.t('{0} is a folder.', uri.toString(true)),
      vscode.l10n.t(
        'Choose a memory image: an ELF core, a kdump file, raw bytes or a kernel text dump, also as .gz.',
      ),
    );
  } catch (error) {
    const message = vscode.l10n.t('The image {0} cannot be read: {1}.', uri.toString(true), whyNot(error));
    const hint = vscode.l10n.t('Put the image there, or correct "image" in its description.');
    return failure('image/not-found', message, hint);
  }
}

async function sizeOfTrace(uri: vscode.Uri): Promise<Result<number>> {
  try {
    const stat = await vscode.workspace.fs.stat(uri);
    if (!(stat.type & vscode.FileType.Directory)) return success(stat.size);
    const hint = vscode.l10n.t('Choose the file of a trace in it.');
    return failure('trace/folder', vscode.l10n.t('{0} is a folder.', uri.toString(true)), hint);
  } catch (error) {
    return failure(
      'trace/not-found',
      vscode.l10n.t('The trace {0} cannot be read: {1}.', uri.toString(true), whyNot(error)),
      vscode.l10n.t('Check that the file is there and may be read, and open it again.'),
    );
  }
}

/** Text of a file, or why it cannot be read. */
export async function readText(uri: vscode.Uri): Promise<Result<string>> {
  try {
    return success(new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)));
  } catch (error) {
    return failure(
      'file/unreadable',
      vscode.l10n.t('{0} cannot be read: {1}.', uri.toString(true), whyNot(error)),
      vscode.l10n.t('Check that the file is there and may be read.'),
    );
  }
}

/** Why a file cannot be read or written, without the system's own words where there are better ones. */
export function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof vscode.FileSystemError ? error.code : '';
  const kind = `${error.name} ${code} ${error.message}`;
  if (/NotADirectory|ENOTDIR/.test(kind)) return vscode.l10n.t('a part of its path is a file');
  if (/NotFound|ENOENT|non-?existing/i.test(kind)) return vscode.l10n.t('there is no such file or folder');
  if (/NoPermissions|EACCES|EPERM|EROFS/.test(kind)) return vscode.l10n.t('access is denied');
  if (kind.includes('Unavailable')) return vscode.l10n.t('its file system is not available');
  return error.message.replace(/\.$/, '');
}

async function mayReadWhole(uri: vscode.Uri, size: number): Promise<boolean> {
  const askAbove = vscode.workspace.getConfiguration('iopte').get('askAboveMebibytes', 256) * 2 ** 20;
  if (size <= askAbove) return true;
  if (size > REFUSE_ABOVE_BYTES) {
    throw new RequestError({
      code: 'image/too-large',
      message: vscode.l10n.t('{0} has {1} bytes, too many to hold in memory.', baseName(uri), size),
      hint: vscode.l10n.t('Open it where it stands as a local file: there it is read by ranges.'),
    });
  }
  const whole = vscode.l10n.t('Read It Whole');
  const mebibytes = formatSize(Math.ceil(size / 2 ** 20) * 2 ** 20);
  const question = vscode.l10n.t(
    '{0} ({1}) can only be read whole from here. Read it?',
    baseName(uri),
    mebibytes,
  );
  return (await vscode.window.showWarningMessage(question, whole)) === whole;
}
