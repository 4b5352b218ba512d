import { type TraceNames } from '../model/dictionary';
import { latin1 } from '../text/lineScanner';
import { type EventRule } from './eventRule';

/** An event that stands in a trace: its number in the trace's names, and how its payload is read if anything knows. */
export interface EventEntry {
  readonly rule: EventRule | undefined;
  readonly id: number;
}

interface Slot extends EventEntry {
  readonly name: Uint8Array;
}

/** A power of two; a trace has tens of events. */
const BUCKETS = 1024;
/** Names without a rule that are remembered: a file of noise has as many as lines. */
const REMEMBERED = 4096;

/** Finds events by the bytes of their names, without making strings of those that were met before. */
export class EventTable {
  readonly #rules: ReadonlyMap<string, EventRule>;
  readonly #names: TraceNames;
  readonly #buckets: (Slot[] | undefined)[] = new Array<Slot[] | undefined>(BUCKETS).fill(undefined);
  #remembered = 0;

  constructor(rules: ReadonlyMap<string, EventRule>, names: TraceNames) {
    this.#rules = rules;
    this.#names = names;
  }

  /** The event bytes[start, end), if there is a rule for it. It gets its number when it is first found. */
  find(bytes: Uint8Array, start: number, end: number): EventEntry | undefined {
    const slot = this.#slot(bytes, start, end);
    if (slot) return slot.rule ? slot : undefined;
    return this.#rules.has(latin1(bytes, start, end)) ? this.entry(bytes, start, end) : undefined;
  }

  /** The event bytes[start, end), with or without a rule: what is no event must not be asked for, because it gets a number. */
  entry(bytes: Uint8Array, start: number, end: number): EventEntry {
    const slot = this.#slot(bytes, start, end);
    if (slot) return slot;
    const text = latin1(bytes, start, end);
    const rule = this.#rules.get(text);
    const made = { rule, id: this.#names.events.id(text), name: bytes.slice(start, end) };
    if (rule || this.#remembered < REMEMBERED) {
      if (!rule) this.#remembered++;
      (this.#buckets[bucketOf(bytes, start, end)] ??= []).push(made);
    }
    return made;
  }

  #slot(bytes: Uint8Array, start: number, end: number): Slot | undefined {
    const bucket = this.#buckets[bucketOf(bytes, start, end)];
    if (!bucket) return undefined;
    for (const slot of bucket) if (same(slot.name, bytes, start, end)) return slot;
    return undefined;
  }
}

function bucketOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  return (hash ^ (hash >>> 10)) & (BUCKETS - 1);
}

function same(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false;
  return true;
}
