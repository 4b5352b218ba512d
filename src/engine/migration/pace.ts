/** Whole events of a rate as time passes: none is lost to rounding. */
export class Pace {
  readonly #perSecond: number;
  #elapsed = 0;
  #done = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Events so far. */
  get done(): number {
    return this.#done;
  }

  /** Lets seconds pass; the events that fall into them. */
  due(seconds: number): number {
    this.#elapsed += seconds;
    const all = Math.max(this.#done, Math.floor(this.#elapsed * this.#perSecond));
    const due = all - this.#done;
    this.#done = all;
    return due;
  }
}
