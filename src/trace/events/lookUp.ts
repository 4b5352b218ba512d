import { type TraceNames } from '../model/dictionary';
import { latin1 } from '../text/lineScanner';
import { SliceTable } from '../text/sliceTable';
import { type EventRule } from './eventRule';

/** An event that stands in a trace: its number in the trace's names, and how its payload is read if anything knows. */
export interface EventEntry {
  readonly rule: EventRule | undefined;
  readonly id: number;
}

/** Names without a rule that are remembered: a file of noise has as many as lines. */
const REMEMBERED = 4096;

/** Finds events by the bytes of their names, without making strings of those that were met before. */
export class EventTable {
  readonly #rules: ReadonlyMap<string, EventRule>;
  readonly #names: TraceNames;
  /** Places in `entries` by names. */
  readonly #places = new SliceTable();
  readonly #entries: EventEntry[] = [];

  constructor(rules: ReadonlyMap<string, EventRule>, names: TraceNames) {
    this.#rules = rules;
    this.#names = names;
  }

  /** The event bytes[start, end), if there is a rule for it. It gets its number when it is first found. */
  find(bytes: Uint8Array, start: number, end: number): EventEntry | undefined {
    const known = this.#entries[this.#places.find(bytes, start, end)];
    if (known) return known.rule ? known : undefined;
    const name = latin1(bytes, start, end);
    return this.#rules.has(name) ? this.#add(bytes, start, end, name) : undefined;
  }

  /** The event bytes[start, end), with or without a rule: what is no event must not be asked for, because it gets a number. */
  entry(bytes: Uint8Array, start: number, end: number): EventEntry {
    const known = this.#entries[this.#places.find(bytes, start, end)];
    return known ?? this.#add(bytes, start, end, latin1(bytes, start, end));
  }

  #add(bytes: Uint8Array, start: number, end: number, name: string): EventEntry {
    const entry = { rule: this.#rules.get(name), id: this.#names.events.id(name) };
    if (entry.rule || this.#entries.length < REMEMBERED) {
      this.#places.add(bytes, start, end, this.#entries.length);
      this.#entries.push(entry);
    }
    return entry;
  }
}
