/** Bugs about what is written into tables, in which order, and what is taken for their geometry. */
import assert from 'node:assert/strict';
import { type FindingKind } from '../../../../src/engine/ledger/finding';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { runSteps } from '../../../../src/engine/steps';
import { Migration, WRITE_BACK_PAGE, type MigrationOptions } from '../migration';
import { compare } from './story';

const VTD = { vendor: 'vt-d', tables: 'second-stage' } as const;
const AMD = { vendor: 'amd-vi', tables: 'v1' } as const;
const SMMU = { vendor: 'smmuv3', tables: 'stage1-4k' } as const;

const migrate = (
  machine: MigrationOptions['machine'],
  driverFaults: readonly string[],
  options: Pick<MigrationOptions, 'pages' | 'rules'> = {},
): Migration => {
  const policy = { logsHostWriters: true, harvestsOnZap: true };
  const migration = new Migration({ machine, policy, round: 'everything', driverFaults, ...options });
  migration.firstRound();
  return migration;
};

const errorsOf = ({ machine }: Migration): FindingKind[] => [
  ...new Set(
    machine.ledger.findings
      .all()
      .map(({ kind }) => kind)
      .filter((kind) => kind !== 'over-report'),
  ),
];

/** Does an operation that the driver accepts. */
function does(migration: Migration, operation: MachineOperation): void {
  assert.equal(migration.perform(operation).errno, undefined);
}

describe('Bugs: table updates and geometry', () => {
  it('Linux dce043c07ca1: Fix __domain_mapping’s usage of switch_to_super_page', () => {
    // 2M and a bit are mapped; behind the bit another mapping stands in the same table, and goes.
    const play = (driverFaults: readonly string[]) => {
      const migration = migrate(VTD, driverFaults);
      const { id: domain } = migration.domain;
      does(migration, { kind: 'unmap', domain, iova: '0x0', length: '16M' });
      const map = (iova: string, length: string): void => {
        does(migration, { kind: 'map', domain, iova, length, permission: 'RW' });
      };
      map('0x500000', '0x1000');
      map('0x200000', '0x201000');
      const refused = migration.dma(0x500);
      return { refused, kinds: errorsOf(migration) };
    };
    compare<ReturnType<typeof play>>(
      'superpage-clears-beyond',
      play,
      { refused: 'not-present', kinds: ['spurious-fault'] },
      { refused: '', kinds: [] },
    );
  });

  it('Linux 754265bcab7 and 1e56310b40fd: iommu/amd, root and mode are read one after the other while they grow', () => {
    const play = (driverFaults: readonly string[]) => {
      const migration = migrate(AMD, driverFaults);
      const { id: domain } = migration.domain;
      const where = { domain, iova: '0x40000000', length: '4K' };
      does(migration, { kind: 'map', ...where, paddr: '0x5000', permission: 'RW' });
      migration.dma(0x40000);
      const unmapping = migration.machine.perform({ kind: 'unmap', ...where });
      // It has read the root; then another mapping makes the tables grow by a level.
      for (let step = unmapping.next(); step.done !== true; step = unmapping.next())
        if ('name' in step.value && (step.value.kind === 'read' || step.value.name === 'read the root'))
          break;
      does(migration, {
        kind: 'map',
        ...{ domain, iova: '0x8000000000', length: '4K', paddr: '0x6000', permission: 'RW' },
      });
      runSteps(unmapping);
      const [old, next] = [0x40000, 0x800_0000].map((page) => migration.dma(page));
      return { old, next, kinds: errorsOf(migration) };
    };
    compare<ReturnType<typeof play>>(
      'root-in-two-reads',
      play,
      { old: '', next: '', kinds: ['stale-use'] },
      { old: 'not-present', next: '', kinds: [] },
    );
  });

  it('J. Martins, 14 February 2022: D of a page of several entries is read from one of them', () => {
    const play = (driverFaults: readonly string[]) => {
      const migration = migrate(AMD, driverFaults, { pages: ['4K', '64K'] });
      migration.dma(0x3f);
      return migration.finish();
    };
    compare('one-replica', play, [0x3f, WRITE_BACK_PAGE], []);
  });

  it('Review of the SMMUv3 dirty-tracking series of 2022: leaves that are mapped later lack DBM', () => {
    const play = (driverFaults: readonly string[]) => {
      const migration = migrate(SMMU, driverFaults, { pages: ['4K'] });
      const { id: domain } = migration.domain;
      does(migration, { kind: 'unmap', domain, iova: '0x0', length: '16M' });
      does(migration, { kind: 'map', domain, iova: '0x0', length: '16M', permission: 'RW' });
      migration.round();
      migration.firstRound();
      migration.dma(0x3f);
      return migration.finish();
    };
    compare('new-leaves-untracked', play, [0x3f, WRITE_BACK_PAGE], []);
  });

  /** Splits the first 2M while the device writes once, after the given step; what is lost then. */
  function lostBySplit(
    machine: MigrationOptions['machine'],
    protocol: string | undefined,
    after: number,
    rules: MigrationOptions['rules'] = {},
  ): { readonly lost: readonly number[]; readonly steps: number } {
    const migration = migrate(machine, [], { pages: ['4K', '2M'], rules });
    const { id: domain } = migration.domain;
    if (machine.vendor === 'smmuv3') migration.round();
    const operation = { kind: 'split', domain, iova: '0x0', size: '4K' } as const;
    const split = migration.machine.perform(protocol === undefined ? operation : { ...operation, protocol });
    let steps = 0;
    if (after === 0) migration.dma(0x30);
    for (let step = split.next(); step.done !== true; step = split.next()) {
      steps++;
      if (steps === after) migration.dma(0x30);
    }
    return { lost: migration.finish(), steps };
  }

  it('J. Gunthorpe, August 2024: cut_mapping captures no D', () => {
    for (const machine of [VTD, AMD]) {
      assert.deepEqual(lostBySplit(machine, 'split.cut-2024', 0).lost, [0x30]);
      assert.deepEqual(lostBySplit(machine, undefined, 0).lost, []);
    }
  });

  it('Linux list, K. Zhu, add26d298 (split_block): a block whose D is set between its read and the table', () => {
    const rules = { bbml: 1 as const };
    const lossy = (protocol: string | undefined): boolean => {
      const { steps } = lostBySplit(SMMU, protocol, -1, rules);
      return Array.from({ length: steps }, (_, after) => lostBySplit(SMMU, protocol, after, rules)).some(
        ({ lost }) => lost.length > 0,
      );
    };
    assert.deepEqual(
      { broken: lossy('split.nt-2021'), fixed: lossy(undefined) },
      { broken: true, fixed: false },
    );
  });
});
