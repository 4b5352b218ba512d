import assert from 'node:assert/strict';
import { Machine } from '../../../../src/engine/machine/machine';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { type MachineDevice, type MachineSpec } from '../../../../src/engine/machine/spec';
import { Bench, DEVICE, dma } from './bench';

const GUEST: Partial<MachineSpec> = { mapping: { what: 'guest', pages: ['4K'] } };
const withDevice = (device: Partial<MachineDevice>, changes: Partial<MachineSpec> = {}): Bench =>
  new Bench({ ...GUEST, devices: [{ requester: DEVICE, ...device }], ...changes });

const state = (to: string): MachineOperation =>
  ({ kind: 'deviceState', requester: DEVICE, state: to }) as MachineOperation;
const log = (action: string, ranges?: readonly { iova: string; length: string }[]): MachineOperation =>
  ({ kind: 'dmaLog', requester: DEVICE, action, ...(ranges ? { ranges } : {}) }) as MachineOperation;

describe('deviceState', () => {
  it('stops DMA and lets it go on', () => {
    const bench = withDevice({ vfio: { model: 'hisi-acc' } });
    assert.deepEqual(bench.does(dma('0x5000')).refused, []);
    bench.does(state('STOP'));
    assert.deepEqual(bench.does(dma('0x5000')).refused, [{ index: 0, fault: 'the device is stopped' }]);
    bench.does(state('RUNNING'));
    assert.deepEqual(bench.does(dma('0x5000')).refused, []);
  });

  it('goes only where its arcs lead', () => {
    const bench = withDevice({ vfio: { model: 'stop-copy' } });
    assert.equal(bench.asks(state('PRE_COPY')).errno, 'EINVAL');
    assert.equal(bench.asks(state('NOWHERE')).errno, 'EINVAL');
    assert.equal(withDevice({}).asks(state('STOP')).errno, 'EOPNOTSUPP');
    const missing = { ...state('STOP'), requester: '00:1f.0' } as MachineOperation;
    assert.equal(bench.asks(missing).errno, 'ENODEV');
    const sized = withDevice({ vfio: { model: 'stop-copy', state: '3M' } });
    assert.equal(sized.does(state('STOP_COPY')).counts['stopCopyBytes'], 3 * 2 ** 20);
  });

  it('QEMU, HiSilicon: what is written back when the state is read comes after the last round', () => {
    const story = (writesBack: 'stop' | 'save') => {
      const vfio = { model: 'hisi-acc', writesBack, writeBackTo: '0x77000' } as const;
      const bench = withDevice({ vfio }, { dirtyTracking: 'on' });
      const round = { kind: 'readDirty', domain: bench.domain, clear: true } as const;
      const stopped = bench.does(state('STOP')).counts['writtenBack'];
      const saved = bench.does(round, state('STOP_COPY')).counts['writtenBack'];
      return { stopped, saved, lost: bench.lost };
    };
    assert.deepEqual(story('save'), { stopped: 0, saved: 1, lost: [0x77] });
    assert.deepEqual(story('stop'), { stopped: 1, saved: 0, lost: [] });
  });
});

