/** Blocks of test_app.c of the riscv-iommu reference model about one stage: sizes of translations, and what faults. */
import assert from 'node:assert/strict';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { CAPABILITIES, DEVICE, RiscvBench, bit } from './riscvBench';
import { A, D, FRESH, MODES, N, R, RiscvTables, U, V, W, leaf, pageOf } from './riscvTables';

const EN_ATS = bit(1);
const DTF = bit(4);
const GADE = bit(7);
const SADE = bit(8);
const SVPBMT = bit(15);
const SVRSW60T59B = bit(14);
const GUEST_ID = 1n;
const PROCESS = 10n;
/** 2^48: a physical address of 50 bits, and a multiple of every page size. */
const FAR = 1n << 36n;
/** What stages have in common, and where they differ. */
const STAGES = [
  { stage: 2, block: 'G-stage', read: 21, write: 23, suffix: 'x4', capabilities: 17n },
  { stage: 1, block: 'S-stage', read: 13, write: 15, suffix: '', capabilities: 9n },
] as const;
type StageRow = (typeof STAGES)[number];
type ModeRow = (typeof MODES)[number];

/** Sizes as the test program sets up the model: nothing above 1 GiB, where nothing is translated too. */
const SIZES = { cachedShifts: [12, 21, 30], bareShift: 30 };

function translating({ stage }: StageRow, { mode, levels }: ModeRow, control = GADE | SADE) {
  const bench = new RiscvBench(SIZES);
  const tables = new RiscvTables(bench, levels, stage);
  const root = (mode << 60n) | BigInt(tables.root);
  const setControl = (value: bigint): void => {
    if (stage === 2) bench.context(V | value, root | (GUEST_ID << 44n), 0n, 0n);
    else bench.context(V | value, 0n, PROCESS << 12n, root);
  };
  setControl(control);
  const flush = (): void => {
    bench.command(stage === 2 ? riscvCommands.invalidateGvma({}) : riscvCommands.invalidateVma({}));
    assert.equal(bench.left, 0);
  };
  const reload = (value: bigint): void => {
    setControl(value);
    bench.command(riscvCommands.invalidateDevice({ DV: 1, DID: DEVICE }));
  };
  return { bench, tables, flush, reload };
}

