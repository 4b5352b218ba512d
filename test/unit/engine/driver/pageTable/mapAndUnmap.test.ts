/** Mapping, unmapping and looking up, of every format, as hardware then walks it. */
import assert from 'node:assert/strict';
import { READ, READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../../src/engine/steps';
import { errnoOf, KINDS, makeTables, valueOf, walked } from './domains';

for (const kind of KINDS) {
  describe(`Tables of a domain, ${kind.title}`, () => {
    it('map a page of each size, and hardware finds the last page of it', () => {
      const { tables, frames } = makeTables(kind);
      const before = frames.allocated;
      for (const { shift } of tables.sizes.filter(({ shift }) => shift < 40)) {
        const pages = 2 ** (shift - 12);
        const frame = pages * 3;
        const start = pages * (pages > 2 ** 19 ? 1 : 2);
        if (!tables.takes(start, pages)) continue;
        valueOf(runSteps(tables.map(start, frame, pages, READ_WRITE)));
        assert.equal(walked(tables, start, false), frame);
        assert.equal(walked(tables, start + pages - 1, true), frame + pages - 1);
        assert.equal(runSteps(tables.iovaToPhys(start + pages - 1)), frame + pages - 1);
        assert.equal(errnoOf(runSteps(tables.map(start, frame, pages, READ))), 'EADDRINUSE');
        assert.equal(valueOf(runSteps(tables.unmap(start, pages))), pages);
        assert.equal(walked(tables, start), undefined);
        assert.equal(runSteps(tables.iovaToPhys(start)), null);
      }
      assert.ok(frames.allocated >= before);
    });

    it('refuse to map twice and leave nothing of what failed', () => {
      const { tables } = makeTables(kind);
      const unit = 2 ** ((tables.sizes.at(-1)?.shift ?? 12) - 12);
      valueOf(runSteps(tables.map(6 * unit, 0, unit, READ)));
      assert.equal(errnoOf(runSteps(tables.map(unit, unit, 9 * unit, READ))), 'EADDRINUSE');
      for (let page = unit; page < 6 * unit; page += unit) assert.equal(walked(tables, page), undefined);
      assert.equal(walked(tables, 6 * unit), 0);
      assert.equal(walked(tables, 6 * unit, true), undefined);
    });
  });
}
