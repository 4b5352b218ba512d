import type * as vscode from 'vscode';
import type { EntryDetails, EntryRef } from '../../inspection/protocol';
import { LatestOnly } from '../cancel';
import type { Reporter } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import type { EntryView } from './entryView';

/** Brings the selected entry into the Entry view; of fast selections only the last one is read and shown. */
export class EntryPresenter implements vscode.Disposable {
  private readonly requests = new LatestOnly();
  private readonly subscription: vscode.Disposable;
  private details: EntryDetails | undefined;
  private from: Inspection | undefined;

  constructor(
    private readonly inspections: Inspections,
    private readonly view: EntryView,
    private readonly reporter: Reporter,
  ) {
    this.subscription = inspections.onDidChange(({ inspection, change }) => {
      const gone = change === 'closed' || change === 'refreshed';
      if (this.from?.id !== inspection.id) return;
      if (gone) this.present(inspection, undefined);
      else if (change === 'operated') this.show(inspection, this.details?.ref);
    });
  }

  /** What the view shows. */
  get shown(): EntryDetails | undefined {
    return this.details;
  }

  show(inspection: Inspection, entry: EntryRef | undefined): void {
    const signal = this.requests.next();
    if (!entry) {
      this.present(inspection, undefined);
      return;
    }
    this.inspections.ask(inspection, 'entry', { entry }, { signal }).then(
      (details) => {
        if (!signal.aborted) this.present(inspection, details);
      },
      (error: unknown) => {
        if (!signal.aborted) this.reporter.report(error);
      },
    );
  }

  dispose(): void {
    this.requests.dispose();
    this.subscription.dispose();
  }

  private present(inspection: Inspection, details: EntryDetails | undefined): void {
    this.from = inspection;
    this.details = details;
    this.view.show(details);
  }
}
