/** Requests that were translated, and whose data has not landed yet. */
export class InFlight {
  /** Ticket -> READ | WRITE. */
  readonly #tickets = new Map<number, number>();
  #next = 1;

  get size(): number {
    return this.#tickets.size;
  }

  /** `access`: READ | WRITE. Returns the ticket to land with. */
  start(access: number): number {
    const ticket = this.#next++;
    this.#tickets.set(ticket, access);
    return ticket;
  }

  land(ticket: number): void {
    this.#tickets.delete(ticket);
  }

  /** Names the requests that are in flight now, for `hasOlder`. */
  get now(): number {
    return this.#next;
  }

  /** Whether requests of these directions (READ | WRITE) are still in flight that were so at `mark`. */
  hasOlder(mark: number, access: number): boolean {
    for (const [ticket, direction] of this.#tickets) {
      if (ticket >= mark) return false;
      if ((direction & access) !== 0) return true;
    }
    return false;
  }
}
