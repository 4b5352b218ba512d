import { assert, failure, success, type Result } from '../result';
import { Dealer } from './deal';
import { type TrafficAccess, type TrafficGenerator } from './generator';
import { makeGenerator } from './index';
import { streamSeed } from './runs';
import { type TrafficSpec } from './spec';

/** Sources that one stream takes. */
export const MOST_SOURCES = 64;

/** The accesses of several sources as they come: each makes its own, dealt out by their rates (`Dealer`). */
export class TrafficStream {
  readonly generators: readonly TrafficGenerator[];
  /** Of the access that `next` gave last: the source, by its place in the list. */
  source = 0;
  readonly #dealer: Dealer;

  private constructor(generators: readonly TrafficGenerator[], dealer: Dealer) {
    this.generators = generators;
    this.#dealer = dealer;
  }

  /** Each source has a seed of its own, made from this one and its place. Fails as `makeGenerator` does. */
  static make(sources: readonly TrafficSpec[], seed: number): Result<TrafficStream> {
    if (sources.length < 1 || sources.length > MOST_SOURCES)
      return failure(
        'traffic/sources',
        `There are ${sources.length} sources of traffic.`,
        `There are from 1 to ${MOST_SOURCES}.`,
      );
    const generators: TrafficGenerator[] = [];
    for (const [index, spec] of sources.entries()) {
      const made = makeGenerator(spec, streamSeed(seed, index));
      if (!made.ok) return made;
      generators.push(made.value);
    }
    const dealt = sources.map(({ rate = 0 }, index) => ({
      rate,
      bytesPerAccess: generators[index]?.bytesPerAccess ?? 1,
    }));
    return success(new TrafficStream(generators, new Dealer(dealt)));
  }

  next(): TrafficAccess {
    this.source = this.#dealer.next();
    const generator = this.generators[this.source];
    assert(generator, 'each source has a generator');
    return generator.next();
  }

  /** As so many calls of `next`; `wrote` hears of the pages that were written, and by which source. */
  skip(accesses: number, wrote?: (source: number, startPage: number, endPage: number) => void): void {
    for (const [source, count] of this.#dealer.skip(accesses).entries())
      this.generators[source]?.skip(
        count,
        wrote &&
          ((startPage, endPage) => {
            wrote(source, startPage, endPage);
          }),
      );
  }
}