for (const row of STAGES) {
  describe(`riscv-iommu model, test_app.c: ${row.block} translation sizes`, () => {
    for (const mode of MODES) {
      const name = `${mode.name}${row.suffix}`;
      for (let level = 0; level < mode.levels; level++) {
        const pageBits = 12 + 9 * level;
        // An entry of the root and one of the leaf's table that no other level uses, and an offset.
        const top = BigInt(12 + 9 * (mode.levels - 1));
        const iova = (BigInt(level + 2) << top) | (1n << BigInt(pageBits)) | 2048n;
        const target = FAR | (1n << BigInt(9 * level));

        it(`${name}: a leaf at level ${level} is answered with its size, at most 1 GiB`, () => {
          const { bench, tables, flush } = translating(row, mode, EN_ATS | GADE | SADE);
          const entry = tables.put(iova, level, leaf(target));
          const answer = bench.asks(iova, { noWrite: true });
          assert.equal(answer.shift, Math.min(pageBits, 30));
          const offset = iova & ((1n << BigInt(pageBits)) - 1n);
          assert.equal(answer.output, (target << 12n) | offset);
          // D is clear, and was not asked for: to read only, and marked so.
          assert.equal(answer.reads, true);
          assert.equal(answer.writes, false);
          assert.equal(bench.word(entry), leaf(target, FRESH | A));
          // A request that may write sets D at once, and has both.
          const writer = bench.asks(iova);
          assert.deepEqual([writer.reads, writer.writes], [true, true]);
          assert.equal(bench.word(entry), leaf(target, FRESH | A | D));
          flush();
          assert.equal(bench.asks(iova, { noWrite: true }).writes, true);
        });
      }

      it(`${name}: R = W = X = 0 at level 0 grants nothing, and is no fault of the translation request`, () => {
        const { bench, tables, flush } = translating(row, mode, EN_ATS | GADE | SADE);
        tables.put(0x1000n, 0, leaf(FAR));
        assert.equal(bench.asks(0x1000n, { noWrite: true }).reads, true);
        tables.put(0x1000n, 0, leaf(FAR, V | U));
        flush();
        const answer = bench.asks(0x1000n);
        assert.deepEqual([answer.reads, answer.writes], [false, false]);
      });

      it(`${name}: with a Bare stage instead everything is granted, for 1 GiB`, () => {
        const bench = new RiscvBench(SIZES);
        bench.setCapabilities(
          (CAPABILITIES & ~(7n << row.capabilities)) | bit(Number(row.capabilities + mode.mode - 8n)),
        );
        bench.context(V | EN_ATS, 0n, PROCESS << 12n, 0n);
        const answer = bench.asks(1n << 30n);
        assert.deepEqual(answer, { output: 1n << 30n, reads: true, writes: true, shift: 30 });
      });
    }
  });

  describe(`riscv-iommu model, test_app.c: ${row.block} permission faults`, () => {
    const mode = MODES[2];
    const iova = (16n << 48n) | 0x1800n;
    const guest = row.stage === 2 ? iova & ~3n : 0n;
    const set = (control = GADE | SADE) => {
      const made = translating(row, mode, control);
      const put = (word: bigint): number => made.tables.put(iova, 4, word);
      return { ...made, put, entry: put(leaf(FAR)) };
    };

    const refusing: Readonly<Record<string, bigint>> = {
      'U = 0': leaf(FAR, FRESH & ~U),
      'W without R': leaf(FAR, FRESH & ~R),
      'W without R and X': leaf(FAR, V | W | U),
      'X only': leaf(FAR, FRESH & ~R & ~W),
      'a superpage that is not aligned': leaf(1n << 27n),
      'a superpage that is not aligned by one page': leaf(FAR | 1n),
      'reserved bit 54': leaf(FAR) | bit(54),
      'reserved bit 58': leaf(FAR) | bit(58),
      'N above level 0': leaf(FAR) | N,
      'PBMT = 1 without Svpbmt': leaf(FAR) | bit(61),
      'PBMT = 3': leaf(FAR) | (3n << 61n),
      'V = 0': leaf(FAR, FRESH & ~V),
    };
    for (const [name, word] of Object.entries(refusing)) {
      it(`${name}: cause ${row.write} of writes and ${row.read} of reads`, () => {
        const { bench, put } = set();
        put(word);
        bench.faults(iova, 'write', row.write, guest);
        bench.faults(iova, 'read', row.read, guest);
        // Nothing of it was kept.
        put(leaf(FAR));
        assert.equal(bench.passes(iova, 'write').output, (FAR << 12n) | 0x1800n);
      });
    }

    it('non-leaf entries with A, D, U, PBMT or N', () => {
      const { bench, put, flush } = set();
      const below = bench.frames();
      bench.put(below * 4096, leaf(FAR));
      const table = (BigInt(below) << 10n) | V;
      for (const wrong of [A, D, U, bit(61), bit(62), N, bit(54)]) {
        put(table | wrong);
        flush();
        bench.faults(iova, 'read', row.read, guest);
      }
      put(table);
      bench.passes(iova);
    });

    it('PBMT = 3 faults with Svpbmt, too, and PBMT = 1 and 2 do not', () => {
      const { bench, put, flush } = set();
      bench.setCapabilities(CAPABILITIES | SVPBMT);
      put(leaf(FAR) | (3n << 61n));
      bench.faults(iova, 'read', row.read, guest);
      for (const type of [1n, 2n]) {
        put(leaf(FAR) | (type << 61n));
        flush();
        bench.passes(iova);
      }
    });

    it("bits 60:59 are software's with Svrsw60t59b, else reserved", () => {
      const { bench, put, flush } = set();
      put(leaf(FAR) | bit(59));
      bench.passes(iova);
      flush();
      bench.setCapabilities(CAPABILITIES & ~SVRSW60T59B);
      bench.faults(iova, 'read', row.read, guest);
      put(leaf(FAR));
      bench.passes(iova);
    });

    it('an entry that cannot be read or updated is cause 7 of writes and 5 of reads', () => {
      const { bench, entry, flush } = set();
      bench.passes(iova);
      flush();
      bench.memory.violation = entry;
      bench.faults(iova, 'write', 7);
      bench.faults(iova, 'read', 5);
      bench.memory.violation = -1;
      bench.passes(iova, 'write');
      assert.equal(bench.word(entry), leaf(FAR, FRESH | A | D));
    });

    it('a clear A, and a clear D of a write, fault where hardware does not set them', () => {
      const { bench, put, entry } = set(row.stage === 2 ? SADE : GADE);
      bench.faults(iova, 'read', row.read, guest);
      put(leaf(FAR, FRESH | A));
      bench.passes(iova);
      bench.faults(iova, 'write', row.write, guest);
      assert.equal(bench.word(entry), leaf(FAR, FRESH | A));
      put(leaf(FAR, FRESH | A | D));
      bench.passes(iova, 'write');
    });

    it('DTF: the request is refused, and the queue stays as it is', () => {
      const { bench, entry, reload } = set();
      bench.memory.violation = entry;
      reload(GADE | SADE | DTF);
      const tail = bench.read('fqt');
      assert.equal(bench.translate(iova).ok, false);
      assert.equal(bench.read('fqt'), tail);
      reload(GADE | SADE);
      bench.faults(iova, 'read', 5);
      assert.notEqual(bench.read('fqt'), tail);
      reload(GADE | SADE | DTF | EN_ATS);
      assert.equal(bench.translate(iova, 'read', { kind: 'translation' }).ok, false);
      assert.equal(bench.records().length, 0);
    });

    it('DTF: what is told all the same: a context that is not valid, or misconfigured', () => {
      const { bench, reload } = set();
      reload(DTF | bit(12));
      bench.faults(iova, 'read', 259);
      bench.context(DTF);
      bench.faults(iova, 'read', 258);
    });
  });
}

