import {
  MOST_COPIED_ROWS,
  type ToTraceView,
  type TraceAction,
  type TraceCommand,
  type TracePlaceModel,
  type TraceRowModel,
  type TraceSummaryModel,
} from '../messages/traceMessages';
import { TRACE_STATE_VERSION, type TraceState } from '../messages/traceState';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { type CellContext, CELLS, grouped } from './cells';
import { ColumnLayout } from './columnLayout';
import { actionMenu } from './actionMenu';
import { filterOfCell, narrowed } from './cellFilter';
import { columnMenu } from './columnMenu';
import { DensityView } from './densityView';
import { Details } from './details';
import { FilterBox } from './filterBox';
import { GoToBox } from './goToBox';
import { TraceGrid } from './grid';
import { GroupPanel } from './groupPanel';
import { type HostLink } from './hostLink';
import { type PendingPlace } from './place';
import { ProblemPanel } from './problemPanel';
import { RowCache } from './rowCache';
import { SearchBox } from './searchBox';
import { countOf, firstOf } from './selection';
import { type FilterProgress, StatusLine } from './statusLine';
import { toolbar, type Toolbar } from './toolbar';

type Opened = Extract<ToTraceView, { type: 'opened' }>;

/** The host hears of the cursor, and the state is saved, when it stays for a moment. */
const SETTLE_MS = 120;

export interface TracePageOptions {
  readonly link: HostLink;
  readonly saved: TraceState | undefined;
  readonly save: (state: TraceState) => void;
}

/** The trace editor's page: what the parts of it do together. */
export class TracePage {
  readonly elements: readonly HTMLElement[];
  readonly #strings: TraceStrings;
  readonly #link: HostLink;
  readonly #rows: RowCache;
  readonly #layout: ColumnLayout;
  readonly #grid: TraceGrid;
  readonly #density: DensityView;
  readonly #filterBox: FilterBox;
  readonly #search: SearchBox;
  readonly #goTo: GoToBox;
  readonly #groups: GroupPanel;
  readonly #details: Details;
  readonly #problems: ProblemPanel;
  readonly #status: StatusLine;
  readonly #toolbar: Toolbar;
  #summary: TraceSummaryModel;
  #bookmarks: ReadonlySet<number>;
  #time: TraceState['time'];
  #filter = '';
  /** Undefined: all rows show. */
  #progress: FilterProgress | undefined;
  #total: number;
  #pending: PendingPlace | undefined;
  /** Rows that the trace had before the engine was lost: it has not been read again as far. */
  #expected = 0;
  #settleTimer = 0;
  /** The question for the place that was asked for last. */
  #seeking = 0;
  /** Of the host's wish that took the cursor where it is. */
  #token: number | undefined;
  /** Why rows do not show. */
  #problem = '';
  /** The row whose whole line was asked for. */
  #whole: TraceRowModel | undefined;

