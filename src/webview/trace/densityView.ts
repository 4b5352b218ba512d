import { type TraceStrings } from '../messages/traceStrings';
import { DensityStrip } from './densityStrip';
import { type HostLink } from './hostLink';

/** While the trace is read, or the filter asks on, the strip is counted again so often at most. */
const REFRESH_MS = 1500;
/** Bookmarks that are looked for in a filtered view. */
const MOST_MARKS = 100;

export interface DensityViewOptions {
  readonly strings: TraceStrings;
  readonly link: HostLink;
  readonly total: () => number;
  /** The grid is to show what is around this index. */
  readonly jump: (index: number) => void;
  /** It could not be counted. */
  readonly failed: (message: string) => void;
}

/** Keeps the density strip true to the view. */
export class DensityView {
  readonly #strip: DensityStrip;
  #timer = 0;
  #asked = 0;
  #marks = '';

  constructor(private readonly options: DensityViewOptions) {
    this.#strip = new DensityStrip({
      strings: options.strings,
      sized: () => this.#ask(),
      jump: (share) => options.jump(Math.floor(share * options.total())),
    });
  }

  get element(): HTMLElement {
    return this.#strip.element;
  }

  repaint(): void {
    this.#strip.paint();
  }

  frame(start: number, end: number): void {
    this.#strip.frame(start, end);
  }

  /** It is another view. */
  reset(): void {
    this.#marks = '';
    this.#strip.show(undefined);
    this.#strip.marks([]);
    this.#ask();
  }

  /** There are more rows. @param isLast  and no more come for now */
  refresh(isLast: boolean): void {
    if (isLast) this.#ask();
    else this.#timer ||= setTimeout(() => this.#ask(), REFRESH_MS);
  }

  /** @param isWhole  the view is all rows, so that a row's index is known */
  marks(rows: ReadonlySet<number>, isWhole: boolean): void {
    const { link, total } = this.options;
    const key = JSON.stringify([...rows, total(), isWhole]);
    if (key === this.#marks) return;
    this.#marks = key;
    const all = Math.max(1, total());
    if (isWhole) {
      this.#strip.marks([...rows].map((row) => row / all));
      return;
    }
    const shares: number[] = [];
    this.#strip.marks(shares);
    for (const row of [...rows].slice(0, MOST_MARKS))
      link.ask({ type: 'seek', place: { row } }, 'sought', (answer) => {
        if (answer?.at?.row !== row) return;
        shares.push(answer.at.index / all);
        this.#strip.marks(shares);
      });
  }

  #ask(): void {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { link, total } = this.options;
    const buckets = Math.min(this.#strip.buckets, total());
    if (buckets === 0) return;
    link.cancel(this.#asked);
    this.#asked = link.ask({ type: 'density', buckets }, 'density', (answer, failure) => {
      if (answer) this.#strip.show(answer);
      else if (failure) this.options.failed(failure.message);
    });
  }
}
