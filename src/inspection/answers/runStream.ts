import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { DEFAULT_ENTRY_BUDGET, listRuns, type RunList } from '../../engine/pageTable/list';
import { RunColumns } from '../../engine/pageTable/runColumns';
import { type Work } from '../work';

/** Runs read at once. */
const PAGE = 1024;

/** Entries that a request may still read, shared by its streams. */
export interface Budget {
  left: number;
}

export const newBudget = (): Budget => ({ left: DEFAULT_ENTRY_BUDGET });

/** The runs of an address space in IOVA order, read a page at a time into the same columns. */
export class RunStream {
  readonly columns = new RunColumns(PAGE);
  /** The run that the stream stands at. */
  row = 0;
  unreadableTables = 0;
  cycles = 0;
  gaveUp = false;
  readonly #space: AddressSpace;
  readonly #budget: Budget;
  readonly #endPage: number;
  /** Where to read on; undefined at the end. */
  #next: number | undefined;

  /** Leaves that overlap the half-open range of pages are given whole. */
  constructor(space: AddressSpace, budget: Budget, startPage: number, endPage: number) {
    this.#space = space;
    this.#budget = budget;
    this.#next = startPage;
    this.#endPage = endPage;
    this.columns.length = 0;
  }

  /** True when the page that was read is used up. */
  get atEnd(): boolean {
    return this.row >= this.columns.length;
  }

  /** First page that was not read; undefined at the end of the space. */
  get nextPage(): number | undefined {
    return this.#next;
  }

  /** Reads the next page of runs; false when there are no more, or when the budget is used up. */
  *fill(): Work<boolean> {
    this.row = 0;
    this.columns.length = 0;
    while (this.#next !== undefined && this.columns.length === 0 && !this.gaveUp) {
      const list: RunList = yield* this.#read(this.#next);
      this.#next = list.nextPage;
      this.unreadableTables += list.unreadableTables;
      this.cycles += list.cycles;
      this.gaveUp = list.gaveUp;
      yield 1;
    }
    return this.columns.length > 0;
  }

  *#read(startPage: number): Work<RunList> {
    const { columns } = this;
    const entryBudget = Math.max(1, this.#budget.left);
    const list = listRuns(this.#space, {
      startPage,
      endPage: this.#endPage,
      limit: PAGE,
      entryBudget,
      columns,
    });
    for (;;) {
      const step = list.next();
      if (step.done === true) return step.value;
      this.#budget.left -= step.value;
      yield step.value;
    }
  }
}
