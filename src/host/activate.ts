import * as vscode from 'vscode';
import { createApi, type IopteApi } from './api';
import type { App } from './app';
import { openInTurn } from './commands/openMemoryImage';
import { BookmarkStore } from './bookmarkStore';
import { registerCommands } from './commands';
import { actionsFor } from './commands/openSource';
import { EngineHost } from './engineHost';
import { ActionableError, failureOf, Reporter } from './errors';
import { Inspections } from './inspections';
import { registerCodeLens } from './language/codeLens';
import { DescriptionDiagnostics } from './language/diagnostics';
import { OperationFiles } from './operationFiles';
import type { Platform } from './platform';
import { requestOptions, withProgressIfLong } from './progress';
import { Memory } from './remember';
import { Scenarios } from './scenarios';
import { Traces } from './traces/traces';
import { TraceSync } from './traces/traceSync';
import { AnswersView } from './views/answersView';
import { BookmarksView } from './views/bookmarksView';
import { DomainsView } from './views/domainsView';
import type { Element } from './views/elements';
import { EntryPresenter } from './views/entryPresenter';
import { EntryView } from './views/entryView';
import type { WalkElement } from './views/walkElements';
import { faultsList, iotlbList, ledgerList } from './views/machineLists';
import { PagedView } from './views/pagedView';
import { WalkView } from './views/walkView';

/** Wires the parts together. Nothing is read and no engine is started here: that happens on the first question. */
export function activate(context: vscode.ExtensionContext, platform: Platform): IopteApi {
  const log = vscode.window.createOutputChannel('IOPTE', { log: true });
  const reporter = new Reporter(log);
  const engine: EngineHost = new EngineHost(
    () => platform.startEngine(context, log),
    {
      openParams: (id) => inspections.openParams(id),
      watch: (id, task) => {
        const title = vscode.l10n.t('Opening {0}', inspections.find(id)?.title ?? id);
        return withProgressIfLong(title, (long) => task(requestOptions(long)));
      },
      traceParams: (trace) => traces.editors.traceParams(trace),
      traceViews: (trace) => traces.editors.traceViews(trace),
      isTraceStopped: (trace) => traces.editors.isTraceStopped(trace),
      traceOpened: (trace, summary) => {
        traces.editors.traceOpened(trace, summary);
      },
      traceRows: (trace) => traces.editors.traceRows(trace),
      traceSpaces: (trace) => traces.memory.spacesOf(trace),
      traceRestored: (trace, summary) => {
        traces.editors.traceRestored(trace, summary);
      },
    },
    log,
  );
  const inspections: Inspections = new Inspections(
    context.workspaceState,
    engine,
    platform.kind === 'node',
    // An empty window has no folder of its own.
    new OperationFiles(vscode.Uri.joinPath(context.storageUri ?? context.globalStorageUri, 'operations')),
  );
  const memory = new Memory(context.workspaceState, context.globalState);
  const entry = new EntryView(context.extensionUri);
  const presenter = new EntryPresenter(inspections, entry, reporter);
  let lastSelected: 'domains' | 'walk' = 'domains';
  const domains = new DomainsView(inspections, {
    touch: () => {
      lastSelected = 'domains';
      traceSync.nodeSelected();
    },
    select: (inspection, ref) => {
      presenter.show(inspection, ref);
    },
    drop: (uris) => {
      void openInTurn(app, uris);
    },
    fail: (inspection, error) => {
      const failure = failureOf(error);
      reporter.report(new ActionableError(failure, actionsFor(inspection, failure)));
    },
  });
  const walk = new WalkView(inspections, {
    touch: () => {
      lastSelected = 'walk';
    },
    select: (inspection, ref) => {
      presenter.show(inspection, ref);
    },
  });
  const selected = (): Element | WalkElement | undefined =>
    lastSelected === 'walk' ? (walk.selected ?? domains.selected) : domains.selected;
  const answers = new AnswersView(inspections);
  const bookmarks = new BookmarkStore(context.workspaceState);
  const bookmarksView = new BookmarksView(bookmarks);
  const iotlb = { staleOnly: false };
  const machineViews = [iotlbList(inspections, iotlb), faultsList(inspections), ledgerList(inspections)].map(
    (list) =>
      new PagedView(list, inspections, (inspection, ref) => {
        presenter.show(inspection, ref);
      }),
  );
  const scenarios = new Scenarios(engine, inspections, log, context.extensionUri);
  const traces: Traces = new Traces({
    ...{ engine, reporter, bookmarks, state: context.workspaceState, extension: context.extensionUri },
    canReadPaths: platform.kind === 'node',
    selected: (panel, selection) => {
      traceSync.rowSelected(panel, selection);
    },
  });
  const traceSync = new TraceSync({
    ...{ inspections, domains, editors: () => traces.editors },
    fail: (error) => {
      log.error(`The selection cannot be shown: ${failureOf(error).message}`);
    },
  });
  const app: App = {
    ...{
      context,
      platform,
      scenarios,
      traces,
      traceSync,
      log,
      reporter,
      engine,
      inspections,
      memory,
      selected,
    },
    ...{ domains, walk, entry, presenter, answers, bookmarks, bookmarksView, iotlb, machineViews },
  };
  context.subscriptions.push(
    ...[
      log,
      engine,
      inspections,
      scenarios,
      traces,
      traceSync,
      entry,
      presenter,
      domains,
      walk,
      registerCommands(app),
      registerCodeLens(),
    ],
    ...[answers, bookmarks, bookmarksView, ...machineViews, new DescriptionDiagnostics(app)],
    inspections.onDidChange(({ inspection, change }) => {
      // What a machine is has no file, and nothing beside it.
      if (change !== 'opened' || inspection.machine || inspection.replay) return;
      bookmarks.readBeside(inspection).catch((error: unknown) => reporter.report(error));
    }),
    vscode.window.registerWebviewViewProvider(EntryView.id, entry),
    entry.onDidRequestCopy((text) => vscode.env.clipboard.writeText(text)),
  );
  platform.prepareTerminals?.(context);
  return createApi(app, () => presenter.shown);
}
