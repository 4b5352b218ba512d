import type * as vscode from 'vscode';
import type { EntryDetails, InspectionSummary, TraceSummary } from '../inspection/protocol';
import type { RunModel } from '../webview/messages/resultsMessages';
import type { App } from './app';
import type { ScenarioRun } from './scenarios/results';
import type { ScenarioTests } from './scenarios/testing';
import type { AnswerElement } from './views/answerElements';
import type { BookmarkElement } from './views/bookmarksView';
import type { Element } from './views/elements';
import type { PagedElement } from './views/pagedView';
import type { WalkElement } from './views/walkElements';

/**
 * What the extension exports: a look at what its views show, for other extensions and for tests. Everything that changes
 * something is a command.
 */
export interface IopteApi {
  /** Where the engine runs; undefined while none does. */
  readonly engineRunsIn: 'worker' | 'in-process' | undefined;
  /** What the Domains view shows. */
  readonly domains: Pick<vscode.TreeDataProvider<Element>, 'getChildren' | 'getTreeItem' | 'resolveTreeItem'>;
  /** What has the selection in Domains. */
  readonly selected: Element | undefined;
  /** What the Walk view shows. */
  readonly walk: Pick<vscode.TreeDataProvider<WalkElement>, 'getChildren' | 'getTreeItem'>;
  /** What the Results view shows. */
  readonly results: Pick<vscode.TreeDataProvider<AnswerElement>, 'getChildren' | 'getTreeItem'>;
  /** What the Bookmarks view shows. */
  readonly bookmarks: Pick<vscode.TreeDataProvider<BookmarkElement>, 'getChildren' | 'getTreeItem'>;
  /** What IOTLB, Faults and Ledger show of an emulated machine. */
  readonly machineViews: readonly Pick<
    vscode.TreeDataProvider<PagedElement>,
    'getChildren' | 'getTreeItem'
  >[];
  /** What running scenarios came to in this session. */
  readonly outcomes: readonly ScenarioRun[];
  /** What Scenario Results shows. */
  readonly shownResults: readonly RunModel[];
  /** The scenarios of the Test Explorer. */
  readonly tests: Pick<ScenarioTests, 'items' | 'discover' | 'run'>;
  /** What the Entry view shows. */
  readonly entry: EntryDetails | undefined;
  /** The editors of traces. */
  readonly traces: readonly ShownTrace[];
  /** The images that are open, by their ids; read again when the engine has to. */
  summaries(): Promise<readonly InspectionSummary[]>;
}

/** What one editor of a trace shows. */
export interface ShownTrace {
  readonly uri: vscode.Uri;
  /** As far as it was read; undefined before it is open. */
  readonly summary: TraceSummary | undefined;
  readonly reading: boolean;
  /** The row, from 0, that the cursor is on; undefined before the page is there. */
  readonly row: number | undefined;
  /** The filter of the page. */
  readonly where: string;
}

export function createApi(app: App, shown: () => EntryDetails | undefined): IopteApi {
  return {
    get engineRunsIn() {
      return app.engine.where;
    },
    domains: app.domains.provider,
    get selected() {
      return app.domains.selected;
    },
    walk: app.walk.provider,
    results: app.answers.provider,
    bookmarks: app.bookmarksView.provider,
    machineViews: app.machineViews.map(({ provider }) => provider),
    get outcomes() {
      return app.scenarios.results.all;
    },
    get shownResults() {
      return app.scenarios.presenter.panel.shown?.runs ?? [];
    },
    tests: app.scenarios.tests,
    get entry() {
      return shown();
    },
    get traces() {
      return app.traces.editors.panels.map(({ document: { uri, summary, reading }, selection, where }) => ({
        ...{ uri, summary, reading, where },
        row: selection?.row,
      }));
    },
    summaries: () => Promise.all(app.inspections.all.map((each) => app.inspections.summary(each))),
  };
}
