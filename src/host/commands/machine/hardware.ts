import * as vscode from 'vscode';
import { hex, parseInteger } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { isPagedElement, type PagedElement } from '../../views/pagedView';
import { revealPlace } from '../answers';
import { givenText, givenValues } from '../targets';
import { askMissing, askNumber, operate, targetMachine, tell } from './target';

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
      tell(await operate(app, inspection, title, { kind: 'evict', iommu: name, all }));
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
    const shown = app.presenter.shown?.ref.address;
    const given = givenValues(arg);
    const address = givenText(given, 'address') ?? (shown === undefined ? undefined : hex(shown));
    const word = givenText(given, 'word');
    const first: WordAnswers = {
      ...(address !== undefined && { address }),
      ...(word !== undefined && { word }),
    };
    const answers = await askMissing(title, first, [
      askNumber<WordAnswers>('address', vscode.l10n.t('Physical address, a multiple of 8'), '0x100000'),
      askNumber<WordAnswers>('word', vscode.l10n.t('The 64-bit word at {0}', address ?? ''), '0x0'),
    ]);
    if (answers?.address === undefined || answers.word === undefined) return;
    if (parseInteger(answers.word) === undefined) return;
    const report = await operate(app, inspection, title, {
      kind: 'writeWord',
      address: answers.address,
      word: answers.word,
    });
    tell(report);
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
    await app.inspections.undo(inspection);
  },
};

/** Shows in Domains what a row of IOTLB or Ledger is about. */
export const revealRow: Command = {
  id: 'iopte.revealRow',
  async run(app, arg) {
    const row = isPagedElement(arg) ? arg : selectedRow(app);
    const { domain, iova } = row?.reveal?.entry ?? {};
    if (row && domain && iova !== undefined) {
      await revealPlace(app, row.inspection, { kind: 'iova', domain, iova }, isPagedElement(arg));
    }
  },
};

const selectedRow = (app: App): PagedElement | undefined =>
  app.machineViews.map((view) => view.selected).find((row) => row !== undefined);

/** Copies a row of IOTLB, Faults or Ledger as text. */
export const copyRow: Command = {
  id: 'iopte.copyRow',
  async run(app, arg) {
    const row = isPagedElement(arg) ? arg : selectedRow(app);
    if (!row) return;
    const { label, description, tooltip } = row.wording;
    const lines = tooltip.map(([key, value]) => `${key}: ${value}`);
    await vscode.env.clipboard.writeText([`${label} ${description}`, ...lines].join('\n'));
  },
};
