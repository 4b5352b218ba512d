import { type AccessObserver } from '../ledger/accessObserver';
import { PageBits } from '../ledger/pageBits';

/** Hands accesses on to the ledger, and keeps how many pages they wrote. */
export class Meter implements AccessObserver {
  readonly #next: AccessObserver;
  readonly #written = new PageBits();
  pagesWritten = 0;
  pagesReported = 0;

  constructor(next: AccessObserver) {
    this.#next = next;
  }

  wrote(...access: Parameters<AccessObserver['wrote']>): void {
    const [writer, , frame] = access;
    if (writer.kind !== 'walker' && !this.#written.has(frame)) {
      this.#written.add(frame);
      this.pagesWritten++;
    }
    this.#next.wrote(...access);
  }

  read(...access: Parameters<AccessObserver['read']>): void {
    this.#next.read(...access);
  }
}
