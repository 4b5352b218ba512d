import type * as vscode from 'vscode';
import type { BookmarkStore } from './bookmarkStore';
import type { EngineHost } from './engineHost';
import type { Reporter } from './errors';
import type { Inspections } from './inspections';
import type { Platform } from './platform';
import type { Memory } from './remember';
import type { Scenarios } from './scenarios';
import type { Traces } from './traces/traces';
import type { TraceSync } from './traces/traceSync';
import type { AnswersView } from './views/answersView';
import type { BookmarksView } from './views/bookmarksView';
import type { EntryPresenter } from './views/entryPresenter';
import type { PagedView } from './views/pagedView';
import type { DomainsView } from './views/domainsView';
import type { EntryView } from './views/entryView';
import type { Element } from './views/elements';
import type { WalkElement } from './views/walkElements';
import type { WalkView } from './views/walkView';

/** Everything a command may use. Made once by activate. */
export interface App {
  readonly context: vscode.ExtensionContext;
  readonly platform: Platform;
  readonly log: vscode.LogOutputChannel;
  readonly reporter: Reporter;
  readonly engine: EngineHost;
  readonly inspections: Inspections;
  readonly memory: Memory;
  readonly domains: DomainsView;
  readonly walk: WalkView;
  readonly entry: EntryView;
  readonly presenter: EntryPresenter;
  readonly answers: AnswersView;
  readonly bookmarks: BookmarkStore;
  readonly bookmarksView: BookmarksView;
  /** What IOTLB shows. */
  readonly iotlb: { staleOnly: boolean };
  /** IOTLB, Faults and Ledger. */
  readonly machineViews: readonly PagedView[];
  readonly scenarios: Scenarios;
  readonly traces: Traces;
  readonly traceSync: TraceSync;
  /** What has the selection in that of Domains and Walk in which something was selected last. */
  selected(): Element | WalkElement | undefined;
}

/** A command of package.json. What it is not given it asks for; it resolves when its work is done. */
export interface Command {
  /** `iopte.verbNoun` */
  readonly id: string;
  run(app: App, ...args: readonly unknown[]): unknown;
}
