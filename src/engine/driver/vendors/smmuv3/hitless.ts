import { type Steps } from '../../../steps';
import { type DriverPolicy } from '../../driverFaults';
import { done, type Outcome } from '../../errno';
import { type SoftwareStep } from '../../softwareStep';
import { type StructureMemory } from '../common/structureMemory';
import { type EntryWords } from './entries';

/** How one STE or CD changes. */
export interface HitlessChange {
  /** `STE` */
  readonly name: string;
  readonly address: number;
  readonly next: EntryWords;
  readonly validBit: bigint;
  /** The bits that hardware looks at. */
  readonly usedOf: (words: EntryWords) => EntryWords;
  /** Drops the entry from caches, and waits. */
  readonly forget: () => Steps<SoftwareStep, Outcome<null>>;
}

/**
 * Changes an entry that hardware reads word by word, at any time (IHI 0070 3.21.3). Where all that hardware looks at before and
 * after differs in one word, it never meets a mixture: first the bits that it does not look at yet, then that word, then the
 * bits that it looks at no more, each forgotten by caches before the next. Else the entry is not valid meanwhile.
 */
export function* changeHitless(
  memory: StructureMemory,
  { ordersWords }: DriverPolicy,
  { name, address, next, validBit, usedOf, forget }: HitlessChange,
): Steps<SoftwareStep, Outcome<null>> {
  const now = memory.readAll(address, next.length);
  const usedNow = usedOf(now);
  const usedNext = usedOf(next);
  const prepared = next.map((word, index) => {
    const used = usedNow[index] ?? 0n;
    return ((now[index] ?? 0n) & used) | (word & ~used);
  });
  const critical = next.flatMap((word, index) =>
    ((prepared[index] ?? 0n) & (usedNext[index] ?? 0n)) === (word & (usedNext[index] ?? 0n)) ? [] : [index],
  );
  const [word = 0] = critical;
  const write = (words: EntryWords, but?: number) => writeWords(memory, name, address, words, but);
  if (critical.length > 1) {
    yield* memory.store(`${name} word 0`, address, (now[0] ?? 0n) & ~validBit);
    const forgotten = yield* forget();
    if (!forgotten.ok) return forgotten;
    yield* write(next, 0);
    yield* write(next);
    return yield* forget();
  }
  if (critical.length === 0) return (yield* write(next)) ? yield* forget() : done(null);
  const stages: (() => Steps<SoftwareStep, boolean>)[] = [
    () => write(prepared, word),
    () => write(next.map((each, index) => (index === word ? each : memory.read(address + 8 * index)))),
    () => write(next),
  ];
  if (!ordersWords) stages.splice(0, 2, ...stages.slice(0, 2).reverse());
  for (const stage of stages) {
    if (!(yield* stage())) continue;
    const forgotten = yield* forget();
    if (!forgotten.ok) return forgotten;
  }
  return done(null);
}

/** Stores the words that differ, word 0 last; false: none does. */
function* writeWords(
  memory: StructureMemory,
  name: string,
  address: number,
  words: EntryWords,
  but?: number,
): Steps<SoftwareStep, boolean> {
  let wrote = false;
  for (let index = words.length - 1; index >= 0; index--) {
    const word = words[index] ?? 0n;
    if (index === but || memory.read(address + 8 * index) === word) continue;
    yield* memory.store(`${name} word ${index}`, address + 8 * index, word);
    wrote = true;
  }
  return wrote;
}
