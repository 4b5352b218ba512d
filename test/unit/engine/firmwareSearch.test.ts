import assert from 'node:assert/strict';
import { type AcpiTable, scanForTables, tablesOfRootPointer } from '../../../src/engine/firmware/index';
import { type PhysicalMemory } from '../../../src/engine/memory/physicalMemory';
import {
  ascii,
  device4,
  dmar,
  drhd,
  iort,
  ivhd,
  ivrs,
  memoryOf,
  rootComplex,
  rsdp,
  rsdpOfAcpi1,
  rsdt,
  scope,
  smmuV3,
  u16,
  u32,
  xsdt,
} from './firmwareTables';

const DMAR = dmar(drhd(0xfed9_0000, 0, 1));
const IVRS = ivrs(ivhd(0x11, 2, 0xfd20_0000, 0, device4(1, 0)));
const IORT = iort(smmuV3(0x905_0000), rootComplex(0, [0, 0xffff, 0, 48]));

const places = (tables: readonly AcpiTable[]): [string, number][] =>
  tables.map(({ signature, address }) => [signature, address]);

/** Runs a scan over all that a memory holds; gives what it found and what it yielded. */
function scan(
  memory: PhysicalMemory & { readonly frames: ReadonlyMap<number, unknown> },
  framesPerSlice?: number,
): { readonly found: [string, number][]; readonly pauses: number[] } {
  const frames = [...memory.frames.keys()].sort((a, b) => a - b);
  const ranges = frames.map((frame) => ({ start: frame * 4096, end: (frame + 1) * 4096 }));
  // Neighbouring frames are one range, as an image gives them.
  const joined: { start: number; end: number }[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last?.end === range.start) last.end = range.end;
    else joined.push(range);
  }
  const steps = scanForTables(memory, joined, framesPerSlice);
  const pauses: number[] = [];
  for (;;) {
    const step = steps.next();
    if (step.done) return { found: places(step.value), pauses };
    pauses.push(step.value);
  }
}

describe('finding ACPI tables by the root pointer', () => {
  const find = (
    ...pieces: (readonly [number, readonly number[]])[]
  ): ReturnType<typeof tablesOfRootPointer> => tablesOfRootPointer(memoryOf(...pieces));

  it('through the XSDT, above 4 GiB, in the order of the list', () => {
    const high = 0x12_3456_7000;
    const { tables, problems } = find(
      [0xf_0010, rsdp(0x2000, high)],
      [high, xsdt(0x3001, 0x5000, 0x4ff0)],
      [0x3001, DMAR],
      [0x4ff0, IVRS],
    );
    assert.deepEqual(places(tables), [
      ['DMAR', 0x3001],
      ['IVRS', 0x4ff0],
    ]);
    assert.deepEqual(problems, []);
  });

  it('through the RSDT of revision 0, or when the XSDT is damaged', () => {
    const old = find([0xe_0000, rsdpOfAcpi1(0x2000)], [0x2000, rsdt(0x3000)], [0x3000, IORT]);
    assert.deepEqual(places(old.tables), [['IORT', 0x3000]]);
    const broken = xsdt(0x3000);
    broken[20] = 0x55;
    const damaged = find(
      [0xf_fff0 - 16, rsdp(0x2000, 0x6000)],
      [0x2000, rsdt(0x3000)],
      [0x3000, IORT],
      [0x6000, broken],
    );
    assert.deepEqual(places(damaged.tables), [['IORT', 0x3000]]);
    assert.match(
      damaged.problems[0]?.message ?? '',
      /^The ACPI table XSDT at 0x6000 has a wrong checksum\.$/,
    );
  });

  it('a table whose last byte stands in another frame', () => {
    const last = dmar(drhd(0xfed9_0000, 0, 0, scope(1, 0, 0, [2, 7])));
    const at = 0x4000 - (last.length - 1);
    const { tables } = find([0xf_0000, rsdpOfAcpi1(0x2000)], [0x2000, rsdt(at)], [at, last]);
    assert.deepEqual(places(tables), [['DMAR', at]]);
  });

  it('in the first KiB of the extended BIOS data area', () => {
    const { tables } = find(
      [0x40e, u16(0x9fc0)],
      [0x9fc00 + 1008, rsdpOfAcpi1(0x2000)],
      [0x2000, rsdt(0x3000)],
      [0x3000, DMAR],
    );
    assert.deepEqual(places(tables), [['DMAR', 0x3000]]);
  });

  it('not at other places, not off the 16-byte boundary, not with a wrong checksum', () => {
    const rest: [number, number[]][] = [
      [0x2000, rsdt(0x3000)],
      [0x3000, DMAR],
    ];
    const wrong = rsdpOfAcpi1(0x2000);
    wrong[9] = 0x20;
    for (const [at, pointer] of [
      [0x8_0000, rsdpOfAcpi1(0x2000)],
      [0xf_0008, rsdpOfAcpi1(0x2000)],
      [0x10_0000, rsdpOfAcpi1(0x2000)],
      [0xf_0000, wrong],
    ] as const) {
      assert.deepEqual(find([at, pointer], ...rest), { tables: [], problems: [] });
    }
  });

  it('says what is wrong with a table that is listed', () => {
    const damaged = [...DMAR];
    damaged[50] = 0x77;
    const short = [...ascii('IORT'), ...u32(47)];
    const long = [...ascii('IVRS'), ...u32(0x7fff_ffff)];
    const cut = [...DMAR];
    const { tables, problems } = find(
      [0xf_0000, rsdpOfAcpi1(0x2000)],
      [0x2000, rsdt(0x3000, 0x4000, 0x5000, 0x7fd0, 0, 0xffff_fff0)],
      [0x3000, damaged],
      [0x4000, short],
      [0x5000, long],
      [0x7fd0, cut.slice(0, 48)],
    );
    assert.deepEqual(tables, []);
    assert.deepEqual(
      problems.map(({ message }) => message),
      [
        'The ACPI table DMAR at 0x3000 has a wrong checksum.',
        'The ACPI table IORT at 0x4000 claims an impossible length of 47 bytes.',
        'The ACPI table IVRS at 0x5000 claims an impossible length of 2147483647 bytes.',
        'The ACPI table DMAR at 0x7fd0 is in the image only in part.',
      ],
    );
    assert.ok(problems.every(({ hint }) => hint?.includes('requesters')));
  });
});

