/** Traffic as an operation: what it reports and refuses; and at the pace of requests the same as step by step. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Machine } from '../../../../src/engine/machine/machine';
import { type MachineOperation, type TrafficOperation } from '../../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { type Pace } from '../../../../src/engine/machine/operations/traffic';
import { runSteps } from '../../../../src/engine/steps';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';
import { frameNumber } from '../../../../src/engine/values';

const SPEC: MachineSpec = {
  version: 1,
  vendor: 'vt-d',
  tables: 'second-stage',
  memory: '64M',
  mapping: { what: 'guest', pages: ['4K', '2M'] },
  devices: [{ requester: '00:02.0' }, { requester: '00:03.0' }],
  dirtyTracking: 'on',
  iommus: 1,
  seed: 1,
};

function machine(more: Partial<MachineSpec> = {}): Machine {
  const made = Machine.create({ ...SPEC, ...more });
  assert.ok(made.ok, made.ok ? '' : made.failure.message);
  const set = runSteps(made.value.setUp());
  assert.ok(set.ok, set.ok ? '' : set.failure.message);
  return made.value;
}

const ring: TrafficSpec = {
  kind: 'rx-ring',
  memory: { start: '1M', length: '2M' },
  ...{ entries: 64, packet: 1500, buffer: 2048, buffers: 'recycled' },
};

const sent = (
  traffic: TrafficSpec,
  requests: number,
  more: Partial<TrafficOperation> = {},
): TrafficOperation => ({
  kind: 'traffic',
  sources: [{ requester: '00:02.0', traffic }],
  ...{ requests, seed: 1 },
  ...more,
});

describe('traffic on a machine', () => {
  it('lands, and is counted and told as requests are', () => {
    const { counts, landed, refused, summary } = runSteps(machine().perform(sent(ring, 6)));
    assert.deepEqual(counts, { requests: 6, landed: 6, refused: 0, reads: 2, writes: 4, bytes: 2 * 1532 });
    assert.deepEqual(
      landed?.map(({ address }) => address),
      ['0x100000', '0x101000', '0x100000', '0x100010', '0x101800', '0x100010'],
    );
    assert.deepEqual(refused, []);
    assert.equal(summary, '6 requests: 6 landed.');
  });

  it('writes just the pages that its generator names', () => {
    const tested = machine();
    runSteps(tested.perform(sent(ring, 9)));
    assert.deepEqual(tested.ledger.behind, [{ startPage: 0x100, endPage: 0x103 }]);
    assert.equal(tested.ledgerTotals.written, 3);
  });

  it('in two parts is as in one', () => {
    const [one, other] = [machine(), machine()];
    const random: TrafficSpec = {
      kind: 'gpu-bulk',
      memory: { start: '4M', length: '32M' },
      ...{ run: 8192, writes: 0.5, order: 'random' },
    };
    runSteps(one.perform(sent(random, 1000)));
    runSteps(other.perform(sent(random, 700)));
    runSteps(other.perform(sent(random, 300, { skip: 700 })));
    assert.deepEqual(stateOf(other), stateOf(one));
  });

  it('that is refused is told by its number', () => {
    const beyond: TrafficSpec = { ...ring, memory: { start: '1G', length: '2M' } };
    const tested = machine();
    const { counts, refused } = runSteps(tested.perform(sent(beyond, 1500)));
    assert.deepEqual([counts['requests'], counts['refused'], refused?.length], [1500, 1500, 1000]);
    assert.deepEqual(refused?.[7], { index: 7, fault: 'not-present' });
  });

  it('says how far it is', () => {
    const tested = machine();
    const running = tested.perform(sent(ring, 9000));
    const said = new Set<string>();
    for (let step = running.next(); step.done !== true; step = running.next()) said.add(tested.progress);
    assert.deepEqual(
      [...said],
      ['0 of 9,000 requests done', '4,096 of 9,000 requests done', '8,192 of 9,000 requests done'],
    );
    assert.equal(tested.progress, '');
  });

  it('takes whatever an operation may say, and throws at nothing', () => {
    const tested = machine();
    const fields = [
      'sources',
      'requests',
      'seed',
      'skip',
      'requester',
      'pasid',
      'traffic',
      'sid',
      'iova',
      'access',
    ];
    const change = fc.record({ name: fc.constantFrom(...fields), value: fc.anything() });
    fc.assert(
      fc.property(change, ({ name, value }) => {
        // Millions of requests are no matter of this test.
        fc.pre(!(name === 'requests' && Number.isSafeInteger(value) && Number(value) > 1000));
        const requests = [{ sid: '00:02.0', iova: '1M', access: 'write', [name]: value }];
        const sources = [{ requester: '00:02.0', traffic: { kind: 'requests', requests }, [name]: value }];
        const operation = { kind: 'traffic', sources, requests: 2, seed: 1, [name]: value };
        const report = runSteps(tested.perform(operation as unknown as TrafficOperation, 'requests'));
        assert.ok(report.summary.length > 0);
      }),
      { numRuns: 500 },
    );
  });

  const line = { sid: '00:02.0', iova: '1M', access: 'write' as const };
  const list = (...requests: readonly unknown[]) => ({ kind: 'requests', requests });
  const of = (traffic: unknown, more: object = {}) => ({
    sources: [{ requester: '00:02.0', traffic, ...more }],
  });
  const refused: readonly (readonly [string, object, string, RegExp])[] = [
    ['more requests than 10^8', { requests: 1e8 + 1 }, 'EINVAL', /no number of requests/],
    ['half a request', { requests: 0.5 }, 'EINVAL', /no number of requests/],
    ['a skip below 0', { skip: -1 }, 'EINVAL', /came before/],
    ['a seed that is none', { seed: NaN }, 'EINVAL', /seed NaN/],
    ['no sources', { sources: [] }, 'EINVAL', /0 sources/],
    ['sources that are no list', { sources: 5 }, 'EINVAL', /sources/],
    [
      'a device that the machine does not have',
      { sources: [{ requester: '00:09.0', traffic: ring }] },
      'ENODEV',
      /00:09.0/,
    ],
    ['a PASID that is none', of(ring, { pasid: 2 ** 20 }), 'EINVAL', /no PASID/],
    ['traffic that is none', of({ kind: 'tape' }), 'EINVAL', /It is one of rx-ring/],
    [
      'requests of another device',
      of(list(line, { ...line, sid: '00:03.0' })),
      'EINVAL',
      /request 1 is not of/,
    ],
    ['requests of another PASID', of(list({ ...line, pasid: 5 })), 'EINVAL', /request 0 is not of 00:02.0/],
    ['lines that are none', of(list(null)), 'EINVAL', /request 0: it is none/],
  ];
  for (const [what, change, errno, says] of refused) {
    it(`refuses ${what}`, () => {
      const tested = machine();
      const operation = { ...sent(ring, 5), ...change };
      const report = runSteps(tested.perform(operation));
      assert.equal(report.errno, errno);
      assert.match(report.summary, says);
      assert.equal(tested.ledgerTotals.written, 0);
    });
  }
});

/** All that can be seen of a machine. */
function stateOf(of: Machine): unknown {
  const frames = [...of.memory.heldFrames()].sort((one, other) => one - other);
  const words = frames.map((frame) => {
    let hash = 0;
    for (const word of of.memory.readFrame(frameNumber(frame)) ?? []) hash = (Math.imul(hash, 31) + word) | 0;
    return `${frame}: ${hash}`;
  });
  const { behind, step } = of.ledger;
  const written = behind.flatMap(({ startPage, endPage }) =>
    Array.from({ length: endPage - startPage }, (_, index) => of.ledger.lastWrite(startPage + index)),
  );
  return {
    ...{ words, behind, step, written },
    findings: of.ledger.findings.all(),
    totals: of.ledgerTotals,
    lost: of.lostPages(),
    units: of.units.map(({ iommu }) => ({
      counters: { ...iommu.counters },
      faults: [...iommu.faults.entries()],
      cached: [...iommu.caches.iotlb.entries()],
      inFlight: iommu.inFlight.size,
    })),
    devices: of.devices.map(({ requester }) => [...(of.functionOf(requester)?.device.tlb.entries() ?? [])]),
  };
}

