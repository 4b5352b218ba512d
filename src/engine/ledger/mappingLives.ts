import { type PageRange } from '../iommu/cacheOperation';
import { READ, WRITE } from '../pageTable/entryClass';

/** Pages that software mapped by one operation, or what is left of them. Times are step numbers; Infinity: not yet. */
export interface MappingLife extends PageRange {
  /** Of `startPage`. */
  readonly frame: number;
  /** READ | WRITE. */
  readonly permission: number;
  /** The operation began: accesses are allowed. */
  readonly begun: number;
  /** The operation was done: no access faults. */
  promised: number;
  /** An operation that takes it away began. */
  readonly ended: number;
  /** It was done: nothing may use it any more; `command`: the invalidation that saw to it. */
  readonly settled: number;
  readonly command?: string | undefined;
}

/** What software promised of an access. */
export type Verdict =
  | { readonly kind: 'allowed' }
  /** `life`: the mapping that was used, when there was one. */
  | { readonly kind: 'stale'; readonly life: MappingLife | undefined };

const ALLOWED: Verdict = { kind: 'allowed' };
/** Mappings that are gone and still known: the oldest are forgotten. */
const MOST_ENDED = 4096;

/** The mappings of one domain as its software sees them, now and before. */
export class MappingLives {
  /** Ascending, without overlaps. */
  #current: MappingLife[] = [];
  /** Oldest first. */
  #ended: MappingLife[] = [];

  /** Current mappings, ascending. */
  get current(): readonly MappingLife[] {
    return this.#current;
  }

  begin(range: PageRange, frame: number, permission: number, step: number): void {
    this.end(range, step);
    const life: MappingLife = {
      startPage: range.startPage,
      endPage: range.endPage,
      frame,
      permission,
      begun: step,
      promised: Infinity,
      ended: Infinity,
      settled: Infinity,
    };
    this.#current.splice(this.#after(range.startPage), 0, life);
  }

  /** The operation that mapped these pages is done. */
  promise(range: PageRange, step: number): void {
    for (const life of this.#overlapping(range)) life.promised = Math.min(life.promised, step);
  }

  /** An operation begins that takes these pages away. */
  end(range: PageRange, step: number): void {
    const gone = this.#overlapping(range);
    const [first] = gone;
    if (!first) return;
    const left = gone.flatMap((life) => [
      ...part(life, { startPage: life.startPage, endPage: range.startPage }),
      ...part(life, { startPage: range.endPage, endPage: life.endPage }),
    ]);
    this.#current.splice(this.#current.indexOf(first), gone.length, ...left);
    this.#ended.push(...gone.flatMap((life) => part(life, range)).map((life) => ({ ...life, ended: step })));
    if (this.#ended.length > MOST_ENDED) this.#ended = this.#ended.slice(-MOST_ENDED);
  }

  /** From now on nothing may use what was taken away in this range. */
  settle(range: PageRange, step: number, command: string | undefined): void {
    this.#ended = this.#ended.flatMap((life) => {
      const covered = part(life, range);
      if (life.settled !== Infinity || covered.length === 0) return [life];
      return [
        ...part(life, { startPage: life.startPage, endPage: range.startPage }),
        ...covered.map((each) => ({ ...each, settled: step, command })),
        ...part(life, { startPage: range.endPage, endPage: life.endPage }),
      ];
    });
  }

  judge(page: number, frame: number, write: boolean): Verdict {
    const fits = (life: MappingLife): boolean =>
      page >= life.startPage &&
      page < life.endPage &&
      life.frame + page - life.startPage === frame &&
      (life.permission & (write ? WRITE : READ)) !== 0;
    const now = this.#at(page);
    if (now && fits(now)) return ALLOWED;
    const before = this.#ended.filter(fits).at(-1);
    return before?.settled === Infinity ? ALLOWED : { kind: 'stale', life: before };
  }

  /** Whether software has promised since `step` that this access does not fault. */
  promises(page: number, write: boolean, step: number): boolean {
    const life = this.#at(page);
    return life !== undefined && life.promised <= step && (life.permission & (write ? WRITE : READ)) !== 0;
  }

  /** Pieces of a range of pages with the frames behind them now. */
  framesOf(
    range: PageRange,
  ): { readonly startPage: number; readonly endPage: number; readonly frame: number }[] {
    return this.#overlapping(range).flatMap((life) => part(life, range));
  }

  #at(page: number): MappingLife | undefined {
    const life = this.#current[this.#after(page) - 1];
    return life && page < life.endPage ? life : undefined;
  }

  /** Index of the first mapping that starts after a page. */
  #after(page: number): number {
    let low = 0;
    let high = this.#current.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#current[middle]?.startPage ?? Infinity) <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #overlapping(range: PageRange): MappingLife[] {
    if (range.startPage >= range.endPage) return [];
    const first = Math.max(0, this.#after(range.startPage) - 1);
    const end = this.#after(range.endPage - 1);
    return this.#current.slice(first, end).filter(({ endPage }) => endPage > range.startPage);
  }
}

/** The part of a mapping that lies in a range: one or none. */
function part(life: MappingLife, { startPage, endPage }: PageRange): MappingLife[] {
  const start = Math.max(life.startPage, startPage);
  const end = Math.min(life.endPage, endPage);
  if (start >= end) return [];
  return [{ ...life, startPage: start, endPage: end, frame: life.frame + start - life.startPage }];
}
