import assert from 'node:assert/strict';
import { HARVESTS } from '../../../../src/engine/driver/pageTable/protocols/harvest';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { Bench, compare, dma } from './bench';

type ReadDirty = Extract<MachineOperation, { kind: 'readDirty' }>;

const TRACKED: Partial<MachineSpec> = { mapping: { what: 'guest', pages: ['4K'] }, dirtyTracking: 'on' };

const read = (bench: Bench, more: Partial<ReadDirty> = {}): ReadDirty => ({
  kind: 'readDirty',
  ...{ domain: bench.domain, clear: true },
  ...more,
});

describe('readDirty by a protocol', () => {
  it('reports, makes clean and copies what was written, by every order', () => {
    for (const protocol of Object.keys(HARVESTS)) {
      const bench = new Bench(TRACKED);
      bench.does(dma('0x5000'), dma('0x6000'), dma('0x9000'));
      const report = bench.does(read(bench, { protocol }));
      const expected = [
        { start: '0x5000', end: '0x7000' },
        { start: '0x9000', end: '0xa000' },
      ];
      assert.deepEqual(report.dirty?.ranges, expected, protocol);
      assert.equal(report.counts['pages'], 3);
      assert.equal(bench.does(read(bench)).counts['pages'], 0);
      assert.deepEqual(bench.lost, [], protocol);
    }
  });

  it('keeps to a range', () => {
    const bench = new Bench(TRACKED);
    bench.does(dma('0x5000'), dma('0x9000'));
    const report = bench.does(
      read(bench, { protocol: 'harvest.clear-flush-copy', iova: '0x8000', length: '8K' }),
    );
    assert.deepEqual(report.dirty?.ranges, [{ start: '0x9000', end: '0xa000' }]);
    assert.deepEqual(bench.lost, [5]);
  });

  it('is a step an entry, and as before when it is over', () => {
    const bench = new Bench(TRACKED);
    const tables = bench.machine.domains[0]?.paging.kernel.tables;
    let reads = 0;
    for (const step of bench.machine.perform(read(bench, { protocol: 'harvest.clear-flush-copy' })))
      if (step.kind === 'read') reads++;
    assert.ok(reads > 4096);
    assert.equal(tables?.granularity, 'table');
  });

  it('riscv-iommu 173: a write through a cached D between the copy and the flush', () => {
    const lost = (protocol: string) => {
      const bench = new Bench({ vendor: 'riscv', tables: 'sv48x4', dirtyTracking: 'on' });
      bench.map('0x200000', '4K', '0x3000');
      bench.does(read(bench), dma('0x200000'));
      const moments = [{ after: 'copy the pages', operations: [dma('0x200000')] }];
      bench.does({ kind: 'during', operation: read(bench, { protocol }), moments }, read(bench));
      return bench.lost;
    };
    assert.deepEqual(lost('harvest.clear-copy-flush'), [3]);
    assert.deepEqual(lost('harvest.clear-flush-copy'), []);
  });

  it('refuses what it cannot do', () => {
    const protocol = 'harvest.clear-flush-copy';
    const errno = (more: Partial<ReadDirty>, changes: Partial<MachineSpec> = {}) => {
      const bench = new Bench({ ...TRACKED, ...changes });
      return bench.asks(read(bench, more)).errno;
    };
    assert.equal(errno({ protocol: 'harvest.none' }), 'EINVAL');
    assert.equal(errno({ protocol, clear: false }), 'EINVAL');
    assert.equal(errno({ protocol, bitmapOffset: 8 }), 'EINVAL');
    assert.equal(errno({ protocol }, { dirtyTracking: 'off' }), 'EINVAL');
    assert.equal(errno({ protocol }, { dirtyTracking: 'none' }), 'EOPNOTSUPP');
    assert.equal(errno({ bitmapOffset: 4096 }), 'EINVAL');
    assert.equal(errno({ bitmapOffset: -1 }), 'EINVAL');
  });
});

describe('readDirty into a bitmap that begins within a page', () => {
  it('reports the same wherever the bitmap lies', () => {
    for (const bitmapOffset of [0, 1, 0xff1, 4095]) {
      const bench = new Bench(TRACKED);
      bench.does(dma('0x0'), dma('0x800000'));
      assert.deepEqual(bench.does(read(bench, { bitmapOffset })).dirty?.pages, 2);
      assert.deepEqual(bench.lost, []);
    }
  });

  it('Linux d18411ec3057: the address of the bitmap is taken for that of words', () => {
    for (const [bitmapOffset, broken] of [
      [0xff1, [0x800]],
      [0xff8, []],
    ] as const) {
      const play = (driverFaults: readonly string[]): readonly number[] => {
        const bench = new Bench({ ...TRACKED, driverFaults });
        bench.does(dma('0x800000'), read(bench, { iova: '0x0', length: '16M', bitmapOffset }));
        return bench.lost;
      };
      compare('word-pointer', play, broken, []);
    }
  });

  it('Linux 6.8-rc: the offset of the bitmap in its first page is ignored', () => {
    const play = (driverFaults: readonly string[]): readonly number[] => {
      const bench = new Bench({ ...TRACKED, memory: '128M', driverFaults });
      bench.does(dma('0x1000'), dma('0x7fff000'), read(bench, { bitmapOffset: 2048 }));
      return bench.lost;
    };
    compare('page-offset', play, [0x7fff], []);
  });
});
