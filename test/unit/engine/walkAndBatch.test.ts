import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compileFormat } from '../../../src/engine/formats/compile';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { interruptPages, zeroExtended, type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { listRuns } from '../../../src/engine/pageTable/list';
import { countSpace } from '../../../src/engine/pageTable/statistics';
import { BatchTables, translateBatch } from '../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { domainId, frameNumber } from '../../../src/engine/values';
import { FrameMemory } from '../../builders/tables';

/** Frames that the requests of some tests may not reach: small numbers, so that the tables often lead there. */
const FORBIDDEN = { startFrame: 3, endFrame: 6 };

function spaceOf(memory: FrameMemory, levels: number, inputBits = 64, forbidden = false): AddressSpace {
  const format = compileFormat(vtdSecondStage, levels, forbidden ? { forbiddenOutput: FORBIDDEN } : {});
  return {
    stage: 2,
    domainId: domainId(1),
    root: frameNumber(1),
    rootEntry: 0,
    format,
    ...zeroExtended(Math.min(inputBits, format.addressBits)),
    memory,
    stage2: undefined,
  };
}

/** Frames 1..8 hold words that often point at each other: sharing, cycles, holes and rubbish all occur. */
const wordArbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0n) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(1n, 2n, 3n, 3n),
        fc.constantFrom(0n, 0n, 0x80n, 0x300n, 0x800n),
      )
      .map(([frame, permission, flags]) => (BigInt(frame) << 12n) | permission | flags),
  },
  {
    weight: 2,
    arbitrary: fc.bigInt({ min: 0n, max: (1n << 31n) - 1n }).map((page) => (page << 21n) | 0x83n),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) },
);

const memoryArbitrary = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 511 }), wordArbitrary), {
    maxLength: 60,
  })
  .map((writes) => {
    const memory = new FrameMemory();
    for (let frame = 1; frame <= 8; frame++) memory.frame(frame);
    for (const [frame, index, word] of writes) memory.set(frame, index & (index % 3 ? 3 : 511), word);
    return memory;
  });

/** What a walk must answer, written once more from the specification, with bigint and one loop. */
function model(
  memory: FrameMemory,
  root: number,
  levels: number,
  iova: bigint,
  write: boolean,
  inputBits = 64,
  forbidden = false,
): string {
  if (iova >> BigInt(Math.min(inputBits, 12 + 9 * levels)) !== 0n) return 'address-width@0';
  let table = root;
  let [read, writable] = [true, true];
  for (let level = levels; level >= 1; level--) {
    const shift = BigInt(12 + 9 * (level - 1));
    const words = memory.frames.get(table);
    if (!words) return `table-unreadable@${level}`;
    const index = Number((iova >> shift) & 511n);
    const word = (BigInt(words[2 * index + 1] ?? 0) << 32n) | BigInt(words[2 * index] ?? 0);
    if ((word & 3n) === 0n) return `not-present@${level}`;
    const leaf = level === 1 || (level <= 3 && (word & 0x80n) !== 0n);
    const below = (1n << shift) - 1n;
    if (leaf && (word & 0xffffffffff000n & below) !== 0n) return `entry-reserved@${level}`;
    if (!leaf && (word & ((1n << 11n) | (1n << 62n) | (level > 3 ? 0x80n : 0n))) !== 0n)
      return `entry-reserved@${level}`;
    read &&= (word & 1n) !== 0n;
    writable &&= (word & 2n) !== 0n;
    if (write && !writable) return `write-denied@${level}`;
    if (!write && !read) return `read-denied@${level}`;
    const address = word & 0xffffffffff000n;
    if (leaf) {
      const paddr = (address & ~below) | (iova & below);
      const refused = forbidden && paddr >> 12n >= 3n && paddr >> 12n < 6n;
      return refused ? `interrupt-output@${level}` : `0x${paddr.toString(16)}@${level}`;
    }
    table = Number(address >> 12n);
  }
  throw new Error('no leaf at level 1');
}

/** Every leaf below a table in IOVA order, as page and frame; tables that lead back to one above are left out. */
function* leavesOf(
  memory: FrameMemory,
  table: number,
  level: number,
  base: number,
  above: readonly number[],
): Generator<string> {
  const words = memory.frames.get(table);
  for (let index = 0; words && index < 512; index++) {
    const word = (BigInt(words[2 * index + 1] ?? 0) << 32n) | BigInt(words[2 * index] ?? 0);
    if ((word & 3n) === 0n) continue;
    const page = base + index * 512 ** (level - 1);
    const frame = Number((word & 0xffffffffff000n) >> 12n);
    if (level === 1 || (level <= 3 && (word & 0x80n) !== 0n)) {
      if (frame % 512 ** (level - 1) === 0) yield `${page} -> ${frame}`;
      continue;
    }
    const reserved = (1n << 11n) | (1n << 62n) | (level > 3 ? 0x80n : 0n);
    const path = [...above, table];
    if ((word & reserved) === 0n && !path.includes(frame))
      yield* leavesOf(memory, frame, level - 1, page, path);
  }
}

