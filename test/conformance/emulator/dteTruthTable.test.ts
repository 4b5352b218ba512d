import assert from 'node:assert/strict';
import { defaultCapabilities, registersOf } from '../../../src/engine/driver/capabilities';
import { DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { amdV1 } from '../../../src/engine/formats/amdV1';
import { Iommu } from '../../../src/engine/iommu/iommu';
import { DEFAULT_RULES } from '../../../src/engine/iommu/rules';
import { Arena } from '../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../src/engine/memory/frameAllocator';
import { READ_WRITE } from '../../../src/engine/pageTable/entryClass';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { SeededRandom } from '../../../src/engine/random';
import { runSteps } from '../../../src/engine/steps';
import { requesterId } from '../../../src/engine/values';

// AMD 48882 3.10 §2.2.2.1, "V, TV, and GV" and the fields of word 0; without guest translation (GV = 0).

const DEVICE = 5;
const PAGE = 0x123;
const FRAME = 0x9000;
const A = 1n << 5n;
const D = 1n << 6n;

interface Dte {
  readonly v: number;
  readonly tv: number;
  readonly mode: number;
  readonly ir: number;
  readonly iw: number;
  readonly had: number;
}

/** Where an access goes: untranslated, through the tables, or nowhere. */
type Way = 'passes' | 'translated' | 'refused';

/** The rows of the table, from the specification. */
function expected({ v, tv, mode, ir, iw, had }: Dte, write: boolean): Way {
  if (v === 0) return 'passes';
  if (tv === 0) return 'refused';
  if (mode === 7 || had === 2) return 'refused';
  if ((write ? iw : ir) === 0) return 'refused';
  return mode === 0 ? 'passes' : 'translated';
}

/** Marks of the leaf after such an access. */
function marksAfter(
  dte: Dte,
  write: boolean,
  can: { readonly accessed: boolean; readonly dirty: boolean },
): bigint {
  if (expected(dte, write) !== 'translated') return 0n;
  const accessed = (dte.had & 1) === 1 && can.accessed ? A : 0n;
  return accessed | (write && dte.had === 3 && can.dirty ? D : 0n);
}

function* everyDte(): Generator<Dte> {
  for (let at = 0; at < 512; at++) {
    const bit = (place: number) => (at >> place) & 1;
    yield { v: bit(0), tv: bit(1), ir: bit(2), iw: bit(3), had: (at >> 4) & 3, mode: at >> 6 };
  }
}

/** One device table, and host tables of each number of levels that map the same page. */
class Machine {
  readonly #memory = new Arena();
  readonly #frames = new RangeAllocator(this.#memory, 0x100, 0x200);
  readonly #deviceTable = this.#frames.allocate();
  readonly #tables = [1, 2, 3, 4, 5, 6].map((rootDepth) => {
    const made = DomainTables.create({
      memory: this.#memory,
      frames: this.#frames,
      format: amdV1,
      rootDepth,
    });
    assert.ok(made.ok);
    assert.ok(runSteps(made.value.map(PAGE, FRAME, 1, READ_WRITE)).ok);
    return made.value;
  });

  /** One access with one entry, by an IOMMU with cold caches; the marks of the leaf afterwards. */
  access(dte: Dte, write: boolean, can: { readonly hostAccessed: boolean; readonly hostDirty: boolean }) {
    const tables = this.#tables[Math.min(Math.max(dte.mode, 1), 6) - 1];
    const deviceTable = this.#deviceTable;
    assert.ok(tables && deviceTable !== undefined);
    const word =
      BigInt(dte.v) |
      (BigInt(dte.tv) << 1n) |
      (BigInt(dte.had) << 7n) |
      (BigInt(dte.mode) << 9n) |
      (BigInt(tables.root) << 12n) |
      (BigInt(dte.ir) << 61n) |
      (BigInt(dte.iw) << 62n);
    this.#memory.writeEntry(deviceTable, 4 * DEVICE, Number(word & 0xffff_ffffn), Number(word >> 32n));
    const registers = registersOf({ ...defaultCapabilities('amd-vi'), ...can });
    registers.set('DevTabBase', BigInt(deviceTable) << 12n);
    registers.set('Control', 1n);
    const geometry = { sets: 1, ways: 4 };
    const iommu = new Iommu({
      name: 'iommu0',
      kind: 'amd-vi',
      memory: this.#memory,
      registers,
      rules: { ...DEFAULT_RULES, iotlb: geometry, walkCache: geometry },
      random: new SeededRandom(1),
      observer: { wrote: () => undefined, read: () => undefined },
    });
    const outcome = iommu.run({
      requester: requesterId(DEVICE),
      pasid: null,
      addressLo: PAGE * 4096,
      addressHi: 0,
      length: 8,
      access: write ? 'write' : 'read',
      kind: 'untranslated',
    });
    const reached = outcome.ok ? outcome.outputHi * 0x100000 + (outcome.outputLo >>> 12) : undefined;
    const way: Way = reached === undefined ? 'refused' : reached === FRAME ? 'translated' : 'passes';
    return { way, reached, marks: this.#takeMarks(tables) };
  }

  /** The marks of the leaf, which are taken away. */
  #takeMarks(tables: DomainTables): bigint {
    const leaf = walkTables(tables.space, PAGE * 4096, 0, false).steps.at(-1);
    assert.ok(leaf);
    const marks = BigInt(leaf.lo >>> 0) & (A | D);
    this.#memory.writeEntry(leaf.table, leaf.index, leaf.lo & ~Number(A | D), leaf.hi);
    return marks;
  }
}

describe('AMD device table entry, truth table (V, TV, Mode, IR, IW, HAD)', () => {
  for (const [name, hostAccessed, hostDirty] of [
    ['HASup = HDSup = 1', true, true],
    ['HASup = 1, HDSup = 0', true, false],
    ['HASup = HDSup = 0', false, false],
  ] as const) {
    it(`says of each of 512 entries what reads and writes meet, and what they mark: ${name}`, () => {
      const machine = new Machine();
      for (const dte of everyDte()) {
        for (const write of [false, true]) {
          const { way, reached, marks } = machine.access(dte, write, { hostAccessed, hostDirty });
          const what = `${JSON.stringify(dte)}, ${write ? 'write' : 'read'}`;
          assert.equal(way, expected(dte, write), what);
          if (way === 'passes') assert.equal(reached, PAGE, what);
          assert.equal(marks, marksAfter(dte, write, { accessed: hostAccessed, dirty: hostDirty }), what);
        }
      }
    });
  }
});