describe('dmaLog', () => {
  const ALL = [{ iova: '0x0', length: '16M' }];

  it('tells what the device wrote while it logged, once', () => {
    const bench = withDevice({ log: {} });
    bench.does(dma('0x1000'));
    bench.does(log('start', ALL), dma('0x5000'), dma('0x6000'), dma('0x9000', 'read'));
    assert.deepEqual(bench.does(log('read')).dirty?.ranges, [{ start: '0x5000', end: '0x7000' }]);
    assert.equal(bench.does(log('read')).counts['pages'], 0);
    assert.deepEqual(bench.lost, [1]);
    bench.does(log('stop'));
    assert.equal(bench.asks(log('read')).errno, 'EINVAL');
    assert.equal(withDevice({}).asks(log('start', ALL)).errno, 'EOPNOTSUPP');
    assert.equal(bench.asks(log('start')).errno, 'EINVAL');
    assert.equal(bench.asks(log('start', [{ iova: 'x', length: '4K' }])).errno, 'EINVAL');
  });

  it('cloud-hypervisor 8567: what was not read is gone when the log starts anew', () => {
    const story = (reads: boolean) => {
      const bench = withDevice({ log: {} });
      bench.does(log('start', [{ iova: '0x0', length: '8M' }]), dma('0x3000'));
      if (reads) bench.does(log('read'));
      bench.does(log('stop'), log('start', ALL), dma('0xbb8000'), log('read'));
      return bench.lost;
    };
    assert.deepEqual(story(false), [3]);
    assert.deepEqual(story(true), []);
  });

  it('QEMU a31fe5daeaa2: one span from guest memory to the BARs is more than the device logs', () => {
    const low = { iova: '0x0', length: '2G' };
    const story = (ranges: readonly { iova: string; length: string }[]) => {
      const bench = withDevice({ log: {} });
      const { errno = '' } = bench.asks(log('start', ranges));
      bench.does(dma('0x3000'));
      bench.asks(log('read'));
      return { errno, lost: bench.lost };
    };
    const span = { iova: '4G', length: hex(2 ** 46 + 12 * 2 ** 30) };
    const apart = [low, { iova: '4G', length: '60G' }, { iova: hex(2 ** 46), length: '16G' }];
    assert.deepEqual(story([low, span]), { errno: 'EOPNOTSUPP', lost: [3] });
    assert.deepEqual(story(apart), { errno: '', lost: [] });
  });

  it('libvfio-user 670 and 677: bits of one byte are set at the same time', () => {
    const story = (atomicBytes: boolean) => {
      const bench = withDevice({ log: { atomicBytes } });
      bench.does(log('start', ALL));
      const moments = [{ after: 'log the page', operations: [dma('0x9000')] }];
      const { counts } = bench.does({ kind: 'during', operation: dma('0x8000'), moments }, log('read'));
      assert.equal(counts['pages'], atomicBytes ? 2 : 1);
      return bench.lost;
    };
    assert.deepEqual(story(false), [9]);
    assert.deepEqual(story(true), []);
  });
});

describe('type1', () => {
  type Type1 = Extract<MachineOperation, { kind: 'type1' }>;
  const ask = (action: Type1['action'], more: Partial<Type1> = {}): Type1 => ({
    kind: 'type1',
    action,
    ...more,
  });
  const HALF = { iova: '0x0', length: '8M' };

  /** A group that pins nothing writes while dirty pages are logged. */
  const story = (rules: NonNullable<MachineSpec['type1']>, operations: readonly MachineOperation[]) => {
    const bench = new Bench({ ...GUEST, type1: rules });
    bench.does(ask('map', HALF), ask('attach', { group: 'nic' }), ask('startLogging'), ask('report'));
    bench.does(...operations, ask('report'));
    return bench.lost;
  };

  it('db9e03114: a group with unpinned DMA is detached while dirty pages are logged', () => {
    const operations = [dma('0x3000'), ask('detach', { group: 'nic' })];
    assert.deepEqual(story({ populates: 'never' }, operations), [3]);
    assert.deepEqual(story({}, operations), []);
  });

  it('f9cba5d19: the bitmap of a new mapping begins empty', () => {
    const operations = [
      ask('map', { iova: '8M', length: '8M' }),
      dma('0xbb8000'),
      ask('detach', { group: 'nic' }),
    ];
    assert.deepEqual(story({ populates: 'ahead', newMappings: false }, operations), [0xbb8]);
    assert.deepEqual(story({ populates: 'ahead' }, operations), []);
  });

  it('1c388a095: promoting the pinned scope forgets what was dirty before', () => {
    const operations = [dma('0x3000'), ask('pin', { group: 'nic', iova: '0x8000', length: '4K' })];
    assert.deepEqual(story({ promotions: false }, operations), [3]);
    assert.deepEqual(story({}, operations), []);
  });

  it('says what it refuses', () => {
    const bench = new Bench({ ...GUEST, type1: {} });
    assert.equal(bench.asks(ask('report')).errno, 'EINVAL');
    assert.equal(bench.asks(ask('detach', { group: 'nic' })).errno, 'ENODEV');
    bench.does(ask('map', HALF));
    assert.equal(bench.asks(ask('map', HALF)).errno, 'EEXIST');
    assert.equal(bench.asks(ask('unmap', { iova: '0x0', length: '4M' })).errno, 'EINVAL');
    bench.does(ask('unmap', HALF));
    assert.equal(new Bench(GUEST).asks(ask('report')).errno, 'EOPNOTSUPP');
  });
});

