import * as vscode from 'vscode';
import { RequestError, type Failure } from '../../inspection/protocol';
import type { App } from '../app';
import { ActionableError, isCancelled, type Action } from '../errors';
import type { InspectionSource } from '../inspections';
import { requestOptions, withProgress } from '../progress';

/** Opens a source with progress, shows it in Domains, and says what is odd about it. */
export async function openSource(app: App, source: InspectionSource): Promise<void> {
  // At once: a view that takes the focus when a long reading ends would take it from what is done meanwhile.
  await vscode.commands.executeCommand('iopte.domains.focus');
  const { inspection, summary } = await open(app, source);
  await app.memory.addRecent((source.descriptionUri ?? source.imageUri).toString());
  for (const each of summary.problems) app.log.warn(`${source.title}: ${each.code}: ${each.message}`);
  const unread = summary.iommus.flatMap(({ failure }) => (failure ? [failure] : []));
  const [worst] = [...unread, ...summary.problems.filter(({ severity }) => severity !== 'info')];
  if (worst) app.reporter.warn(worst, actionsFor(source, worst));
  await app.domains.reveal(inspection, [], { focus: false });
}

async function open(app: App, source: InspectionSource): ReturnType<App['inspections']['add']> {
  try {
    return await withProgress(vscode.l10n.t('Opening {0}', source.title), (task) =>
      app.inspections.add(source, requestOptions(task)),
    );
  } catch (error) {
    if (isCancelled(error) || !(error instanceof RequestError)) throw error;
    throw new ActionableError(error.failure, actionsFor(source, error.failure));
  }
}

/** What can be done about a source that is no good. */
export function actionsFor(
  { descriptionUri, imageUri, machine }: Pick<InspectionSource, 'descriptionUri' | 'imageUri' | 'machine'>,
  failure: Failure,
): readonly Action[] {
  if (machine || failure.code === 'image/too-large') return [];
  if (descriptionUri) {
    const run = (): unknown => vscode.commands.executeCommand('iopte.openDescription', descriptionUri);
    return [{ label: vscode.l10n.t('Open Description'), run }];
  }
  const run = (): unknown => vscode.commands.executeCommand('iopte.describeImage', imageUri);
  return [{ label: vscode.l10n.t('Choose Registers'), run }];
}
