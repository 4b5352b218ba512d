import { type DmaLine } from '../engine/machine/dmaLine';
import { type TrafficOperation } from '../engine/machine/operation';

/** Tells sources of traffic apart by what they say; long lists of requests by which list they are. */
export class SourceKeys {
  readonly #lists = new Map<readonly DmaLine[], number>();

  of(sources: TrafficOperation['sources']): string {
    return JSON.stringify(
      sources.map((source) => {
        const { traffic } = source;
        return traffic.kind === 'requests'
          ? { ...source, traffic: { ...traffic, requests: this.#list(traffic.requests) } }
          : source;
      }),
    );
  }

  #list(requests: readonly DmaLine[]): number {
    const number = this.#lists.get(requests) ?? this.#lists.size;
    this.#lists.set(requests, number);
    return number;
  }
}