describe('landed', () => {
  it('says where accesses landed: in the guest, or outside', () => {
    const bench = new Bench({ memory: '4G' });
    bench.map('0x400000', '8K', '0x3000');
    bench.map('0x600000', '4K', '0x100000000');
    const { landed } = bench.does({
      kind: 'dma',
      requests: [
        { sid: DEVICE, iova: '0x400010', length: 8, access: 'read' },
        { sid: DEVICE, iova: '0x500000', length: 8, access: 'read' },
        { sid: DEVICE, iova: '0x401ff0', length: 8, access: 'write' },
        { sid: DEVICE, iova: '0x600000', length: 8, access: 'write' },
      ],
    });
    assert.deepEqual(landed, [
      { index: 0, address: '0x3010' },
      { index: 2, address: '0x4ff0' },
      { index: 3, address: '0x100000000' },
    ]);
    bench.does({ kind: 'attach', requester: DEVICE, to: 'pass-through' });
    assert.deepEqual(bench.does(dma('0x5000')).landed, [{ index: 0, address: 'host 0x5000' }]);
  });
});

describe('Specifications of CPUs, devices and containers', () => {
  const problem = (changes: object): string => {
    const spec = {
      ...{ version: 1, vendor: 'vt-d', tables: 'second-stage', memory: '16M' },
      ...{ mapping: { what: 'none', pages: [] }, devices: [{ requester: DEVICE }] },
      ...{ dirtyTracking: 'none', iommus: 1, seed: 1, ...changes },
    } as MachineSpec;
    const made = Machine.create(spec);
    return made.ok ? '' : made.failure.message;
  };
  const cpu = { vcpus: 1, logging: 'none', logsHostWriters: true, harvestsOnZap: true };
  const device = (more: object) => ({ devices: [{ requester: DEVICE, ...more }] });

  it('are refused with what is wrong', () => {
    assert.equal(problem({ cpu, type1: {}, ...device({ log: {}, vfio: { model: 'hisi-acc' } }) }), '');
    assert.match(problem({ cpu: { ...cpu, vcpus: 257 } }), /1 to 256 vCPUs, not 257/);
    assert.match(problem({ cpu: { ...cpu, vcpus: 0 } }), /1 to 256 vCPUs, not 0/);
    assert.match(problem({ cpu: { ...cpu, logging: 'pml' } }), /"pml" is no way to log/);
    assert.match(problem({ cpu: { vcpus: 1 } }), /"cpu" is .* and not a record of vcpus, logging/);
    assert.match(problem(device({ vfio: { model: 'mine' } })), /^00:02\.0: "mine" is no model .* hisi-acc/);
    assert.match(problem(device({ vfio: { model: 'hisi-acc', writesBack: 'x' } })), /writesBack is "x"/);
    assert.match(problem(device({ vfio: { model: 'hisi-acc', writeBackTo: 'x' } })), /writeBackTo is "x"/);
    assert.match(problem(device({ vfio: { model: 'hisi-acc', state: '32T' } })), /state is "32T"/);
    assert.match(problem(device({ log: { mostRanges: 0 } })), /log: mostRanges is 0/);
    assert.match(problem(device({ log: { pages: 1 } })), /log has no "pages"/);
    assert.match(problem({ type1: { populates: 'x' } }), /type1: populates is "x"/);
    assert.match(problem({ devices: [{ requester: DEVICE }, { requester: '0000:00:02.0' }] }), /there twice/);
  });
});

const hex = (value: number): string => `0x${value.toString(16)}`;