  constructor(
    { summary, strings, bookmarks, row }: Opened,
    private readonly options: TracePageOptions,
  ) {
    const { link, saved } = options;
    const say = (text: string): void => this.#status.say(text);
    const leave = (): void => this.#grid.focus();
    this.#strings = strings;
    this.#link = link;
    this.#summary = summary;
    this.#bookmarks = new Set(bookmarks);
    this.#time = saved?.time ?? 'absolute';
    this.#total = summary.rows;
    this.#layout = new ColumnLayout(
      saved?.hidden ?? (summary.namesDevices ? ['space'] : ['space', 'device']),
      saved?.widths ?? {},
      saved?.chosen,
    );
    this.#rows = new RowCache(
      (first, count, got) => this.#load(first, count, got),
      () => this.#onRows(),
    );
    this.#grid = new TraceGrid({
      ...{ strings, rows: this.#rows, layout: this.#layout },
      selected: () => this.#onSelected(),
      scrolled: () => this.#onScrolled(),
      moved: () => this.#forgetPlace(),
      resized: () => this.#settle(),
      open: () => this.#openDetails(),
      copy: () => this.#copy(),
      escape: () => this.#escape(),
    });
    this.#density = new DensityView({
      ...{ strings, link },
      total: () => this.#total,
      jump: (index) => {
        this.#forgetPlace();
        this.#grid.scroll.scrollTo(Math.round(index - this.#grid.visible / 2));
      },
      failed: (message) => this.#fail(message),
    });
    this.#filterBox = new FilterBox({ strings, link, say, leave, apply: (text) => this.#apply(text) });
    this.#search = new SearchBox({
      ...{ strings, link, say, leave },
      place: () => ({ cursor: this.#grid.selection.cursor, total: this.#total }),
      found: (index) => this.#goToIndex(index),
      saved: saved?.search,
      changed: () => {
        this.#show();
        this.#showDetails();
        this.#settle();
      },
    });
    this.#goTo = new GoToBox({
      ...{ strings, say, leave, context: () => this.#summary },
      go: (place, answered) => this.#seek(place, answered),
    });
    this.#groups = new GroupPanel({
      ...{ strings, link, say },
      filter: (where) => {
        this.useFilter(where);
        this.#grid.focus();
      },
      goTo: (to) => this.goTo(to, true),
      closed: () => this.#closePanel(this.#groups),
    });
    this.#details = new Details({
      strings,
      command: (command, about) => this.#command(command, about),
      bookmark: (about) => this.#toggleBookmark(about),
      closed: () => this.#closePanel(this.#details),
    });
    this.#problems = new ProblemPanel({
      strings,
      goTo: (to) => this.goTo(to, true),
      closed: () => this.#closePanel(this.#problems),
    });
    this.#status = new StatusLine({
      strings,
      filter: (where) => this.useFilter(where),
      showProblems: () => this.#showProblems(),
      retry: () => this.#retry(),
      leave,
      command: (command) => link.tell({ type: 'command', command, row: null, iova: null }),
    });
    const columns = columnMenu({
      strings,
      isShown: (column) => this.#layout.shown.includes(column),
      show: (column, isShown) => {
        this.#layout.show(column, isShown);
        this.#grid.useColumns();
        this.#settle();
      },
    });
    const actions = actionMenu(
      strings,
      (command) => link.tell({ type: 'command', command, row: null, iova: null }),
      (action) => this.act(action),
    );
    const boxes = [this.#filterBox.element, this.#search.element, this.#goTo.element];
    this.#toolbar = toolbar(strings, boxes, [columns.element, actions.element], this.#time, {
      useTime: (mode) => {
        this.#time = mode;
        this.#show();
        this.#settle();
      },
      toggleGroup: () => this.#toggleGroups(),
    });
    this.elements = [
      element('h1', { class: 'sr-only', text: summary.name }),
      this.#toolbar.element,
      element(
        'div',
        { class: 'middle' },
        element(
          'div',
          { class: 'rows' },
          this.#grid.element,
          this.#density.element,
          this.#grid.scroll.element,
        ),
        this.#groups.element,
      ),
      this.#problems.element,
      this.#details.element,
      this.#status.element,
      this.#status.live,
      element('p', { class: 'sr-only', text: strings.keys, attributes: { id: 'keys' } }),
    ];
    this.#pending = row !== null ? { row } : saved;
    if (saved && saved.filter !== '') {
      this.#filterBox.write(saved.filter);
      this.#apply(saved.filter, this.#pending);
    } else this.#show();
    if (saved?.group) this.#openGroups(saved.group);
    if (saved?.details) this.#details.show(undefined, this.#context(), false);
  }

  /** The trace was opened again: nothing that was asked before is answered any more. */
  reopen({ summary, bookmarks, row }: Opened): void {
    this.#summary = summary;
    this.#bookmarks = new Set(bookmarks);
    this.#apply(this.#filter, row !== null ? { row } : this.#place());
  }

  useSummary(summary: TraceSummaryModel): void {
    const { rows } = this.#summary;
    if (summary.rows < rows) {
      // It is being read anew: the cursor goes back when its row is there again.
      this.#expected = Math.max(this.#expected, rows);
      this.#pending ??= this.#place();
    }
    if (summary.complete || summary.rows >= this.#expected) this.#expected = 0;
    this.#summary = summary;
    if (!this.#progress) this.#total = summary.rows;
    if (summary.rows !== rows) this.#rows.retry();
    if (summary.namesDevices && this.#layout.appear('device')) this.#grid.useColumns();
    this.#show();
    this.#density.refresh(!summary.reading);
    this.#groups.useReading(summary.reading);
    if (this.#problems.isOpen) this.#problems.show(summary);
  }

  useBookmarks(rows: readonly number[]): void {
    const row = this.#grid.cursorRow?.row;
    const before = this.#bookmarks;
    this.#bookmarks = new Set(rows);
    const { bookmarked, unbookmarked } = this.#strings;
    if (row !== undefined && before.has(row) !== this.#bookmarks.has(row))
      this.#status.say(fill(before.has(row) ? unbookmarked : bookmarked, grouped(row + 1)));
    this.#show();
    this.#showDetails();
  }

  /** Takes the cursor to a row of the trace, or to the one of the view behind it. */
  goTo(row: number, isFocused: boolean, token?: number): void {
    this.#seek({ row }, (problem, at) => {
      if (problem !== undefined) this.#status.say(problem);
      else if (isFocused) this.#grid.focus();
      if (at !== undefined && at !== row)
        this.#status.say(fill(this.#strings.rowHidden, grouped(row + 1), grouped(at + 1)));
      this.#token = token;
      this.#settle();
    });
  }

  /** Filters in the place of what there is. */
  useFilter(text: string): void {
    this.#filterBox.write(text);
    this.#filterBox.submit();
  }

  act(action: TraceAction): void {
    const row = this.#grid.cursorRow;
    const actions: Readonly<Record<TraceAction, () => void>> = {
      filter: () => this.#filterBox.focus(),
      search: () => this.#search.focus(),
      goTo: () => this.#goTo.focus(),
      group: () => this.#toggleGroups(true),
      rows: () => this.#grid.focus(),
      findNext: () => this.#search.go(false),
      findPrevious: () => this.#search.go(true),
      copy: () => this.#copy(),
      bookmark: () => row && this.#toggleBookmark(row),
      nextBookmark: () => this.#goToBookmark(1),
      previousBookmark: () => this.#goToBookmark(-1),
      replay: () => row && this.#command('replay', row),
      history: () => row && this.#command('history', row),
      copyCell: () => row && this.#copyText(CELLS[this.#grid.column](row, this.#contextAtCursor())),
      copyLine: () => row && this.#copyText((this.#whole?.row === row.row ? this.#whole : row).line),
      filterByValue: () => row && this.#filterByValue(row),
    };
    actions[action]();
  }

  /** In the colours of another theme. */
  repaint(): void {
    this.#density.repaint();
    this.#grid.useColumns();
  }

  #load(first: number, count: number, got: (rows: readonly TraceRowModel[] | undefined) => void): void {
    this.#link.ask({ type: 'rows', first, count }, 'rows', (answer, failure) => {
      if (failure) this.#fail(failure.message);
      else if (this.#problem !== '') this.#fail('');
      if (answer?.rows.some(({ space }) => space !== null) && this.#layout.appear('space'))
        this.#grid.useColumns();
      if (answer && answer.total > this.#total) {
        this.#total = answer.total;
        this.#show();
      }
      if (answer && this.#layout.measure(answer.rows, this.#context())) this.#grid.useColumns();
      got(answer?.rows);
    });
  }

  #context(above?: TraceRowModel): CellContext {
    return { strings: this.#strings, summary: this.#summary, time: this.#time, above };
  }

  #contextAtCursor(): CellContext {
    const { cursor } = this.#grid.selection;
    return this.#context(cursor > 0 ? this.#rows.row(cursor - 1) : undefined);
  }

  /** A text that was searched for, in small letters, for marking. */
  get #wanted(): string {
    const { text, as } = this.#search.state;
    return as === 'text' ? text.toLowerCase() : '';
  }

  /** @param problem  why rows do not show; empty: they do again */
  #fail(problem: string): void {
    if (problem !== '' && problem !== this.#problem) this.#status.say(problem);
    this.#problem = problem;
    this.#showStatus();
  }

  #retry(): void {
    this.#fail('');
    this.#rows.retry();
    this.#grid.refresh();
    this.#density.refresh(true);
  }

  /** A person went elsewhere: the page does not go where it was to go any more. */
  #forgetPlace(): void {
    this.#pending = undefined;
    this.#expected = 0;
    this.#link.cancel(this.#seeking);
  }

  #place(): PendingPlace {
    const { anchor, cursor } = this.#grid.selection;
    return { anchor, cursor, top: this.#grid.scroll.position, column: this.#grid.column };
  }

  /** Makes the filter of a text that was checked. */
  #apply(text: string, place?: PendingPlace): void {
    const row = this.#grid.cursorRow?.row;
    const before = this.#filter;
    this.#search.stop();
    this.#link.nextGen();
    this.#rows.clear();
    this.#filter = text;
    this.#pending = place ?? (row === undefined ? undefined : { row });
    this.#progress = text === '' ? undefined : { matched: 0, scanned: 0, isDone: false };
    this.#total = text === '' ? this.#summary.rows : 0;
    this.#link.ask({ type: 'filter', text }, 'filtered', (answer, failure) => {
      if (answer) this.#onFiltered(answer);
      else if (failure) {
        if (before !== text) this.#apply(before);
        this.#filterBox.refuse([failure.message, failure.hint ?? ''].join(' ').trim());
      }
    });
    this.#show();
    this.#density.reset();
    if (this.#groups.isOpen) this.#groups.show();
    this.#settle();
  }

  #onFiltered({ matched, scanned, done }: Extract<ToTraceView, { type: 'filtered' }>): void {
    const wasDone = this.#progress?.isDone ?? false;
    if (this.#filter !== '') {
      this.#progress = { matched, scanned, isDone: done };
      this.#total = Math.max(this.#total, matched);
    }
    this.#rows.retry();
    this.#show();
    this.#density.refresh(done);
    if (!done || wasDone) return;
    const { rows, rowsFiltered } = this.#strings;
    const all = grouped(this.#summary.rows);
    this.#status.say(this.#progress ? fill(rowsFiltered, grouped(matched), all) : fill(rows, all));
    this.#density.marks(this.#bookmarks, this.#filter === '');
  }

  #show(): void {
    const isWhole = this.#filter === '';
    this.#grid.show({
      ...{ summary: this.#summary, time: this.#time, total: this.#total, isWhole },
      ...{ bookmarks: this.#bookmarks, wanted: this.#wanted },
    });
    const isBusy = this.#progress ? !this.#progress.isDone : this.#summary.reading;
    const nothing = isWhole ? this.#strings.noRows : this.#strings.noMatch;
    this.#grid.say(this.#total > 0 ? '' : isBusy ? this.#strings.loading : nothing);
    this.#restore();
    this.#showStatus();
    this.#onScrolled();
    if (isWhole) this.#density.marks(this.#bookmarks, true);
  }

  /** Goes where the page is to go as soon as it can. */
  #restore(): void {
    const place = this.#pending;
    if (!place) return;
    const isRead = !this.#summary.reading && this.#expected === 0;
    const isSettled = this.#progress ? this.#progress.isDone : isRead;
    if ('row' in place) {
      if (this.#filter === '' ? place.row >= this.#total && !isSettled : !isSettled) return;
      this.#pending = undefined;
      this.#seek({ row: place.row }, (problem) => problem !== undefined && this.#status.say(problem));
    } else if (
      isSettled ||
      this.#total > Math.max(place.anchor, place.cursor, place.top + this.#grid.visible)
    ) {
      this.#pending = undefined;
      this.#grid.select(place, undefined, place.column);
      this.#grid.scroll.scrollTo(place.top);
    }
  }

  #showStatus(): void {
    const selected = Math.min(this.#total, countOf(this.#grid.selection));
    this.#status.show(this.#summary, this.#progress, selected, this.#problem);
  }

  #onRows(): void {
    this.#grid.refresh();
    this.#showDetails();
    this.#settle();
  }

  #onScrolled(): void {
    const { position } = this.#grid.scroll;
    const total = Math.max(1, this.#total);
    this.#density.frame(position / total, (position + this.#grid.visible) / total);
    this.#settle();
  }

  #onSelected(): void {
    this.#token = undefined;
    this.#forgetPlace();
    this.#showStatus();
    this.#showDetails();
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      this.#save();
      const row = this.#grid.cursorRow;
      const { selection } = this.#grid;
      if (row && !this.#pending)
        this.#link.tell({
          ...{ type: 'select', index: selection.cursor, row: row.row },
          ...{ first: firstOf(selection), count: countOf(selection) },
          ...(this.#token !== undefined && { token: this.#token }),
        });
    }, SETTLE_MS);
  }

  #save(): void {
    if (this.#pending) return;
    this.options.save({
      ...{ v: TRACE_STATE_VERSION, filter: this.#filter, time: this.#time },
      ...{ ...this.#grid.selection, top: this.#grid.scroll.position, column: this.#grid.column },
      ...{ hidden: this.#layout.hidden, widths: this.#layout.widths, chosen: this.#layout.chosen },
      ...{ details: this.#details.isOpen, search: this.#search.state },
      group: this.#groups.isOpen ? this.#groups.by : null,
    });
  }

  #goToIndex(index: number): void {
    this.#pending = undefined;
    this.#grid.select({ anchor: index, cursor: index }, 'center');
  }

  #seek(
    place: TracePlaceModel,
    answered: (problem: string | undefined, row: number | undefined) => void,
  ): void {
    const cursor = this.#grid.cursorRow?.row;
    // The same IOVA again is its next row.
    const from = 'iova' in place && cursor !== undefined ? { ...place, after: cursor + 1 } : place;
    // The answer to an older wish must not come after that to this one.
    this.#link.cancel(this.#seeking);
    this.#seeking = this.#link.ask({ type: 'seek', place: from }, 'sought', (answer, failure) => {
      if (answer?.at) this.#goToIndex(answer.at.index);
      answered(answer?.at ? undefined : (failure?.message ?? this.#strings.goToNone), answer?.at?.row);
    });
  }

  #toggleGroups(isOpen = !this.#groups.isOpen): void {
    if (!isOpen) this.#closePanel(this.#groups);
    else {
      this.#openGroups();
      this.#groups.focus();
      this.#settle();
    }
  }

  #openGroups(by = this.#groups.by): void {
    this.#groups.useReading(this.#summary.reading);
    this.#groups.show(by);
    this.#toolbar.pressGroup(true);
  }

  #closePanel(panel: GroupPanel | Details | ProblemPanel): void {
    panel.hide();
    if (panel === this.#groups) this.#toolbar.pressGroup(false);
    this.#grid.focus();
    this.#settle();
  }

  #showProblems(): void {
    this.#problems.show(this.#summary);
    this.#problems.focus();
  }

  #openDetails(): void {
    if (this.#total === 0) return;
    this.#details.show(undefined, this.#context(), false);
    this.#showDetails();
    this.#grid.reveal(this.#grid.selection.cursor);
    this.#settle();
  }

  #showDetails(): void {
    if (!this.#details.isOpen) return;
    const { cursor } = this.#grid.selection;
    const row = this.#rows.row(cursor);
    const whole = row && this.#whole?.row === row.row ? this.#whole : undefined;
    const isBookmarked = row !== undefined && this.#bookmarks.has(row.row);
    this.#details.show(whole ?? row, this.#contextAtCursor(), isBookmarked, this.#wanted);
    if (!row?.cut || whole) return;
    this.#link.ask({ type: 'rows', first: cursor, count: 1 }, 'rows', (answer) => {
      this.#whole = answer?.rows[0];
      if (this.#whole && this.#grid.selection.cursor === cursor) this.#showDetails();
    });
  }

  #escape(): void {
    const { cursor } = this.#grid.selection;
    if (countOf(this.#grid.selection) > 1) this.#grid.select({ anchor: cursor, cursor }, undefined);
    else if (this.#details.isOpen) this.#closePanel(this.#details);
  }

  #copy(): void {
    const { selection } = this.#grid;
    const count = countOf(selection);
    if (this.#total === 0) return;
    if (count > MOST_COPIED_ROWS) {
      this.#status.say(fill(this.#strings.copyTooMany, grouped(MOST_COPIED_ROWS)));
      return;
    }
    this.#link.ask({ type: 'copy', first: firstOf(selection), count }, 'copied', (answer, failure) =>
      this.#status.say(answer ? fill(this.#strings.copied, grouped(answer.rows)) : (failure?.message ?? '')),
    );
  }

  #copyText(text: string): void {
    this.#link.tell({ type: 'copyText', text });
    this.#status.say(this.#strings.copiedText);
  }

  #filterByValue(row: TraceRowModel): void {
    const by = filterOfCell(row, this.#grid.column);
    if (by !== undefined) this.useFilter(narrowed(this.#filter, by));
  }

  #command(command: TraceCommand, { row, iova }: TraceRowModel): void {
    this.#link.tell({ type: 'command', command, row, iova });
  }

  #toggleBookmark({ row }: TraceRowModel): void {
    this.#link.tell({ type: 'bookmark', row });
  }

  #goToBookmark(step: 1 | -1): void {
    const rows = [...this.#bookmarks].sort((one, other) => (one - other) * step);
    const cursor = this.#grid.cursorRow?.row ?? 0;
    const next = rows.find((row) => (row - cursor) * step > 0) ?? rows[0];
    if (next === undefined) this.#status.say(this.#strings.noBookmarks);
    else this.goTo(next, true);
  }
}
