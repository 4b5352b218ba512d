import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readFirmware, scanForTables, tablesOfRootPointer } from '../../../src/engine/firmware/index';
import { TABLE_SIGNATURES } from '../../../src/engine/firmware/acpiTable';
import { ByteReader } from '../../../src/engine/firmware/byteReader';
import {
  acpiDevice,
  alias8,
  device4,
  dmar,
  drhd,
  iort,
  itsGroup,
  ivhd,
  ivmd,
  ivrs,
  type Mapping,
  memoryOf,
  namedComponent,
  rmrr,
  rootComplex,
  rsdp,
  rsdpOfAcpi1,
  scope,
  seal,
  smmuV3,
  special8,
  u16,
  u32,
  xsdt,
} from './firmwareTables';

const GOOD: readonly number[][] = [
  dmar(
    drhd(0xfed9_0000, 0, 0, scope(1, 0, 0, [2, 0]), scope(2, 0, 0, [1, 0], [3, 0])),
    drhd(0xfed9_1000, 0, 1, scope(3, 2, 0xf0, [0x1f, 0])),
    rmrr(0x1000, 0x1fff, 0, scope(1, 0, 0, [2, 0])),
  ),
  ivrs(
    ivhd(0x10, 2, 0xfd20_0000, 0, device4(3, 0), device4(4, 0xff), alias8(66, 0x80, 0xa5)),
    ivhd(0x40, 2, 0xfd20_0000, 0, special8(0x20, 0xa0, 1), acpiDevice(0xa5, 'AMDI0040', '\\_SB.FUR0')),
    ivmd(0x1000, 0x2000, 0),
  ),
  iort(
    itsGroup(),
    smmuV3(0x905_0000, [0, 0xffff, 0, 48]),
    rootComplex(0, [0, 0xff, 0, 72], [0x100, 0xff, 0x100, 48]),
    namedComponent('\\_SB_.GPU0', [0, 0, 0x700, 72, 1]),
  ),
];

const LIMIT_MS = 2000;

/** Asks everything of a table; answers must be whole numbers in their bounds and come soon. */
function ask(table: number[]): void {
  const start = performance.now();
  const bytes = new ByteReader(Uint8Array.from(table));
  const signature = TABLE_SIGNATURES.find((each) => each === bytes.text(0, 4));
  assert.ok(signature && bytes.sumsToZero());
  const firmware = readFirmware([{ signature, address: 0x3003, bytes }]);
  for (const { base } of firmware.iommus) assert.ok(base > 0 && base < 2 ** 52);
  for (const requester of [0, 0x10, 0x80, 0x100, 0x4008, 0xffff]) {
    const answer = firmware.ownerOf(0, requester);
    const owners =
      answer.kind === 'owner' ? [answer.owner] : answer.kind === 'candidates' ? answer.candidates : [];
    assert.equal(owners.length > 0, answer.kind === 'owner' || answer.kind === 'candidates');
    for (const { id } of owners) assert.ok(Number.isInteger(id) && id >= 0 && id < 2 ** 32);
  }
  assert.ok(firmware.problems.length <= 50);
  assert.ok(performance.now() - start < LIMIT_MS);
}

describe('damaged firmware tables', () => {
  it('every truncation, with a right checksum', () => {
    for (const good of GOOD) {
      for (let length = 48; length < good.length; length++) {
        const cut = good.slice(0, length);
        cut.splice(4, 4, ...u32(length));
        ask(seal(cut));
      }
    }
  });

  it('every 16-bit word set to 0, 1, 0x7fff and 0xffff, with a right checksum', () => {
    for (const good of GOOD) {
      for (let at = 36; at + 2 <= good.length; at++) {
        for (const value of [0, 1, 0x7fff, 0xffff]) {
          const changed = [...good];
          changed.splice(at, 2, ...u16(value));
          ask(seal(changed));
        }
      }
    }
  });

  it('random changes, with a right checksum', () => {
    const change = fc.tuple(fc.nat(400), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...GOOD),
        fc.array(change, { minLength: 1, maxLength: 20 }),
        (good, changes) => {
          const changed = [...good];
          for (const [at, byte] of changes) changed[36 + (at % (changed.length - 36))] = byte;
          ask(seal(changed));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('a table of 250 KiB in which every ID mapping leads on', () => {
    const first = 48;
    const bytesOf = (mappings: number): number => 36 + 20 * mappings;
    const loops = (count: number, target: number): number[] =>
      rootComplex(0, ...Array.from({ length: count }, (): Mapping => [0, 0, 0, target]));
    const other = first + bytesOf(3000);
    const chain = Array.from({ length: 4000 }, (_, i) =>
      rootComplex(0, [0, 0xffff, 0, first + bytesOf(1) * (i + 1)]),
    );
    const tables = [iort(loops(3000, other), loops(3000, other)), iort(...chain)];
    for (const table of tables) ask(table);
  });

  it('lists and pointers that lead in a circle or to nothing', () => {
    const self = xsdt(0x2000, 0xf_0000, 0x2000, 2 ** 52 - 4096, Number.MAX_SAFE_INTEGER);
    const memory = memoryOf([0xf_0000, rsdp(0xf_0000, 0x2000)], [0x2000, self]);
    assert.deepEqual(tablesOfRootPointer(memory), { tables: [], problems: [] });
    for (const address of [0, 0xf_0000, 0xffff_ffff]) {
      const lost = memoryOf([0xf_0000, rsdpOfAcpi1(address)]);
      assert.deepEqual(tablesOfRootPointer(lost).tables, []);
    }
  });

  it('a scan of random bytes with signatures among them ends without tables', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 100, maxLength: 8000 }), fc.nat(7999), (noise, at) => {
        const bytes = [...noise];
        bytes.splice(at % bytes.length, 4, ...[0x44, 0x4d, 0x41, 0x52]);
        const steps = scanForTables(memoryOf([0x1000, bytes]), [{ start: 0, end: 0x4000 }], 1);
        let step = steps.next();
        while (!step.done) step = steps.next();
        assert.deepEqual(step.value, []);
      }),
      { numRuns: 300 },
    );
  });
});
