/** docs/hardware.md has every rule, mistake, fault, protocol and finding by its name, and names no file that is not there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DRIVER_FAULTS } from '../../../src/engine/driver/driverFaults';
import { BITMAP_FAULTS } from '../../../src/engine/driver/iommufd/bitmapFaults';
import { COLLAPSES } from '../../../src/engine/driver/pageTable/protocols/collapse';
import { HARVESTS } from '../../../src/engine/driver/pageTable/protocols/harvest';
import { SPLITS } from '../../../src/engine/driver/pageTable/protocols/split';
import { UNMAPS } from '../../../src/engine/driver/pageTable/protocols/unmapReporting';
import { TABLE_FAULTS } from '../../../src/engine/driver/pageTable/tableFaults';
import { HARDWARE_MISTAKES } from '../../../src/engine/iommu/rules';
import { FINDING_KINDS } from '../../../src/engine/ledger/finding';

const root = path.join(__dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const text = read('docs/hardware.md');
const VENDORS = ['vtd', 'amd', 'smmuv3', 'riscv'];

/** Fields of an interface of a source file, in their order. */
function fieldsOf(file: string, name: string): string[] {
  const [, body = ''] =
    new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(read(file)) ?? [];
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field);
}

describe('docs/hardware.md', () => {
  it('names every rule of hardware, each mistake, fault and protocol, and what the ledger finds', () => {
    const rules = fieldsOf('src/engine/iommu/rules.ts', 'HardwareRules');
    assert.ok(rules.length > 10);
    const faults = [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS].map(({ id }) => id);
    const protocols = [SPLITS, COLLAPSES, HARVESTS, UNMAPS].flatMap((each) => Object.keys(each));
    const names = [...rules, ...HARDWARE_MISTAKES, ...faults, ...protocols, ...FINDING_KINDS];
    assert.deepEqual(
      names.filter((name) => !text.includes(`\`${name}\``)),
      [],
    );
  });

  it('names no fault, protocol or file that is not there', () => {
    const known = [SPLITS, COLLAPSES, HARVESTS, UNMAPS].flatMap((each) => Object.keys(each));
    const named = [...text.matchAll(/`((?:split|collapse|harvest|unmap)\.[\w-]+)`/g)].map(
      ([, id = '']) => id,
    );
    assert.deepEqual(
      named.filter((id) => !known.includes(id)),
      [],
    );
    const files = text.match(
      /(?:test\/unit\/engine\/|\b)(?:iommu|driver|ledger|memory|machine|directory|formats|pageTable)\/[\w/.*\\]+\.ts/g,
    );
    assert.ok(files && files.length > 100);
    const missing = files.flatMap((file) => {
      const plain = file.replaceAll('\\', '');
      const places = plain.startsWith('test/') ? [plain] : [`src/engine/${plain}`];
      if (plain.includes('capabilities/*')) return [];
      return places
        .flatMap((place) =>
          place.includes('*') ? VENDORS.map((vendor) => place.replace('*', vendor)) : [place],
        )
        .filter((place) => !existsSync(path.join(root, place)));
    });
    // VT-d has no raw commands of guests: its driver makes them.
    assert.deepEqual([...new Set(missing)], ['src/engine/driver/vendors/vtd/guestCommands.ts']);
  });
});
