import * as vscode from 'vscode';
import { hex, RequestError, type Failure, type Unread } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { answerText, isAnswer, type AnswerElement, type Place } from '../views/answerElements';
import type { WordsOf } from '../views/answerWording';
import { deviceInTree } from './reveal';

/** Shows in Domains what a row of Results is about. */
export const revealResult: Command = {
  id: 'iopte.revealResult',
  async run(app, arg) {
    const { inspection, place } = chosen(app, arg);
    if (place?.kind === 'row') {
      await app.traces.editors.show(vscode.Uri.parse(place.trace, true), place.row, isAnswer(arg));
      return;
    }
    if (!place || !inspection) {
      throw new RequestError({
        code: 'host/no-place',
        message: vscode.l10n.t('This row is not about one place in Domains.'),
        hint: vscode.l10n.t('Select a row with an address or a device.'),
      });
    }
    await revealPlace(app, inspection, place, isAnswer(arg));
  },
};

/** Copies a row of Results as text. */
export const copyResult: Command = {
  id: 'iopte.copyResult',
  async run(app, arg) {
    await vscode.env.clipboard.writeText(answerText(chosen(app, arg)));
  },
};

export const clearResults: Command = {
  id: 'iopte.clearResults',
  run(app) {
    app.answers.clear();
  },
};

function chosen(app: App, arg: unknown): AnswerElement {
  const element = isAnswer(arg) ? arg : app.answers.selected;
  if (element) return element;
  throw new RequestError({
    code: 'host/no-result',
    message: vscode.l10n.t('No row is selected in Results.'),
    hint: vscode.l10n.t('Select one of its rows first.'),
  });
}

/** Selects a place in Domains; says so when a filter or a change keeps it from being shown. */
export async function revealPlace(
  app: App,
  inspection: Inspection,
  place: Exclude<Place, { kind: 'row' }>,
  keepFocus = false,
): Promise<void> {
  const where = app.inspections.find(inspection.id)?.where ?? '';
  if (place.kind === 'device') {
    const { iommu, requester, pasid } = place;
    const path = await deviceInTree(app, inspection, { iommu, request: { requester, pasid } });
    await app.domains.reveal(inspection, path, { focus: !keepFocus });
    return;
  }
  const { domain } = place;
  const iova = place.kind === 'iova' ? place.iova : 0n;
  const path = await app.inspections.ask(inspection, 'locate', {
    domain,
    iova,
    ...(where !== '' && { where }),
  });
  if (place.kind === 'domain') {
    const last = path.findIndex(({ kind }) => kind === 'domain');
    await app.domains.reveal(inspection, last < 0 ? path : path.slice(0, last + 1), { focus: !keepFocus });
    return;
  }
  await app.domains.reveal(inspection, path, { focus: !keepFocus });
  const last = path.at(-1);
  if (last && ['run', 'entry'].includes(last.kind)) return;
  const message = vscode.l10n.t('IOVA {0} is not shown in Domains.', hex(iova));
  const filtered = vscode.l10n.t('A filter is active; what it hides is not shown.');
  void vscode.window.showInformationMessage(where === '' ? message : `${message} ${filtered}`);
}

/** The vendors' words of an image's IOMMUs. */
export async function wordsByIommu(app: App, inspection: Inspection): Promise<WordsOf> {
  const { iommus } = await app.inspections.summary(inspection);
  const words = new Map(iommus.map((iommu) => [iommu.name, iommu.words]));
  return (name) => words.get(name);
}

/** The rest of a long answer, read when it is opened. */
export function moreElement(
  id: string,
  inspection: Inspection | undefined,
  parent: AnswerElement | undefined,
  read: (more: AnswerElement) => Promise<readonly AnswerElement[]>,
): AnswerElement {
  const label = vscode.l10n.t('More…');
  const wording = { label, description: '', icon: 'ellipsis', spoken: label, tooltip: [], opens: true };
  const more: AnswerElement = {
    kind: 'answer',
    id,
    inspection,
    wording,
    ...(parent && { parent }),
    children: () => read(more),
  };
  return more;
}

/** What pages of an answer say beside their rows. */
interface PageNotes extends Unread {
  readonly next?: string;
  readonly gaveUp?: Failure;
  readonly incomplete?: string;
}

/** What an answer lacks, over all pages of it that were read. */
export class AnswerNotes {
  private tables = 0;
  private paused = '';
  private readonly notes = new Set<string>();

  take({ unreadableTables, unreadIommus, problems, next, gaveUp, incomplete }: PageNotes): void {
    this.tables += unreadableTables;
    if (unreadIommus.length > 0) this.notes.add(vscode.l10n.t('Not read: {0}.', unreadIommus.join(', ')));
    for (const problem of problems) this.notes.add(problem);
    if (incomplete !== undefined) this.notes.add(incomplete);
    // "More..." goes on from a pause, and it is none any more then.
    this.paused = next === undefined ? '' : (gaveUp?.message ?? '');
    if (next === undefined && gaveUp) this.notes.add(gaveUp.message);
  }

  get text(): string {
    const tables = this.tables
      ? vscode.l10n.t('{0} tables are not in the image: what they map is not known.', this.tables)
      : '';
    return [tables, ...this.notes, this.paused].filter((part) => part !== '').join(' ');
  }
}
