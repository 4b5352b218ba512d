import * as vscode from 'vscode';
import { hex, RequestError, type RootCandidate, type RootsResult } from '../../inspection/protocol';
import type { App, Command } from '../app';
import { defaultDescriptionUri, isDescription, readDescription } from '../description';
import { requestOptions, withProgress } from '../progress';
import { askWrite, mayWriteBeside } from '../prompts/description';
import { askPick } from '../prompts/pick';
import { askInSteps, type Step } from '../prompts/steps';
import { baseName } from '../source';
import { isElement } from '../views/elements';
import { askForFile, givenUris } from './openMemoryImage';
import { openSource } from './openSource';
import { givenText, givenValues, targetInspection, type Given } from './targets';

/** The image that is searched, and the text of a description that says where its bytes belong. */
interface Searched {
  readonly image: vscode.Uri;
  readonly description?: string;
}

/** What keeps a search from having seen all of the image is said with its answer, up to so many sentences. */
const NOTES_SHOWN = 3;

interface Answers {
  readonly candidate?: RootCandidate;
  readonly write?: boolean;
}

/**
 * Searches an image of which nothing is known, or the image of a description, and opens it with the candidate that is chosen.
 * A program may give `{candidate: 1}` after the file to have that one opened, and `{description}` that says where the bytes
 * of the image belong.
 */
export const findRoots: Command = {
  id: 'iopte.findRoots',
  async run(app, ...args) {
    const options = givenValues(args[1]);
    const searched = await searchedBy(app, args, givenText(options, 'description'));
    if (!searched) return;
    const found = await search(app, searched);
    for (const note of found.notes) app.log.info(`${found.image.name}: ${note}`);
    if (found.candidates.length === 0) {
      await sayNothingFound(found, searched.image);
      return;
    }
    const answers = await choose(app, searched.image, found, givenRank(options));
    if (answers?.candidate) await open(app, searched.image, answers.candidate, answers.write ?? false);
  },
};

/** Of a row of Domains its image. */
async function searchedBy(
  app: App,
  args: readonly unknown[],
  description: string | undefined,
): Promise<Searched | undefined> {
  const [arg] = args;
  if (isElement(arg)) {
    const opened = targetInspection(app, arg);
    return searchedAs(opened.imageUri, opened.description === '' ? undefined : opened.description);
  }
  const uri = givenUris(args)[0] ?? (await askForFile())[0];
  if (!uri) return undefined;
  if (!isDescription(uri)) return searchedAs(uri, description);
  const read = await readDescription(uri);
  if (!read.ok) throw new RequestError(read.failure);
  return { image: read.value.image, description: read.value.text };
}

const searchedAs = (image: vscode.Uri, description: string | undefined): Searched =>
  description === undefined ? { image } : { image, description };

const search = (app: App, { image, description }: Searched): Thenable<RootsResult> =>
  withProgress(vscode.l10n.t('Finding IOMMU roots in {0}', baseName(image)), async (task) => {
    const file = await app.inspections.readImage(image);
    const params = description === undefined ? { image: file } : { image: file, description };
    return app.engine.ask('roots', params, requestOptions(task));
  });

const givenRank = ({ candidate }: Given): number | undefined =>
  typeof candidate === 'number' ? candidate : undefined;

async function sayNothingFound({ image, looked, notes }: RootsResult, uri: vscode.Uri): Promise<void> {
  const choose = vscode.l10n.t('Choose Registers');
  const why = [...notes.slice(0, NOTES_SHOWN), looked].join(' ');
  const message = vscode.l10n.t('No root of an IOMMU was found in {0}. {1}', image.name, why);
  const chosen = await vscode.window.showInformationMessage(message, choose);
  if (chosen === choose) await vscode.commands.executeCommand('iopte.describeImage', uri);
}

async function choose(
  app: App,
  image: vscode.Uri,
  found: RootsResult,
  rank: number | undefined,
): Promise<Answers | undefined> {
  const given = rank === undefined ? undefined : found.candidates[rank - 1];
  if (given) return { candidate: given };
  return askInSteps<Answers>(vscode.l10n.t('IOMMU Roots of {0}', found.image.name), {}, [
    askCandidate(found),
    ...(mayWriteBeside(app.context.extensionUri, image) ? [askWrite<Answers>(image)] : []),
  ]);
}

const askCandidate =
  ({ candidates, image }: RootsResult): Step<Answers> =>
  async (state, place) => {
    const choices = candidates.map((candidate) => ({
      label: `${candidate.mode}, ${hex(candidate.address)}`,
      description: [strengthOf(candidate), registersOf(candidate)].join(' · '),
      detail: candidate.findings.join(' '),
      value: candidate,
    }));
    const placeholder = image.fromZero
      ? vscode.l10n.t('Open with which root? The bytes of the file are taken from physical address 0 on')
      : vscode.l10n.t('Open with which root? The likeliest comes first');
    const answer = await askPick({ placeholder, choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, candidate: answer.value } } : answer;
  };

function strengthOf({ strength }: RootCandidate): string {
  if (strength === 'strong') return vscode.l10n.t('strong evidence');
  return strength === 'fair' ? vscode.l10n.t('fair evidence') : vscode.l10n.t('weak evidence');
}

const registersOf = ({ registers, assumed }: RootCandidate): string =>
  registers
    .map(({ name, value }) => {
      const text = `${name} ${hex(value)}`;
      return assumed.includes(name) ? vscode.l10n.t('{0} (assumed)', text) : text;
    })
    .join(', ');

async function open(
  app: App,
  image: vscode.Uri,
  { description }: RootCandidate,
  write: boolean,
): Promise<void> {
  const uri = defaultDescriptionUri(image);
  if (write) await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(description));
  const descriptionUri = write ? uri : undefined;
  await openSource(app, { title: baseName(image), description, descriptionUri, imageUri: image });
}
