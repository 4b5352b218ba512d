/** What the engine lists and counts of the address spaces of a directory, in the process of the test. */
import assert from 'node:assert/strict';
import { type DeviceDirectory, type DirectoryAnswer } from '../../src/engine/directory/deviceDirectory';
import { levelOf, type CompiledFormat } from '../../src/engine/formats/compile';
import { type AddressSpace } from '../../src/engine/pageTable/addressSpace';
import { permissionText } from '../../src/engine/pageTable/entry';
import { listRuns } from '../../src/engine/pageTable/list';
import { countSpace } from '../../src/engine/pageTable/statistics';

const levelNumber = (format: CompiledFormat, depth: number): number => levelOf(format, depth).rule.level;

/** The address spaces that the devices of a directory use, by root. */
export function spacesByRoot(directory: DeviceDirectory): Map<bigint, AddressSpace> {
  const spaces = new Map<bigint, AddressSpace>();
  for (const device of directory.devices()) {
    const answer: DirectoryAnswer | undefined = device?.lookup.answer;
    if (answer?.kind === 'table') spaces.set(BigInt(answer.space.root) << 12n, answer.space);
  }
  return spaces;
}

/** What a generator returns in the end. */
function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

export interface SpaceCounts {
  /** Tables by level. */
  readonly tables: Record<string, number>;
  readonly leaves: number;
  /** Key `L2:0x200000`. */
  readonly leaf_by_level_size: Record<string, number>;
  /** Keys `RW`, `R`, `W`. */
  readonly perms: Record<string, number>;
  readonly mapped_bytes: number;
}

/** Counts of an address space, in which nothing is wrong. */
export function countsOf(space: AddressSpace): SpaceCounts {
  const counted = finish(countSpace(space));
  assert.deepEqual(
    { problems: counted.problems, unreadable: counted.unreadableTables, complete: counted.complete },
    { problems: 0, unreadable: 0, complete: true },
  );
  const sizes: Record<string, number> = {};
  const perms: Record<string, number> = {};
  let total = 0;
  for (const { depth, pageShift, permission, leaves } of counted.leaves) {
    if (leaves === 0) continue;
    const size = `L${levelNumber(space.format, depth)}:0x${(1n << BigInt(pageShift)).toString(16)}`;
    sizes[size] = (sizes[size] ?? 0) + leaves;
    const perm = permissionText(permission);
    perms[perm] = (perms[perm] ?? 0) + leaves;
    total += leaves;
  }
  const tables = [...counted.tables].filter(([, count]) => count > 0);
  return {
    tables: Object.fromEntries(
      tables.map(([depth, count]) => [String(levelNumber(space.format, depth)), count]),
    ),
    leaves: total,
    leaf_by_level_size: sizes,
    perms,
    mapped_bytes: counted.mappedPages * 4096,
  };
}

export interface ListedRun {
  readonly iova: bigint;
  readonly length: bigint;
  readonly paddr: bigint;
  readonly perm: string;
  readonly page: bigint;
  readonly n: number;
}

/** All runs of an address space, merged where only A and D tell them apart, as the manifests do. */
export function runsOf(space: AddressSpace): readonly ListedRun[] {
  const listed = finish(listRuns(space, { startPage: 0, endPage: 2 ** 52, limit: 100_000 }));
  assert.equal(listed.nextPage, undefined);
  assert.equal(listed.unreadableTables, 0);
  const { runs } = listed;
  const merged: ListedRun[] = [];
  for (let row = 0; row < runs.length; row++) {
    const page = 1n << BigInt(runs.pageShiftOf(row));
    const n = runs.count[row] ?? 0;
    const run = {
      iova: BigInt(runs.page[row] ?? 0) << 12n,
      length: page * BigInt(n),
      paddr: BigInt(runs.frame[row] ?? 0) << 12n,
      perm: permissionText(runs.permissionOf(row)),
      page,
      n,
    };
    const last = merged.at(-1);
    const joins =
      last?.perm === run.perm &&
      last.page === page &&
      last.iova + last.length === run.iova &&
      last.paddr + last.length === run.paddr;
    if (last && joins)
      merged[merged.length - 1] = { ...last, length: last.length + run.length, n: last.n + n };
    else merged.push(run);
  }
  return merged;
}