describe('finding ACPI tables by their signatures', () => {
  it('at every alignment, also across frames', () => {
    for (let offset = 0; offset < 8; offset++) {
      const at = 0x7000_0000 + offset;
      const { found } = scan(
        memoryOf([at, DMAR], [0x7000_1ffb + offset, IVRS], [0x7100_0ff8 + offset, IORT]),
      );
      assert.deepEqual(found, [
        ['DMAR', at],
        ['IVRS', 0x7000_1ffb + offset],
        ['IORT', 0x7100_0ff8 + offset],
      ]);
    }
  });

  it('equal copies once, different ones each, in the order of addresses', () => {
    const other = dmar(drhd(0xfed9_2000, 0, 1));
    const { found } = scan(memoryOf([0x9000, other], [0x5000, DMAR], [0x5100, DMAR], [0x7000, DMAR]));
    assert.deepEqual(found, [
      ['DMAR', 0x5000],
      ['DMAR', 0x9000],
    ]);
  });

  it('not what only begins like a table', () => {
    const damaged = [...DMAR];
    damaged[60] = 1;
    const text = ascii('the DMAR, IVRS and IORT tables of ACPI');
    const zeroRevision = dmar(drhd(0xfed9_0000, 0, 1));
    [zeroRevision[8], zeroRevision[10]] = [0, (zeroRevision[10] ?? 0) + 1];
    const strangeMaker = [...DMAR];
    [strangeMaker[10], strangeMaker[11]] = [0x7f, (strangeMaker[11] ?? 0) + (strangeMaker[10] ?? 0) - 0x7f];
    const { found } = scan(
      memoryOf(
        [0x5000, damaged],
        [0x6000, text],
        [0x7000, zeroRevision],
        [0x7800, strangeMaker],
        [0x8fd0, DMAR.slice(0, 48)],
      ),
    );
    assert.deepEqual(found, []);
  });

  it('in slices that say how far it is', () => {
    const memory = memoryOf([0x1000, new Array<number>(10 * 4096).fill(7)], [0x10_0000, IORT]);
    const { found, pauses } = scan(memory, 4);
    assert.deepEqual(found, [['IORT', 0x10_0000]]);
    assert.deepEqual(pauses, [4, 8, 12]);
  });

  it('a memory full of signatures neither hangs nor fills the list', () => {
    const header = (length: number): number[] => [...DMAR.slice(0, 4), ...u32(length), ...DMAR.slice(8, 48)];
    const trap = Array.from({ length: 20_000 }, (_, i) => header(200_000 + i)).flat();
    const start = performance.now();
    assert.ok(scan(memoryOf([0x1000, trap])).found.length <= 32);
    assert.ok(performance.now() - start < 10_000);
    const many = Array.from({ length: 40 }, (_, i) => dmar(drhd(0x1000 * (i + 1), 0, 1)));
    assert.equal(scan(memoryOf([0x1000, many.flat()])).found.length, 32);
  });
});