const requestArbitrary = fc.tuple(
  fc.array(
    fc.integer({ min: 0, max: 511 }).map((index) => (index % 3 ? index & 3 : index)),
    { minLength: 5, maxLength: 5 },
  ),
  fc.integer({ min: 0, max: 4095 }),
  fc.constantFrom(0n, 0n, 0n, 0n, 1n << 57n, 1n << 63n),
  fc.boolean(),
);

describe('walk and batch', () => {
  it('answer as the specification says, and alike, over any tables', () => {
    fc.assert(
      fc.property(
        memoryArbitrary,
        fc.constantFrom(3, 4, 5),
        fc.constantFrom(64, 64, 64, 13, 17, 20, 21, 22, 31, 32, 33),
        fc.boolean(),
        fc.array(requestArbitrary, { maxLength: 20 }),
        (memory, levels, inputBits, forbidden, requests) => {
          const space = spaceOf(memory, levels, inputBits, forbidden);
          const batch = makeBatch(requests.length);
          const iovas = requests.map(([indices, offset, high]) => {
            const used = indices.slice(0, levels);
            return (
              high |
              used.reduce((sum, index, at) => sum | (BigInt(index) << BigInt(12 + 9 * at)), BigInt(offset))
            );
          });
          iovas.forEach((iova, row) => {
            batch.addressLo[row] = Number(iova & 0xffffffffn);
            batch.addressHi[row] = Number(iova >> 32n);
            batch.write[row] = requests[row]?.[3] === true ? 1 : 0;
          });
          // The second time the leaf-most tables are known.
          const tables = new BatchTables(space, batch.count);
          for (let times = 0; times < 2; times++) translateBatch(space, batch, 0, batch.count, tables);
          iovas.forEach((iova, row) => {
            const write = requests[row]?.[3] === true;
            const expected = model(memory, 1, levels, iova, write, inputBits, forbidden);
            const { outcome } = walkTables(space, Number(iova & 0xffffffffn), Number(iova >> 32n), write);
            const stepped = outcome.ok
              ? `0x${((BigInt(outcome.paddrHi) << 32n) | BigInt(outcome.paddrLo)).toString(16)}`
              : `${outcome.fault}@${outcome.depth}`;
            assert.equal(stepped, outcome.ok ? expected.replace(/@.*/, '') : expected);
            const status = batch.status[row] ?? 0;
            const paddr = (BigInt(batch.paddrHi[row] ?? 0) << 32n) | BigInt(batch.paddrLo[row] ?? 0);
            assert.equal(
              `${status === 0 ? `0x${paddr.toString(16)}` : faultOf(status)}@${batch.depth[row]}`,
              expected,
            );
          });
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('kept leaf tables and the width of addresses', () => {
  it('answer for no address beyond a width that ends inside a leaf table', () => {
    const memory = new FrameMemory();
    for (let frame = 1; frame <= 3; frame++) memory.frame(frame);
    memory.set(1, 0, 0x2003n);
    memory.set(2, 0, 0x3003n);
    for (let index = 0; index < 512; index++) memory.set(3, index, (BigInt(index + 16) << 12n) | 3n);
    const space = spaceOf(memory, 3, 17);
    const batch = makeBatch(2);
    batch.addressLo[1] = 0x100000;
    const tables = new BatchTables(space, 2);
    for (let times = 0; times < 2; times++) translateBatch(space, batch, 0, 2, tables);
    assert.deepEqual(
      [...batch.status].map((status) => (status === 0 ? 'ok' : faultOf(status))),
      ['ok', 'address-width'],
    );
  });
});

describe('an address space with an interrupt pattern', () => {
  it('answers messages as such, mapped or not, and the rest by its tables', () => {
    const memory = new FrameMemory();
    for (let frame = 1; frame <= 3; frame++) memory.frame(frame);
    memory.set(1, 0, 0x2003n);
    memory.set(2, 0, 0x3003n);
    for (let index = 0; index < 256; index++) memory.set(3, index, (BigInt(index + 16) << 12n) | 3n);
    // Pages 0x44, 0x46, 0x144 and 0x146; and 2^40 bytes further one that the tables do not take.
    const interruptPattern = interruptPages(0x1000_0102n, 0x44n);
    const space = { ...spaceOf(memory, 3), interruptPattern };
    const pages = [0x44n, 0x45n, 0x46n, 0x47n, 0x144n, 0x145n, 0x1000_0044n, 0x1000_0045n, 0x2000_0044n];
    const batch = makeBatch(pages.length);
    pages.forEach((page, row) => {
      batch.addressLo[row] = Number((page << 12n) & 0xffffffffn);
      batch.addressHi[row] = Number(page >> 20n);
    });
    const tables = new BatchTables(space, pages.length);
    for (let times = 0; times < 2; times++) {
      translateBatch(space, batch, 0, pages.length, tables);
      const answers = pages.map((_, row) => {
        const status = batch.status[row] ?? 0;
        return status === 0 ? 'ok' : `${faultOf(status)}@${batch.depth[row]}`;
      });
      const [message, width] = ['interrupt-window@0', 'address-width@0'];
      const expected = [message, 'ok', message, 'ok', message, 'not-present@1', message, width, width];
      assert.deepEqual(answers, expected);
      assert.deepEqual(
        pages.map((page) => {
          const walked = walkTables(space, Number((page << 12n) & 0xffffffffn), Number(page >> 20n), false);
          return walked.outcome.ok ? 'ok' : `${walked.outcome.fault}@${walked.outcome.depth}`;
        }),
        expected,
      );
    }
  });
});

describe('list and statistics', () => {
  it('give each mapped page once, as a walk of that page does', () => {
    fc.assert(
      fc.property(memoryArbitrary, fc.constantFrom(3, 4), (memory, levels) => {
        const space = spaceOf(memory, levels);
        const steps = listRuns(space, {
          startPage: 0,
          endPage: 2 ** 52,
          limit: 300,
          entryBudget: 400_000,
        });
        let longest = 0;
        let step = steps.next();
        for (; step.done !== true; step = steps.next()) longest = Math.max(longest, step.value);
        assert.ok(longest <= 8192 + 513, `a step of ${longest} entries`);
        const { runs } = step.value;
        let last = -1;
        for (let row = 0; row < runs.length; row++) {
          const page = runs.page[row] ?? 0;
          assert.ok(page > last, 'runs come in order');
          const level = runs.depthOf(row);
          const pages = 512 ** (level - 1);
          const count = runs.count[row] ?? 0;
          last = page + pages * count - 1;
          for (const leaf of new Set([0, count - 1, count >> 1])) {
            const iova = BigInt(page + leaf * pages) << 12n;
            const permission = runs.permissionOf(row);
            if (permission === 0) continue;
            const paddr = BigInt((runs.frame[row] ?? 0) + leaf * pages) << 12n;
            assert.equal(
              model(memory, 1, levels, iova, (permission & 1) === 0),
              `0x${paddr.toString(16)}@${level}`,
            );
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('leave no mapped page out, up to where they stopped', () => {
    const MOST = 2000;
    fc.assert(
      fc.property(memoryArbitrary, fc.constantFrom(3, 4), (memory, levels) => {
        const space = spaceOf(memory, levels);
        const listing = listRuns(space, {
          startPage: 0,
          endPage: 2 ** 52,
          limit: 300,
          entryBudget: 400_000,
        });
        let step = listing.next();
        while (step.done !== true) step = listing.next();
        const { runs, nextPage } = step.value;
        const listed: string[] = [];
        for (let row = 0; row < runs.length && listed.length < MOST; row++) {
          const pages = 512 ** (runs.depthOf(row) - 1);
          for (let leaf = 0; leaf < (runs.count[row] ?? 0) && listed.length < MOST; leaf++) {
            listed.push(
              `${(runs.page[row] ?? 0) + leaf * pages} -> ${(runs.frame[row] ?? 0) + leaf * pages}`,
            );
          }
        }
        const expected: string[] = [];
        for (const leaf of leavesOf(memory, 1, levels, 0, [])) if (expected.push(leaf) === MOST) break;
        const whole = nextPage === undefined;
        assert.deepEqual(listed, whole ? expected : expected.slice(0, listed.length));
      }),
      { numRuns: 200 },
    );
  });

  it('count what a list of the whole space adds up to', () => {
    fc.assert(
      fc.property(memoryArbitrary, (memory) => {
        const space = spaceOf(memory, 3);
        const listing = listRuns(space, {
          startPage: 0,
          endPage: 2 ** 52,
          limit: 100_000,
          entryBudget: 2 ** 22,
        });
        let step = listing.next();
        while (step.done !== true) step = listing.next();
        const { runs, gaveUp, nextPage } = step.value;
        fc.pre(!gaveUp && nextPage === undefined);
        const counting = countSpace(space);
        let counted = counting.next();
        while (counted.done !== true) counted = counting.next();
        let leaves = 0;
        let pages = 0;
        for (let row = 0; row < runs.length; row++) {
          leaves += runs.count[row] ?? 0;
          pages += (runs.count[row] ?? 0) * 512 ** (runs.depthOf(row) - 1);
        }
        assert.equal(
          counted.value.leaves.reduce((sum, each) => sum + each.leaves, 0),
          leaves,
        );
        assert.equal(counted.value.mappedPages, pages);
      }),
      { numRuns: 100 },
    );
  });
});
