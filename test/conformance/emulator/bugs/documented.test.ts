import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DRIVER_FAULTS } from '../../../../src/engine/driver/driverFaults';
import { BITMAP_FAULTS } from '../../../../src/engine/driver/iommufd/bitmapFaults';
import { TABLE_FAULTS } from '../../../../src/engine/driver/pageTable/tableFaults';
import { HARDWARE_MISTAKES } from '../../../../src/engine/iommu/rules';

/** What stands before the first colon of a name. */
const SOURCE = /^(?: {2}it|describe)\(\s*['"](?!Bugs)([^:'"\n]+):/gm;

describe('docs/bugs.md', () => {
  const text = readFileSync(join(__dirname, '../../../../docs/bugs.md'), 'utf8');

  it('names every mistake that a machine can be given', () => {
    const ids = [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS].map(({ id }) => id);
    for (const id of [...ids, ...HARDWARE_MISTAKES]) assert.ok(text.includes(`\`${id}\``), id);
  });

  it('has every bug that is tested here, by its source', () => {
    const files = readdirSync(__dirname).filter(
      (name) => /^[a-zA-Z]+\.test\.ts$/.test(name) && !name.startsWith('documented'),
    );
    for (const file of files) {
      assert.ok(text.includes(`\`${file}\``), file);
      const tests = readFileSync(join(__dirname, file), 'utf8').matchAll(SOURCE);
      for (const [, source = ''] of tests) assert.ok(text.includes(`| ${source}:`), `${file}: ${source}`);
    }
  });
});
