/** The self test of Linux's Arm tables (drivers/iommu/io-pgtable-arm-selftests.c): each granule, each input width, both stages. */
import assert from 'node:assert/strict';
import { type ArmGranule } from '../../../../src/engine/formats/arm';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../src/engine/steps';
import { armKind, errnoOf, makeTables, valueOf } from '../../../unit/engine/driver/pageTable/domains';

const GIB = 2 ** 18;
/** Page sizes as Linux offers them: without runs. */
const SIZES: readonly (readonly [ArmGranule, readonly number[]])[] = [
  ['4K', [12, 21, 30]],
  ['16K', [14, 25]],
  ['64K', [16, 29]],
];
/** A byte address in pages: the offset 42 within a page comes out as it goes in. */
const pageOf = (address: number): number => Math.floor(address / 4096);

for (const stage of [1, 2] as const) {
  for (const [granule, shifts] of SIZES) {
    for (const bits of [32, 36, 40, 42, 44, 48]) {
      describe(`io-pgtable-arm selftest, stage ${stage}, ${granule}, ${bits} bits`, () => {
        const tables = () => makeTables(armKind(stage, granule, bits), { pageShifts: shifts }).tables;

        it('an empty table translates nothing', () => {
          const empty = tables();
          for (const address of [42, 2 ** 30 + 42, 2 ** 31 + 42])
            assert.equal(runSteps(empty.iovaToPhys(pageOf(address))), null);
        });

        it('each size maps, does not map twice, translates, unmaps and maps again', () => {
          const all = tables();
          shifts.forEach((shift, at) => {
            const pages = 2 ** (shift - 12);
            const page = at * GIB;
            valueOf(runSteps(all.map(page, page, pages, READ_WRITE)));
            assert.equal(errnoOf(runSteps(all.map(page, page + pages, pages, READ_WRITE))), 'EADDRINUSE');
            assert.equal(runSteps(all.iovaToPhys(page + pageOf(42))), page);
          });
          shifts.forEach((shift, at) => {
            const pages = 2 ** (shift - 12);
            const page = at * GIB;
            assert.equal(valueOf(runSteps(all.unmap(page, pages))), pages);
            assert.equal(runSteps(all.iovaToPhys(page)), null);
            valueOf(runSteps(all.map(page, page, pages, READ_WRITE)));
            assert.equal(runSteps(all.iovaToPhys(page)), page);
            assert.equal(valueOf(runSteps(all.unmap(page, pages))), pages);
          });
        });

        it('a part of a block does not unmap it', () => {
          const all = tables();
          const [small = 12, block = 21] = shifts;
          const pages = 2 ** (block - 12);
          const piece = 2 ** (small - 12);
          valueOf(runSteps(all.map(GIB, GIB, pages, READ_WRITE)));
          assert.equal(valueOf(runSteps(all.unmap(GIB + piece, piece))), 0);
          assert.equal(runSteps(all.iovaToPhys(GIB + piece)), GIB + piece);
        });
      });
    }
  }
}
