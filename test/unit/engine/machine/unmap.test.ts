import assert from 'node:assert/strict';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { Bench, compare, DEVICE, dma } from './bench';

type Unmap = Extract<MachineOperation, { kind: 'unmap' }>;
const IOVA = '0x201000';

const unmap = (bench: Bench, iova: string, length: string, more: Partial<Unmap> = {}): Unmap => ({
  kind: 'unmap',
  ...{ domain: bench.domain, iova, length, through: 'tables' },
  ...more,
});

describe('unmap through tables', () => {
  it('takes any range, and what was mapped is out of reach', () => {
    const bench = new Bench();
    bench.map('0x200000', '64K', '0x10000');
    const pages = ['0x200000', '0x204000', '0x208000'];
    bench.does(...pages.map((page) => dma(page)));
    assert.equal(bench.does(unmap(bench, '0x204000', '16K')).counts['pages'], 4);
    assert.equal(bench.machine.hwpts.get(bench.domain)?.mappedPages, 12);
    const refused = pages.map((page) => bench.does(dma(page)).counts['refused']);
    assert.deepEqual(refused, [0, 1, 0]);
    assert.deepEqual(bench.findings, []);
    // iommufd refuses what is no whole area.
    const cut = { kind: 'unmap', domain: bench.domain, iova: '0x200000', length: '4K' } as const;
    assert.equal(bench.asks(cut).errno, 'ENOENT');
  });

  it('flushes once for several ranges', () => {
    const commands = (more: Partial<Unmap>, again: boolean): number => {
      const bench = new Bench();
      bench.map('0x200000', '64K', '0x10000');
      let submitted = 0;
      const operations = [unmap(bench, '0x200000', '4K', more), unmap(bench, '0x202000', '4K')];
      for (const operation of again ? operations : operations.slice(0, 1))
        for (const step of bench.machine.perform(operation)) if (step.kind === 'submit') submitted++;
      assert.equal(bench.does(dma('0x202000')).counts['refused'], 1);
      return submitted;
    };
    const one = commands({ more: [{ iova: '0x202000', length: '4K' }] }, false);
    assert.equal(commands({}, true), 2 * one);
  });

  it('tells by a protocol what was dirty at last, and copies it', () => {
    for (const protocol of ['unmap.xchg-report', 'unmap.protect-first', 'unmap.read-store']) {
      const bench = new Bench({ mapping: { what: 'guest', pages: ['4K'] }, dirtyTracking: 'on' });
      bench.does(dma('0x5000'), dma('0x9000'));
      const report = bench.does(unmap(bench, '0x4000', '16K', { protocol }));
      assert.deepEqual(report.dirty, {
        ranges: [{ start: '0x5000', end: '0x6000' }],
        pages: 1,
        more: false,
      });
      assert.equal(report.counts['pages'], 4);
      assert.equal(bench.does(dma('0x5000')).counts['refused'], 1);
      assert.deepEqual(bench.lost, [9]);
      assert.deepEqual(bench.findings, ['lost-dirty']);
    }
  });

  it('loses a write between reading the mark and taking the leaf, unless the permission goes first', () => {
    const lost = (protocol: string): boolean => {
      const story = (after: number) => {
        const bench = new Bench({ mapping: { what: 'guest', pages: ['4K'] }, dirtyTracking: 'on' });
        const operation = unmap(bench, '0x5000', '4K', { protocol });
        const moments = [{ after, operations: [dma('0x5000')] }];
        const { counts } = bench.does({ kind: 'during', operation, moments });
        return { steps: counts['steps'] ?? 0, lost: bench.lost };
      };
      const { steps } = story(0);
      return Array.from({ length: steps }, (_, after) => story(after)).some((each) => each.lost.length > 0);
    };
    assert.equal(lost('unmap.read-store'), true);
    assert.equal(lost('unmap.protect-first'), false);
  });

  it('refuses what does not go together', () => {
    const bench = new Bench({ mapping: { what: 'guest', pages: [] } });
    const errno = (more: object, iova = '0x0', length = '4K') =>
      bench.asks(unmap(bench, iova, length, more)).errno;
    assert.equal(errno({ through: 'iommufd', flush: 'everything' }), 'EINVAL');
    assert.equal(errno({ through: 'iommufd', more: [] }), 'EINVAL');
    assert.equal(errno({ through: 'nobody' }), 'EINVAL');
    assert.equal(errno({ protocol: 'unmap.none' }), 'EINVAL');
    assert.equal(errno({ protocol: 'unmap.xchg-report', flush: 'everything' }), 'EINVAL');
    assert.equal(errno({}, '0x800'), 'EINVAL');
    assert.equal(errno({}, '0x0', '0'), 'EINVAL');
    assert.equal(errno({ more: [{ iova: 'nowhere', length: '4K' }] }), 'EINVAL');
    const many = Array.from({ length: 256 }, () => ({ iova: '0x0', length: '4K' }));
    assert.equal(errno({ more: many }), 'EINVAL');
  });
});