describe('traffic at the pace of requests', () => {
  const TABLES = [
    ['vt-d', 'second-stage'],
    ['vt-d', 'first-stage'],
    ['amd-vi', 'v1'],
    ['smmuv3', 'stage1-4k'],
    ['smmuv3', 'stage2-16k'],
    ['riscv', 'sv39x4'],
  ] as const;
  const spec = fc
    .record({
      of: fc.constantFrom(...TABLES),
      iommus: fc.constantFrom(1 as const, 2 as const),
      ats: fc.boolean(),
      log: fc.boolean(),
      evictEvery: fc.constantFrom(0, 0, 0, 20),
      prefetchEvery: fc.constantFrom(0, 0, 0, 20),
      sets: fc.constantFrom(1, 16, 256),
      cachesNotPresent: fc.boolean(),
      driverFaults: fc.constantFrom([], [], ['no-flush-after-clear'], ['gather-never-filled']),
      seed: fc.nat(),
    })
    .map(({ of: [vendor, tables], iommus, ats, log, sets, driverFaults, seed, ...rules }) => ({
      ...{ vendor, tables, iommus, driverFaults, seed },
      // Hardware does not mark D in stage 1 of a VT-d kernel's.
      dirtyTracking: tables === 'first-stage' ? ('none' as const) : ('on' as const),
      devices: [
        { requester: '00:02.0', ...(log ? { log: {} } : {}) },
        { requester: '00:03.0', ats },
      ],
      mapping: { what: 'guest' as const, pages: [] },
      rules: { ...rules, iotlb: { sets, ways: 2 } },
    }));

  const range = fc
    .tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('64K', '2M', '4M'))
    .map(([at, length]) => ({ iova: `${at}M`, length }));
  const traffics: fc.Arbitrary<TrafficSpec> = fc.oneof(
    fc.record({
      kind: fc.constant('rx-ring' as const),
      memory: fc.constant({ start: '4M', length: '24M' }),
      entries: fc.constantFrom(1, 64),
      packet: fc.constantFrom(64, 1500, 9000),
      buffer: fc.constant(9216),
      buffers: fc.constantFrom('recycled' as const, 'fresh' as const),
    }),
    fc.record({
      kind: fc.constant('nvme' as const),
      memory: fc.constant({ start: '40M', length: '30M' }),
      depth: fc.constantFrom(2, 100),
      block: fc.constantFrom(512, 4096, 65_536),
      reads: fc.constantFrom(0, 0.5, 1),
      order: fc.constantFrom('sequential' as const, 'random' as const),
    }),
    fc.constant<TrafficSpec>({
      kind: 'requests',
      requests: [
        { sid: '00:02.0', iova: '0x1ff_f000', length: 10_000, access: 'atomic' },
        { sid: '00:02.0', iova: '0x1000', length: 8, access: 'read' },
        { sid: '00:02.0', iova: '0xffff_f800', length: 9000, access: 'write' },
        { sid: '00:02.0', iova: '4M', length: 2 ** 17, access: 'read' },
        { sid: '00:02.0', iova: '0xffff_ffff_ffff_f800', length: 2048, access: 'write' },
      ],
    }),
  );
  const traffic = fc
    .record({ first: traffics, second: traffics, both: fc.boolean(), requests: fc.nat(300), seed: fc.nat(9) })
    .map(({ first, second, both, requests, seed }): MachineOperation => {
      const other = second.kind === 'requests' ? first : second;
      const sources = [{ requester: '00:02.0', traffic: first }];
      if (both && other.kind !== 'requests') sources.push({ requester: '00:03.0', traffic: other });
      return { kind: 'traffic', sources, requests, seed };
    });
  const others = (domain: number): fc.Arbitrary<MachineOperation> =>
    fc.oneof(
      range.map((each): MachineOperation => ({ kind: 'unmap', domain, through: 'tables', ...each })),
      range.map((each): MachineOperation => ({ kind: 'invalidate', domain, ...each })),
      fc.boolean().map((clear): MachineOperation => ({ kind: 'readDirty', domain, clear })),
      fc.boolean().map((enable): MachineOperation => ({ kind: 'setDirtyTracking', domain, enable })),
      fc.boolean().map((all): MachineOperation => ({ kind: 'evict', iommu: 'iommu0', all })),
      fc
        .constantFrom('blocked' as const, 'pass-through' as const, domain)
        .map((to): MachineOperation => ({ kind: 'attach', requester: '00:02.0', to })),
    );

  const logged = { requester: '00:02.0', ranges: [{ iova: '0', length: '8G' }] };
  /** The device logs, where it can; and memory goes on over the end of 4 GiB. */
  const before = (domain: number): MachineOperation[] => [
    { kind: 'dmaLog', action: 'start', ...logged },
    { kind: 'map', domain, iova: '0xffff_c000', length: '32K', paddr: '1M', permission: 'RW' },
  ];
  const after: MachineOperation = { kind: 'dmaLog', action: 'read', ...logged };

  function done(of: Partial<MachineSpec>, operations: readonly MachineOperation[], pace: Pace): unknown {
    const tested = machine(of);
    const reports = operations.map((operation) => runSteps(tested.perform(operation, pace)));
    return { reports, state: stateOf(tested) };
  }

  it('leaves memory, caches, counters, faults, ledger and report as step by step', function () {
    this.timeout(60_000);
    const first = machine().domains[0]?.id ?? 0;
    const operations = fc.array(fc.oneof({ weight: 2, arbitrary: traffic }, others(first)), {
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(spec, operations, (of, wanted) => {
        const all = [...before(first), ...wanted, after];
        assert.deepEqual(done(of, all, 'requests'), done(of, all, 'steps'));
      }),
      { numRuns: 40 },
    );
  });

  it('is one step for each request that caches answer', () => {
    const tested = machine();
    runSteps(tested.perform(sent(ring, 200)));
    const steps = [...tested.perform(sent(ring, 50), 'requests')];
    assert.deepEqual(new Set(steps.map(({ kind }) => kind)), new Set(['access']));
    assert.equal(steps.length, 50);
    assert.equal([...tested.perform(sent(ring, 50))].length, 150);
  });
});
