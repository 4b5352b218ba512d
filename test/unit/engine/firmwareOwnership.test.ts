import assert from 'node:assert/strict';
import { type FirmwareOwnership, type Ownership, readFirmware } from '../../../src/engine/firmware/index';
import { tablesOfRootPointer } from '../../../src/engine/firmware/rootPointer';
import {
  acpiDevice,
  alias8,
  atsr,
  bdf,
  device4,
  dmar,
  drhd,
  iort,
  itsGroup,
  ivhd,
  ivmd,
  ivrs,
  memoryOf,
  node,
  rmrr,
  rootComplex,
  rsdp,
  scope,
  smmuV3,
  special8,
  u64,
  xsdt,
} from './firmwareTables';

const TABLE_AT = 0x7ff1_0003;

/** The answers of the tables in a memory whose root pointer leads to them. */
function firmwareOf(...tables: readonly number[][]): FirmwareOwnership {
  const at = tables.map((_, i) => TABLE_AT + i * 0x10000);
  const memory = memoryOf(
    [0xf59b0, rsdp(0, 0x7ff0_0000)],
    [0x7ff0_0000, xsdt(...at)],
    ...tables.map((bytes, i): [number, number[]] => [at[i] ?? 0, bytes]),
  );
  const found = tablesOfRootPointer(memory);
  assert.deepEqual(found.problems, []);
  assert.equal(found.tables.length, tables.length);
  return readFirmware(found.tables);
}

/** `owner 0xfed90000:10`, ids in hex. */
function short(ownership: Ownership): string {
  if (ownership.kind === 'untranslated' || ownership.kind === 'unknown') return ownership.kind;
  const owners = ownership.kind === 'owner' ? [ownership.owner] : ownership.candidates;
  return [
    ownership.kind,
    ...owners.map(({ iommu, id }) => `${iommu.base.toString(16)}:${id.toString(16)}`),
  ].join(' ');
}

const ENDPOINT = 1;
const BRIDGE = 2;

describe('which IOMMU owns a device: DMAR', () => {
  // A unit for graphics and one for all the rest: what Intel's clients have.
  const client = firmwareOf(
    dmar(
      drhd(0xfed9_0000, 0, 0, scope(ENDPOINT, 0, 0, [2, 0])),
      drhd(0xfed9_1000, 0, 1, scope(3, 2, 0xf0, [0x1f, 0]), scope(4, 0, 0, [0x1f, 1])),
      rmrr(0x8b00_0000, 0x8f7f_ffff, 0, scope(ENDPOINT, 0, 0, [2, 0])),
      atsr(0, scope(BRIDGE, 0, 0, [1, 0])),
    ),
  );

  it('a unit that names a device has it, the unit that includes all PCI devices has the rest', () => {
    assert.equal(short(client.ownerOf(0, bdf(0, 2, 0))), 'owner fed90000:10');
    assert.equal(short(client.ownerOf(0, bdf(0, 2, 1))), 'owner fed91000:11');
    assert.equal(short(client.ownerOf(0, bdf(0xff, 31, 7))), 'owner fed91000:ffff');
    assert.equal(short(client.ownerOf(1, bdf(0, 2, 0))), 'unknown');
    assert.deepEqual(client.problems, []);
    assert.deepEqual(
      client.iommus.map(({ kind, base, segments }) => [kind, base, segments]),
      [
        ['vt-d', 0xfed9_0000, [0]],
        ['vt-d', 0xfed9_1000, [0]],
      ],
    );
  });

  it('the bridge itself is certain, what may stand behind it is a candidate beside the rest', () => {
    const server = firmwareOf(
      dmar(
        drhd(0xc5ff_c000, 0, 0, scope(BRIDGE, 0, 0x40, [1, 0])),
        drhd(0xc7ff_c000, 0, 0, scope(BRIDGE, 0, 0x80, [1, 0], [0, 0])),
        drhd(0xd37f_c000, 0, 1),
      ),
    );
    assert.equal(short(server.ownerOf(0, bdf(0x40, 1, 0))), 'owner c5ffc000:4008');
    assert.equal(short(server.ownerOf(0, bdf(0x40, 2, 0))), 'owner d37fc000:4010');
    assert.equal(short(server.ownerOf(0, bdf(0x41, 0, 0))), 'candidates c5ffc000:4100 d37fc000:4100');
    assert.equal(
      short(server.ownerOf(0, bdf(0x81, 0, 0))),
      'candidates c5ffc000:8100 c7ffc000:8100 d37fc000:8100',
    );
    assert.equal(short(server.ownerOf(0, bdf(0x80, 1, 0))), 'candidates c5ffc000:8008 d37fc000:8008');
    assert.equal(short(server.ownerOf(0, bdf(0, 2, 0))), 'owner d37fc000:10');
  });

  it('an endpoint behind bridges is known by its device and function, not by its bus', () => {
    const { ownerOf } = firmwareOf(dmar(drhd(0xfed9_0000, 0, 0, scope(ENDPOINT, 0, 3, [0x1c, 4], [5, 1]))));
    assert.equal(short(ownerOf(0, bdf(7, 5, 1))), 'candidates fed90000:729');
    assert.equal(short(ownerOf(0, bdf(3, 5, 1))), 'unknown');
    assert.equal(short(ownerOf(0, bdf(7, 5, 2))), 'unknown');
  });

  it('units of other segments do not count; two that name one device are both candidates', () => {
    const { ownerOf } = firmwareOf(
      dmar(
        drhd(0x1000_0000, 1, 1),
        drhd(0x2000_0000, 0x8001, 1),
        drhd(0x3000_0000, 2, 0, scope(ENDPOINT, 0, 0, [4, 0])),
        drhd(0x4000_0000, 2, 0, scope(ENDPOINT, 0, 0, [4, 0])),
      ),
    );
    assert.equal(short(ownerOf(1, 0)), 'owner 10000000:0');
    assert.equal(short(ownerOf(0x8001, 0)), 'owner 20000000:0');
    const both = ownerOf(2, bdf(0, 4, 0));
    assert.equal(short(both), 'candidates 30000000:20 40000000:20');
    assert.match(
      both.kind === 'candidates' ? both.why : '',
      /^The firmware tables give 0002:00:04\.0 to more/,
    );
  });
});

