import { type Steps } from '../../../steps';
import { done, type Outcome } from '../../errno';
import { type DriverPolicy } from '../../driverFaults';
import { type SoftwareStep } from '../../softwareStep';
import { type StructureMemory } from './structureMemory';

/** An entry whose first word says in bit 0 that it is present, and how it is to become. */
export interface EntryChange {
  /** `PASID entry` */
  readonly name: string;
  readonly address: number;
  readonly next: readonly bigint[];
  /** Drops what caches hold of the entry as it was, and of what it led to. */
  readonly forget: () => Steps<SoftwareStep, Outcome<null>>;
  /** Not-present entries are cached, so that a new one has to be made known. */
  readonly announce?: () => Steps<SoftwareStep, Outcome<null>>;
}

const PRESENT = 1n;

/**
 * Changes an entry of several words that hardware may read in parts. A change of one word is one store: nobody is disturbed.
 * Otherwise the entry is made not present, forgotten by the caches, and only then written, its first word last.
 */
export function* replaceEntry(
  memory: StructureMemory,
  { unpublishesFirst }: DriverPolicy,
  { name, address, next, forget, announce }: EntryChange,
): Steps<SoftwareStep, Outcome<null>> {
  const now = memory.readAll(address, next.length);
  const [first = 0n] = now;
  const [head = 0n] = next;
  const changed = next.flatMap((word, index) => (word === now[index] ? [] : [index]));
  if (changed.length === 0) return done(null);
  const wasPresent = (first & PRESENT) !== 0n;
  const isOneStore = changed.length === 1 && (head & PRESENT) !== 0n;
  const disturbs = wasPresent && !isOneStore && unpublishesFirst;
  if (disturbs) {
    yield* memory.store(`${name} word 0`, address, first & ~PRESENT);
    const forgotten = yield* forget();
    if (!forgotten.ok) return forgotten;
  }
  for (const index of changed.filter((word) => word > 0).reverse()) {
    yield* memory.store(`${name} word ${index}`, address + 8 * index, next[index] ?? 0n);
  }
  if (head !== memory.read(address)) yield* memory.store(`${name} word 0`, address, head);
  if (wasPresent && !disturbs) return yield* forget();
  return announce && (head & PRESENT) !== 0n ? yield* announce() : done(null);
}
