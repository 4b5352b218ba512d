import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DRIVER_FAULTS } from '../../../../src/engine/driver/driverFaults';
import { BITMAP_FAULTS } from '../../../../src/engine/driver/iommufd/bitmapFaults';
import { TABLE_FAULTS } from '../../../../src/engine/driver/pageTable/tableFaults';
import { HARDWARE_MISTAKES } from '../../../../src/engine/iommu/rules';

const SAMPLES = join(__dirname, '../../../../samples/bugs');
/** What names a bug, in the table and where it is played: commits, CVEs, Xen's advisories. */
const NAMES = /\b(?:(?=[a-f]*\d)[0-9a-f]{7,12}|CVE-\d+-\d+|XSA-\d+)\b/g;
/** What stands before the first colon of a test's name. */
const SOURCE = /^ *(?:it|describe)\(\s*['"](?!Bugs)([^:'"\n]+):/gm;

const read = (...path: readonly string[]) => readFileSync(join(...path), 'utf8');
const samples = readdirSync(SAMPLES);
const tests = readdirSync(__dirname).filter(
  (name) => name.endsWith('.test.ts') && name !== 'documented.test.ts',
);

interface Row {
  readonly bug: string;
  readonly files: readonly string[];
}

/** Rows of all tables, with the samples and tests that each names. */
const text = read(__dirname, '../../../../docs/bugs.md');
const rows: readonly Row[] = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:Bug|-+) /.test(line))
  .map((line) => ({
    bug: line.split('|')[1]?.trim() ?? '',
    files: [...line.matchAll(/`([\w./-]+\.(?:iopte\.yaml|test\.ts))`/g)].map(([, file = '']) => file),
  }));

const contentOf = (file: string) =>
  file.endsWith('.yaml')
    ? read(SAMPLES, file)
    : existsSync(join(__dirname, file))
      ? read(__dirname, file)
      : '';

describe('docs/bugs.md', () => {
  it('names every mistake that a machine can be given', () => {
    const ids = [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS].map(({ id }) => id);
    for (const id of [...ids, ...HARDWARE_MISTAKES]) assert.ok(text.includes(`\`${id}\``), id);
  });

  it('has a sample or a test for every bug, by its name', () => {
    assert.ok(rows.length > 40);
    for (const { bug, files } of rows) {
      assert.ok(files.length > 0, bug);
      const contents = files.map(contentOf);
      for (const [index, content] of contents.entries()) assert.notEqual(content, '', files[index]);
      for (const [name] of bug.matchAll(NAMES))
        assert.ok(
          contents.some((content) => content.includes(name)),
          `${name} is in none of ${files.join(', ')}`,
        );
    }
  });

  it('has every sample of a bug, and every test here, by its source', () => {
    const named = new Set(rows.flatMap(({ files }) => files));
    assert.deepEqual(
      [...samples, ...tests].filter((file) => !named.has(file)),
      [],
    );
    for (const file of tests)
      for (const [, source = ''] of read(__dirname, file).matchAll(SOURCE))
        assert.ok(text.includes(`| ${source}:`), `${file}: ${source}`);
  });

  it('has a sample or a test that uses each mistake', () => {
    const played = [
      ...samples.map((file) => read(SAMPLES, file)),
      ...tests.map((file) => read(__dirname, file)),
    ].join('\n');
    for (const { id } of [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS])
      assert.match(played, new RegExp(`driverFaults: \\[.*\\b${id}\\b|'${id}'`), id);
    for (const id of HARDWARE_MISTAKES)
      assert.match(played, new RegExp(`mistakes: \\[.*\\b${id}\\b|'${id}'`), id);
  });
});