describe('which IOMMU owns a device: IVRS', () => {
  const block = (type: 0x10 | 0x11 | 0x40, ...entries: number[][]): number[] =>
    ivhd(type, bdf(0, 0, 2), 0xfd20_0000, 0, ...entries);

  it('ranges, single devices, aliases; ends are inclusive', () => {
    const { ownerOf, problems } = firmwareOf(
      ivrs(
        block(
          0x10,
          device4(3, 0x0003),
          device4(4, 0x00fe),
          device4(0, 0),
          device4(2, 0x0208),
          [70, 0x10, 0x02, 0, ...[0, 0, 0, 0x80]],
          [71, 0x00, 0x03, 0, ...[0, 0, 0, 0]],
          device4(4, 0x03ff),
          alias8(66, 0x0080, 0x00a5),
          alias8(67, 0x0500, 0x0400),
          device4(4, 0x05ff),
        ),
      ),
    );
    assert.deepEqual(problems, []);
    const owners = [0x2, 0x3, 0xfe, 0xff, 0x208, 0x210, 0x300, 0x3ff, 0x400, 0x80, 0x500, 0x5ff, 0x600];
    assert.deepEqual(
      owners.map((id) => `${id.toString(16)} ${short(ownerOf(0, id))}`),
      [
        '2 unknown',
        '3 owner fd200000:3',
        'fe owner fd200000:fe',
        'ff unknown',
        '208 owner fd200000:208',
        '210 owner fd200000:210',
        '300 owner fd200000:300',
        '3ff owner fd200000:3ff',
        '400 unknown',
        '80 owner fd200000:a5',
        '500 owner fd200000:400',
        '5ff owner fd200000:400',
        '600 unknown',
      ],
    );
  });

  for (const type of [0x10, 0x11, 0x40] as const) {
    it(`a block of type 0x${type.toString(16)}`, () => {
      const { ownerOf, iommus } = firmwareOf(ivrs(block(type, device4(2, 0x10))));
      assert.deepEqual(iommus, [{ kind: 'amd-vi', base: 0xfd20_0000, segments: [0], table: 'IVRS' }]);
      assert.equal(short(ownerOf(0, 0x10)), 'owner fd200000:10');
      assert.equal(short(ownerOf(0, 0x18)), 'unknown');
    });
  }

  it('an entry for all devices yields to an IOMMU that names the device', () => {
    const { ownerOf } = firmwareOf(
      ivrs(block(0x10, device4(1, 0)), ivhd(0x10, bdf(0x40, 0, 2), 0xfd30_0000, 0, device4(2, 0x4008))),
    );
    assert.equal(short(ownerOf(0, 0x4008)), 'owner fd300000:4008');
    assert.equal(short(ownerOf(0, 0x4010)), 'owner fd200000:4010');
  });

  it('of blocks for one IOMMU the highest type counts, wherever it stands', () => {
    const { ownerOf, iommus } = firmwareOf(
      ivrs(
        block(0x10, device4(1, 0)),
        block(0x40, device4(2, 0x10), acpiDevice(0xa5, 'AMDI0040', '\\_SB.FUR0')),
        block(0x11, device4(2, 0x18)),
      ),
    );
    assert.equal(iommus.length, 1);
    assert.equal(short(ownerOf(0, 0x10)), 'owner fd200000:10');
    assert.equal(short(ownerOf(0, 0x18)), 'unknown');
  });

  it('entries for IOAPICs, HPETs and ACPI devices, and memory blocks, are passed over', () => {
    const { ownerOf, problems } = firmwareOf(
      ivrs(
        ivmd(0x1000, 0x2000, 3),
        block(
          0x40,
          acpiDevice(0xa5, 'AMDI0040', '\\_SB.FUR0'),
          special8(0x20, 0xa0, 1),
          special8(0, 0xa0, 2),
          device4(2, 0x10),
        ),
      ),
    );
    assert.deepEqual(problems, []);
    assert.equal(short(ownerOf(0, 0x10)), 'owner fd200000:10');
    assert.equal(short(ownerOf(0, 0xa0)), 'unknown');
  });
});

