import { type DirectoryDevice } from '../directory/deviceDirectory';
import { openDirectory } from '../directory/index';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type AddressSpace } from '../pageTable/addressSpace';
import { countSpace } from '../pageTable/statistics';
import { type RootProposal } from './proposal';

/** How much of what is below a candidate is read. */
export interface Budget {
  /** Steps of listing its devices, each of bounded work. */
  readonly steps: number;
  /** Entries of its page tables, about. */
  readonly entries: number;
}

/** Entries of the page tables of one domain in one reading. */
const MOST_ENTRIES_OF_DOMAIN = 2 ** 16;
/** A domain with at most this part of its entries no good counts as one all the same: dumps lack pages, tables are edited. */
const TOLERATED = 0.02;

/** What was found by reading everything below a candidate. */
export interface Evidence {
  /** Name of the directory's mode: `VT-d legacy`. */
  readonly mode: string;
  readonly devices: number;
  readonly withTables: number;
  readonly passThrough: number;
  readonly blocked: number;
  /** Devices whose entry is no good. */
  readonly badDevices: number;
  /** Address spaces with leaves, those of them in which a little is wrong, those without a leaf, and no page tables. */
  readonly domains: number;
  readonly damagedDomains: number;
  readonly emptyDomains: number;
  readonly badDomains: number;
  readonly tables: number;
  readonly leaves: number;
  /** Malformed entries and leaves that allow nothing; tables that are not in the image. */
  readonly malformed: number;
  readonly unreadableTables: number;
  /** What the directory says of itself above the devices. */
  readonly directoryProblems: number;
  /** False when a bound was reached: all numbers are lower bounds. */
  readonly complete: boolean;
}

/** Opens the directory that a proposal describes and reads what is below it. */
export function* gatherEvidence(
  memory: PhysicalMemory,
  { kind, registers }: RootProposal,
  budget: Budget,
): Generator<number, Evidence | undefined> {
  const opened = openDirectory(kind, memory, registers);
  if (!opened.ok) return undefined;
  const directory = opened.value;
  const counts = { devices: 0, withTables: 0, passThrough: 0, blocked: 0, badDevices: 0 };
  const spaces = new Set<AddressSpace>();
  let steps = 0;
  for (const device of directory.devices()) {
    yield 1;
    if (++steps > budget.steps) break;
    if (!device) continue;
    counts.devices++;
    counts[kindOf(device)]++;
    for (const space of spacesOf(device)) spaces.add(space);
  }
  const below = yield* readSpaces(spaces, budget.entries);
  return {
    mode: directory.mode,
    ...counts,
    ...below,
    directoryProblems: directory.problems().length,
    complete: below.complete && steps <= budget.steps,
  };
}

function kindOf({ lookup: { answer } }: DirectoryDevice) {
  if (answer.kind === 'table') return 'withTables';
  if (answer.kind === 'pass-through') return 'passThrough';
  return answer.fault === 'translation-blocked' ? 'blocked' : 'badDevices';
}

function spacesOf({ lookup: { answer } }: DirectoryDevice): AddressSpace[] {
  if (answer.kind !== 'table') return [];
  const { space, upper } = answer;
  return [space, ...(upper ? [upper] : []), ...(space.stage2 ? [space.stage2] : [])];
}

function* readSpaces(spaces: ReadonlySet<AddressSpace>, budget: number) {
  const sum = {
    domains: 0,
    damagedDomains: 0,
    emptyDomains: 0,
    badDomains: 0,
    tables: 0,
    leaves: 0,
    malformed: 0,
    unreadableTables: 0,
    complete: true,
  };
  let left = budget;
  let unread = spaces.size;
  for (const space of spaces) {
    if (left <= 0) {
      sum.complete = false;
      break;
    }
    // Each domain has its share of what is left, so that a large one does not hide the others.
    const counting = countSpace(space, Math.min(MOST_ENTRIES_OF_DOMAIN, Math.ceil(left / unread--)));
    let step = counting.next();
    for (; step.done !== true; step = counting.next()) {
      left -= step.value;
      yield step.value;
    }
    const { unreadableTables, complete } = step.value;
    const useless = step.value.leaves.filter(({ permission }) => permission === 0);
    const wrong = step.value.problems + sumOf(useless.map((each) => each.leaves));
    const leaves = sumOf(step.value.leaves.map((each) => each.leaves));
    const tables = sumOf([...step.value.tables.values()]);
    sum.tables += tables;
    sum.leaves += leaves;
    sum.malformed += wrong;
    sum.unreadableTables += unreadableTables;
    sum.complete &&= complete;
    if (wrong + unreadableTables > TOLERATED * (leaves + tables)) sum.badDomains++;
    else if (leaves === 0) sum.emptyDomains++;
    else {
      sum.domains++;
      if (wrong + unreadableTables > 0) sum.damagedDomains++;
    }
  }
  return sum;
}

const sumOf = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