describe('riscv-iommu model, test_app.c: S-stage translation sizes', () => {
  const row = STAGES[1];
  for (const mode of MODES) {
    const width = 12 + 9 * mode.levels;

    it(`${mode.name}: every bit from ${width} on that is no sign extension grants nothing`, () => {
      const { bench, tables } = translating(row, mode, EN_ATS | GADE | SADE);
      const iova = 1n << BigInt(width - 9);
      tables.put(iova, mode.levels - 1, leaf(FAR));
      assert.equal(bench.asks(iova).reads, true);
      for (let place = width; place < 64; place++) {
        const wrong = iova | bit(place);
        const answer = bench.asks(wrong);
        assert.deepEqual([answer.reads, answer.writes], [false, false], `bit ${place}`);
        bench.faults(wrong, 'read', 13);
      }
      const upper = (1n << 64n) - (1n << BigInt(width - 9));
      tables.put(upper, mode.levels - 1, leaf(FAR));
      assert.equal(bench.asks(upper).reads, true);
    });
  }

  it('IOTINVAL.GVMA with PSCV is illegal', () => {
    const { bench } = translating(row, MODES[0]);
    bench.command(riscvCommands.invalidateGvma({ GV: 1, AV: 1, PSCV: 1, GSCID: 1, PSCID: 0, ADDR: 0x1000 }));
    assert.equal(bench.read('cqcsr') & bit(10), bit(10));
    bench.restartCommands();
  });
});

describe('riscv-iommu model, test_app.c: G-stage translation sizes', () => {
  const row = STAGES[0];
  for (const mode of MODES) {
    const width = 14 + 9 * mode.levels;
    it(`${mode.name}x4: every bit from ${width} on is a guest-page fault`, () => {
      const { bench, tables } = translating(row, mode);
      const iova = 1n << BigInt(width - 1);
      const entry = tables.put(iova, mode.levels - 1, leaf(FAR));
      bench.passes(iova);
      assert.equal(pageOf(bench.word(entry)), FAR);
      for (let place = width; place < 64; place++)
        bench.faults(iova | bit(place), 'read', 21, iova | bit(place));
    });
  }
});
