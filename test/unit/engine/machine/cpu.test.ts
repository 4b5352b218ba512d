import assert from 'node:assert/strict';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { type MachineCpu, type MachineSpec } from '../../../../src/engine/machine/spec';
import { Bench, dma } from './bench';

const CAREFUL: MachineCpu = { vcpus: 2, logging: 'dirty-bits', logsHostWriters: true, harvestsOnZap: true };
const CARELESS: MachineCpu = { ...CAREFUL, logsHostWriters: false, harvestsOnZap: false };

const make = (cpu: MachineCpu = CAREFUL, changes: Partial<MachineSpec> = {}): Bench =>
  new Bench({ mapping: { what: 'guest', pages: ['4K'] }, dirtyTracking: 'on', cpu, ...changes });

const write = (address: string, vcpu = 0): MachineOperation => ({
  kind: 'cpu',
  accesses: [{ vcpu, address, access: 'write' }],
});
const host = (by: string, address: string): MachineOperation => ({ kind: 'hostWrite', by, address });
const HARVEST: MachineOperation = { kind: 'harvestCpu' };
const EVERYTHING: MachineOperation = { kind: 'copy', what: 'everything' };
const POPULATED: MachineOperation = { kind: 'copy', what: 'populated' };

describe('Operations of CPUs', () => {
  it('write and read guest memory, and say where', () => {
    const bench = make();
    const report = bench.does({
      kind: 'cpu',
      accesses: [
        { address: '0x5ff8', length: 16, access: 'write' },
        { vcpu: 1, address: '8M', access: 'read' },
        { vcpu: 2, address: '0x9000', access: 'read' },
        { address: '16M', access: 'write' },
      ],
    });
    assert.deepEqual(report.counts, { accesses: 4, landed: 2, refused: 2, reads: 1, writes: 1 });
    assert.deepEqual(report.landed, [
      { index: 0, address: '0x5ff8' },
      { index: 1, address: '0x800000' },
    ]);
    assert.deepEqual(
      report.refused?.map(({ index, fault }) => [index, fault.split(':')[0]]),
      [
        [2, 'EINVAL'],
        [3, 'EFAULT'],
      ],
    );
    // Both pages of the first one.
    assert.deepEqual(bench.lost, [5, 6]);
  });

  it('are told by a round, once, and copied', () => {
    for (const logging of ['dirty-bits', 'write-protect'] as const) {
      for (const vendor of ['vt-d', 'amd-vi'] as const) {
        const tables = vendor === 'vt-d' ? 'second-stage' : 'v1';
        const bench = make({ ...CAREFUL, logging }, { vendor, tables });
        bench.does(write('0x5000'), write('0x9000', 1), host('vhost', '0xb000'));
        const { dirty } = bench.does(HARVEST);
        assert.deepEqual(
          dirty?.ranges.map(({ start }) => start),
          ['0x5000', '0x9000', '0xb000'],
        );
        assert.equal(bench.does(HARVEST).counts['pages'], 0);
        bench.does(write('0x9000', 1));
        assert.equal(bench.does(HARVEST).counts['pages'], 1);
        const { written, reported } = bench.machine.ledgerTotals;
        assert.deepEqual({ written, reported }, { written: 3, reported: 4 });
        assert.deepEqual(bench.lost, []);
      }
    }
  });

  it('make holes where host writers are not logged: the loader in a first round, vhost between rounds', () => {
    const story = (cpu: MachineCpu, first: MachineOperation) => {
      const bench = make(cpu);
      bench.does(host('loader', '0x10000'), write('0x20000'), dma('0x30000'), first);
      bench.does(write('0x21000'), HARVEST, { kind: 'readDirty', domain: bench.domain, clear: true });
      return bench.lost;
    };
    assert.deepEqual(story(CARELESS, POPULATED), [0x10]);
    assert.deepEqual(story({ ...CARELESS, logsHostWriters: true }, POPULATED), []);
    assert.deepEqual(story(CARELESS, EVERYTHING), []);
    const vhost = (cpu: MachineCpu) => {
      const bench = make(cpu);
      bench.does(write('0x20000'), EVERYTHING, HARVEST, host('vhost', '0x20000'), HARVEST);
      return bench.lost;
    };
    assert.deepEqual(vhost(CARELESS), [0x20]);
    assert.deepEqual(vhost(CAREFUL), []);
  });

  it('make holes where entries go away with their dirty bits', () => {
    const zap = (address: string): MachineOperation => ({
      kind: 'zap',
      ...{ address, length: '4K', reason: 'mmu-notifier' },
    });
    const story = (cpu: MachineCpu) => {
      const bench = make(cpu);
      bench.does(write('0x20000'), zap('0x20000'), POPULATED, write('0x22000', 1), zap('0x22000'), HARVEST);
      return bench.lost;
    };
    assert.deepEqual(story(CARELESS), [0x20, 0x22]);
    assert.deepEqual(story(CAREFUL), []);
  });

  it('cloud-hypervisor 8567: dirty IOVAs are no guest addresses, and a copy of a range is of guest addresses', () => {
    const story = (translates: boolean) => {
      const bench = make(CAREFUL, { memory: '16M' });
      const { domain = 0 } = bench.does({ kind: 'createDomain', dirtyTracking: true, pages: ['4K'] }).counts;
      bench.map('0x80000000', '2M', '0x400000', domain);
      bench.does({ kind: 'attach', requester: '00:02.0', to: domain });
      bench.does({ kind: 'setDirtyTracking', domain, enable: true }, EVERYTHING, dma('0x80003000'));
      const dirty = bench.does({ kind: 'readDirty', domain, clear: translates }).dirty?.ranges ?? [];
      assert.deepEqual(dirty, [{ start: '0x80003000', end: '0x80004000' }]);
      if (!translates) bench.does({ kind: 'copy', what: 'range', address: '0x80003000', length: '4K' });
      return bench.lost;
    };
    assert.deepEqual(story(false), [0x403]);
    assert.deepEqual(story(true), []);
  });

  it('copy a range', () => {
    const bench = make();
    bench.does(write('0x5000'), write('0x6000'));
    bench.does({ kind: 'copy', what: 'range', address: '0x6000', length: '4K' });
    assert.deepEqual(bench.lost, [5]);
  });

  it('are refused without CPUs, and where they make no sense', () => {
    const without = new Bench();
    for (const operation of [write('0x0'), host('vhost', '0x0'), HARVEST, POPULATED])
      assert.equal(without.asks(operation).errno, 'ENODEV', operation.kind);
    const bench = make();
    const errno = (operation: object): string | undefined => bench.asks(operation as MachineOperation).errno;
    assert.equal(errno({ kind: 'zap', address: '0x0', length: '4K', reason: 'none' }), 'EINVAL');
    assert.equal(errno({ kind: 'copy', what: 'range' }), 'EINVAL');
    assert.equal(errno({ kind: 'copy', what: 'nothing' }), 'EINVAL');
    assert.equal(errno({ kind: 'hostWrite', by: 'vhost', address: '1T' }), 'EFAULT');
    assert.equal(errno({ kind: 'hostWrite', by: 'vhost', address: '0x0', length: '8G' }), 'EINVAL');
    assert.equal(errno({ kind: 'cpu', accesses: [{ address: 'x', access: 'read' }] }), 'EINVAL');
  });

  it('interleave with a round as with any other operation', () => {
    const bench = make();
    bench.does(write('0x5000'));
    const moments = [{ every: 1, operations: [write('0x5000'), write('0x9000')] }];
    bench.does({ kind: 'during', operation: HARVEST, moments }, HARVEST);
    assert.deepEqual(bench.lost, []);
  });
});
