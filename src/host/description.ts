import { findNodeAtLocation, parseTree, type Node } from 'jsonc-parser';
import * as vscode from 'vscode';
import { DESCRIPTION_SUFFIX, failure, success, type Result } from '../inspection/protocol';
import { baseName, folderOf, readText } from './source';

/** At most so many descriptions of a folder are read in the search for those of an image. */
const SEARCH_LIMIT = 200;

export const isDescription = (uri: vscode.Uri): boolean =>
  uri.path.toLowerCase().endsWith(DESCRIPTION_SUFFIX);

/** The image that a description names, and where in its text. */
export interface ImageReference {
  readonly name: string;
  /** UTF-16 units, half-open, quotes included. */
  readonly start: number;
  readonly end: number;
}

/** Finds the image's name in a description's text, also when the rest of the text is wrong. */
export function imageReference(text: string): ImageReference | undefined {
  const tree = parseTree(text);
  const nodes: readonly (Node | undefined)[] = tree
    ? [findNodeAtLocation(tree, ['image', 'file']), findNodeAtLocation(tree, ['image'])]
    : [];
  const node = nodes.find((each) => each?.type === 'string');
  const name: unknown = node?.value;
  if (!node || typeof name !== 'string' || name === '') return undefined;
  return { name, start: node.offset, end: node.offset + node.length };
}

/** Where the image stands: its name is relative to the description's folder. */
export const imageUri = (description: vscode.Uri, reference: ImageReference): vscode.Uri =>
  /^(?:\/|[a-z]:[\\/])/i.test(reference.name)
    ? folderOf(description).with({ path: vscode.Uri.file(reference.name).path })
    : vscode.Uri.joinPath(folderOf(description), reference.name.replaceAll('\\', '/'));

export interface Description {
  readonly uri: vscode.Uri;
  readonly text: string;
  readonly image: vscode.Uri;
}

/** Reads a description's file and finds its image's. */
export async function readDescription(uri: vscode.Uri): Promise<Result<Description>> {
  const text = await readText(uri);
  if (!text.ok) return text;
  const reference = imageReference(text.value);
  if (!reference) {
    return failure(
      'description/no-image',
      vscode.l10n.t('{0} does not name an image.', baseName(uri)),
      vscode.l10n.t('Give "image" the file name of the image that this description is about.'),
    );
  }
  return success({ uri, text: text.value, image: imageUri(uri, reference) });
}

/** The descriptions beside an image that are about it. */
export async function descriptionsOf(image: vscode.Uri): Promise<readonly Description[]> {
  const folder = folderOf(image);
  let names: readonly string[];
  try {
    names = (await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name);
  } catch {
    // Some virtual file systems cannot list; the usual name is tried all the same.
    names = [baseName(defaultDescriptionUri(image))];
  }
  const candidates = names.filter((name) => name.toLowerCase().endsWith(DESCRIPTION_SUFFIX));
  const read = await Promise.all(
    candidates.slice(0, SEARCH_LIMIT).map((name) => readDescription(vscode.Uri.joinPath(folder, name))),
  );
  return read
    .flatMap((each) => (each.ok ? [each.value] : []))
    .filter((each) => each.image.toString() === image.toString());
}

/** `guest.elf.gz` -> `guest.iopte.json`, beside it. */
export function defaultDescriptionUri(image: vscode.Uri): vscode.Uri {
  const stem = baseName(image)
    .replace(/\.gz$/i, '')
    .replace(/\.[^.]+$/, '');
  return vscode.Uri.joinPath(folderOf(image), `${stem}${DESCRIPTION_SUFFIX}`);
}

/** A part of a raw image: bytes [offset, offset + length) of the file stand at paddr; no length: to the end. */
export interface Segment {
  readonly paddr: string;
  readonly offset: number;
  readonly length?: number;
}

/** What Open Memory Image asks for. */
export interface DescriptionParts {
  readonly image: string;
  readonly segments: readonly Segment[] | undefined;
  readonly kind: string;
  readonly registers: Readonly<Record<string, string>>;
}

/** The text of a description. */
export function writeDescription({ image, segments, kind, registers }: DescriptionParts): string {
  const description = {
    version: 1,
    image: segments ? { file: image, segments } : image,
    iommus: [{ name: 'iommu0', kind, segment: 0, registers }],
  };
  return `${JSON.stringify(description, undefined, 2)}\n`;
}
