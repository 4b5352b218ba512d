import { asksToWrite, type DmaRequest } from '../iommu/request';
import { type OperationReport } from './operation';

/** Requests that a report names, of each kind. */
const MOST_TOLD = 1000;

/** What became of the requests of one operation. */
export class DmaTally {
  readonly #counts = { requests: 0, landed: 0, refused: 0, reads: 0, writes: 0, bytes: 0 };
  readonly #refused: { index: number; fault: string }[] = [];
  readonly #landed: { index: number; address: string }[] = [];

  refuse(index: number, fault: string): void {
    this.#counts.requests++;
    this.#counts.refused++;
    if (this.#refused.length < MOST_TOLD) this.#refused.push({ index, fault });
  }

  /** `address`: where the first access landed. */
  land(index: number, request: DmaRequest, address: string): void {
    const counts = this.#counts;
    counts.requests++;
    counts.landed++;
    counts.bytes += request.length;
    if (request.access !== 'write') counts.reads++;
    if (asksToWrite(request)) counts.writes++;
    if (this.tellsAddress) this.#landed.push({ index, address });
  }

  /** Whether the address of what lands next is told. */
  get tellsAddress(): boolean {
    return this.#landed.length < MOST_TOLD;
  }

  report(): OperationReport {
    const { requests, landed, refused } = this.#counts;
    const lost = refused ? `, ${refused.toLocaleString('en')} refused` : '';
    const sent = `${requests.toLocaleString('en')} request${requests === 1 ? '' : 's'}`;
    return {
      summary: `${sent}: ${landed.toLocaleString('en')} landed${lost}.`,
      counts: { ...this.#counts },
      refused: this.#refused,
      landed: this.#landed,
    };
  }
}