describe('which IOMMU owns a device: IORT', () => {
  const its = itsGroup();
  const ITS_AT = 48;
  const SMMU_AT = ITS_AT + its.length;
  const smmu = smmuV3(0x905_0000, [0, 0xffff, 0, ITS_AT]);
  const SECOND_AT = SMMU_AT + smmu.length;

  it('a root complex leads to an SMMU, with StreamIDs that differ from requester ids', () => {
    const { ownerOf, iommus, problems } = firmwareOf(
      iort(its, smmu, rootComplex(1, [0, 0xff, 0x10000, SMMU_AT], [0x100, 0xfeff, 0x100, ITS_AT])),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(iommus, [{ kind: 'smmuv3', base: 0x905_0000, segments: [1], table: 'IORT' }]);
    assert.equal(short(ownerOf(1, 0x10)), 'owner 9050000:10010');
    assert.equal(short(ownerOf(1, 0xff)), 'owner 9050000:100ff');
    assert.equal(short(ownerOf(1, 0x100)), 'untranslated');
    assert.equal(short(ownerOf(1, 0xffff)), 'untranslated');
    assert.equal(short(ownerOf(0, 0x10)), 'unknown');
  });

  it('two SMMUs of one segment', () => {
    const second = smmuV3(0x1_0000_0000, [0, 0xffff, 0, ITS_AT]);
    const { ownerOf, iommus } = firmwareOf(
      iort(its, smmu, second, rootComplex(0, [0, 0x7fff, 0, SMMU_AT], [0x8000, 0x7fff, 0, SECOND_AT])),
    );
    assert.equal(iommus.length, 2);
    assert.equal(short(ownerOf(0, 0x7fff)), 'owner 9050000:7fff');
    assert.equal(short(ownerOf(0, 0x8000)), 'owner 100000000:0');
    assert.equal(short(ownerOf(0, 0xffff)), 'owner 100000000:7fff');
  });

  it('a range of one id too many yields to the range that begins there', () => {
    const { ownerOf } = firmwareOf(
      iort(its, smmu, rootComplex(0, [0, 0x100, 0, SMMU_AT], [0x100, 0x100, 0x1000, SMMU_AT])),
    );
    assert.equal(short(ownerOf(0, 0xff)), 'owner 9050000:ff');
    assert.equal(short(ownerOf(0, 0x100)), 'owner 9050000:1000');
    assert.equal(short(ownerOf(0, 0x200)), 'owner 9050000:1100');
    assert.equal(short(ownerOf(0, 0x201)), 'unknown');
  });

  it('a single mapping, a mapping of one id, and an SMMU of version 2', () => {
    const old = node(3, [...u64(0x2b40_0000), ...new Array<number>(52).fill(0)]);
    const { ownerOf, iommus } = firmwareOf(
      iort(
        its,
        smmu,
        old,
        rootComplex(0, [7, 3, 0x42, SMMU_AT, 1]),
        rootComplex(5, [0x10, 0, 0x800, SECOND_AT]),
      ),
    );
    assert.equal(short(ownerOf(0, 0x1234)), 'owner 9050000:42');
    assert.equal(short(ownerOf(5, 0x10)), 'owner 2b400000:800');
    assert.equal(short(ownerOf(5, 0x11)), 'unknown');
    assert.deepEqual(
      iommus.map(({ kind, segments }) => [kind, segments]),
      [
        ['smmuv3', [0]],
        ['smmu', [5]],
      ],
    );
  });

  it('mappings in a circle and references to nothing end', () => {
    const own = rootComplex(0, [0, 0xffff, 0, SMMU_AT]);
    assert.equal(short(firmwareOf(iort(its, own)).ownerOf(0, 0)), 'unknown');
    assert.equal(short(firmwareOf(iort(rootComplex(0, [0, 9, 0, 47]))).ownerOf(0, 0)), 'unknown');
  });

  it('an SMMU without an address is skipped, and its devices are not called untranslated', () => {
    const { ownerOf, problems } = firmwareOf(
      iort(its, smmuV3(1n << 52n, [0, 0xffff, 0, ITS_AT]), rootComplex(0, [0, 0xffff, 0, SMMU_AT])),
    );
    assert.equal(short(ownerOf(0, 0x10)), 'unknown');
    assert.match(problems[0]?.message ?? '', /^IORT at 0x7ff10003, offset 0x48: the base of an SMMU/);
  });
});