describe('Stories by unmap', () => {
  it('Linux b48ca9206138: a range apart from what is gathered', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({ driverFaults });
      bench.map(IOVA, '8K', '0x10000');
      bench.map('0x1201000', '4K', '0x20000');
      bench.does(dma(IOVA), dma('0x1201000'));
      bench.does(unmap(bench, IOVA, '8K', { more: [{ iova: '0x1201000', length: '4K' }] }));
      bench.does(dma(IOVA), dma('0x1201000'));
      return bench.findings;
    };
    compare('gather-drops-disjoint', play, ['stale-use'], []);
  });

  it('Linux ee6e69d03255: of a leaf that goes as a whole a part is flushed', () => {
    for (const [vendor, tables] of [
      ['vt-d', 'second-stage'],
      ['amd-vi', 'v1'],
    ] as const) {
      const play = (driverFaults: readonly string[]) => {
        const bench = new Bench({ vendor, tables, driverFaults });
        bench.map('0x400000', '2M', '0x200000');
        bench.does(dma('0x5ff000'));
        assert.equal(bench.does(unmap(bench, '0x400000', '64K')).counts['pages'], 512);
        bench.does(dma('0x5ff000'));
        return bench.findings;
      };
      compare('gather-asked-only', play, ['stale-use'], []);
    }
  });

  it('Linux 90c5def10bea: a gather that is never filled is never flushed for', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({ vendor: 'riscv', tables: 'sv48x4', driverFaults });
      bench.map(IOVA, '8K', '0x10000');
      bench.does(dma(IOVA));
      bench.does({ kind: 'unmap', domain: bench.domain, iova: IOVA, length: '8K' });
      bench.map(IOVA, '8K', '0x20000');
      bench.does(dma(IOVA));
      return bench.findings;
    };
    compare('gather-never-filled', play, ['stale-use'], []);
  });

  it('QEMU f051dbeb91a2: a mapping that goes takes its dirty bits along', () => {
    const story = (looks: boolean) => {
      const bench = new Bench({ mapping: { what: 'guest', pages: ['4K'] }, dirtyTracking: 'on' });
      const { domain } = bench;
      bench.does(dma('0x30000'));
      if (looks) bench.does({ kind: 'readDirty', domain, clear: true });
      bench.does({ kind: 'unmap', domain, iova: '0x0', length: '16M' });
      return bench.lost;
    };
    assert.deepEqual(story(false), [0x30]);
    assert.deepEqual(story(true), []);
  });

  /** A page of a process goes away; its device has a TLB of its own. */
  const process = (flush: 'gathered' | 'everything') => (driverFaults: readonly string[]) => {
    const bench = new Bench({ driverFaults, devices: [{ requester: DEVICE, ats: true }] });
    const made = bench.does({ kind: 'createDomain', dirtyTracking: false, tables: 'first-stage' });
    const { domain = 0 } = made.counts;
    bench.map(IOVA, '4K', '0x3000', domain);
    bench.does({ kind: 'attach', requester: DEVICE, pasid: 5, to: domain });
    const write = dma(IOVA, 'write', { pasid: 5 });
    bench.does(write, { ...unmap(bench, IOVA, '4K', { flush }), domain }, write);
    return bench.findings;
  };

  it('Linux iommu/vt-d, 2025: the flush of a whole domain misses the PASID', () => {
    compare('flush-all-without-pasid', process('everything'), ['stale-use'], []);
  });

  it('Linux 05adba9f1: device TLB invalidations leave out what is attached by PASID', () => {
    compare('device-tlb-skips-pasids', process('gathered'), ['stale-use'], []);
  });

  it('Linux 0cdc78ab5: unaligned ranges are invalidated from an unaligned address on', () => {
    const story = (driverFaults: readonly string[]) => {
      const bench = new Bench({ driverFaults });
      bench.map(IOVA, '8K', '0x10000');
      bench.does(dma(IOVA), dma('0x202000'));
      bench.does({ kind: 'unmap', domain: bench.domain, iova: IOVA, length: '8K' });
      bench.does(dma('0x202000'));
      return bench.findings;
    };
    compare('unaligned-range', story, ['stale-use'], []);
  });
});
