import * as vscode from 'vscode';
import { hex, RequestError } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { requestOptions, withProgressIfLong } from '../../progress';
import { entryOf, isElement } from '../../views/elements';
import { isPagedElement, type PagedElement } from '../../views/pagedView';
import { askInSteps } from '../../prompts/steps';
import { revealPlace } from '../answers';
import { givenText, givenValues } from '../targets';
import { operate, tell } from './operate';
import { askNumber, targetMachine } from './target';

/** Lets hardware drop what it has cached: all of it, as it may at any time. Takes `{iommu, all}`. */
export const evictCaches: Command = {
  id: 'iopte.evictCaches',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const { iommus } = await app.inspections.ask(inspection, 'machine', {});
    const title = vscode.l10n.t('Evict Cached Translations');
    const given = givenValues(arg);
    const named = givenText(given, 'iommu');
    const all = given['all'] !== false;
    for (const { name } of iommus) {
      if (named !== undefined && named !== name) continue;
      tell(app, await operate(app, inspection, title, { kind: 'evict', iommu: name, all }));
    }
  },
};

interface WordAnswers {
  readonly address?: string;
  readonly word?: string;
}

/** Stores a 64-bit word in the machine's memory. Takes `{address, word}`, an entry of Domains, or asks. */
export const writeWord: Command = {
  id: 'iopte.writeWord',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const title = vscode.l10n.t('Write Word');
    const row = isElement(arg) ? entryOf(arg) : undefined;
    const given = givenValues(arg);
    const address = givenText(given, 'address') ?? (row && hex(row.address));
    const shown = row?.address ?? app.presenter.shown?.ref.address;
    const words = row
      ? (await app.inspections.ask(inspection, 'entry', { entry: row })).words
      : app.presenter.shown?.words;
    const word = givenText(given, 'word');
    const first: WordAnswers = {
      ...(address !== undefined && { address }),
      ...(word !== undefined && { word }),
    };
    const answers = await askInSteps(title, first, [
      askNumber<WordAnswers>('address', {
        prompt: vscode.l10n.t('Physical address, a multiple of 8'),
        placeholder: '0x100000',
        value: shown === undefined ? undefined : hex(shown),
      }),
      askNumber<WordAnswers>('word', {
        prompt: vscode.l10n.t('The 64-bit word to store there'),
        placeholder: '0x0',
        value: words?.map((each) => hex(each))[0],
      }),
    ]);
    if (answers?.address === undefined || answers.word === undefined) return;
    const outcome = await operate(app, inspection, title, {
      kind: 'writeWord',
      address: answers.address,
      word: answers.word,
    });
    tell(app, outcome);
  },
};

/** Takes back the last operation: the machine is built again without it. */
export const undoOperation: Command = {
  id: 'iopte.undoOperation',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    if (inspection.machine?.operations.length === 0) {
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Nothing was done to {0} yet.', inspection.title),
      );
      return;
    }
    const title = vscode.l10n.t('Undo Last Operation');
    await withProgressIfLong(title, (task) => app.inspections.undo(inspection, requestOptions(task)));
    app.log.info(`${inspection.title}: took back the last operation.`);
  },
};

/** Whether IOTLB shows only what memory no longer says. */
const showInIotlb = (id: string, staleOnly: boolean): Command => ({
  id,
  async run(app) {
    app.iotlb.staleOnly = staleOnly;
    await vscode.commands.executeCommand('setContext', 'iopte:staleOnly', staleOnly);
    for (const view of app.machineViews) view.provider.refresh();
  },
});

export const showStale = showInIotlb('iopte.showStale', true);
export const showCached = showInIotlb('iopte.showCached', false);

/** Shows in Domains what a row of IOTLB or Ledger is about. */
export const revealRow: Command = {
  id: 'iopte.revealRow',
  async run(app, arg) {
    const row = chosenRow(app, arg);
    const { domain, iova } = row.reveal?.entry ?? {};
    if (!domain || iova === undefined) {
      throw new RequestError({
        code: 'host/no-place',
        message: vscode.l10n.t('This row is not about one place in Domains.'),
        hint: vscode.l10n.t('Select a cached translation, or a finding about an entry.'),
      });
    }
    await revealPlace(app, row.inspection, { kind: 'iova', domain, iova }, isPagedElement(arg));
  },
};

/** The row that a menu gives, or what is selected in the view that `{view}` names, else in any of them. */
function chosenRow(app: App, arg: unknown): PagedElement {
  if (isPagedElement(arg)) return arg;
  const id = givenText(givenValues(arg), 'view');
  const views = app.machineViews.filter((view) => id === undefined || view.id === id);
  const row = views.map(({ selected }) => selected).find((each) => each !== undefined);
  if (row) return row;
  throw new RequestError({
    code: 'host/no-selection',
    message: vscode.l10n.t('No row is selected in IOTLB, Faults or Ledger.'),
    hint: vscode.l10n.t('Select one of their rows first.'),
  });
}

/** Copies a row of IOTLB, Faults or Ledger as text. Takes a row, or `{view}`. */
export const copyRow: Command = {
  id: 'iopte.copyRow',
  async run(app, arg) {
    const { label, description, tooltip } = chosenRow(app, arg).wording;
    const lines = tooltip.map(([key, value]) => `${key}: ${value}`);
    await vscode.env.clipboard.writeText([`${label} ${description}`, ...lines].join('\n'));
  },
};
