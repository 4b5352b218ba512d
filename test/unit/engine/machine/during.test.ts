import assert from 'node:assert/strict';
import { type DuringMoment, type MachineOperation } from '../../../../src/engine/machine/operation';
import { runSteps } from '../../../../src/engine/steps';
import { Bench, compare, DEVICE, dma } from './bench';

const OTHER = '00:03.0';
const IOVA = '0x200000';

const during = (
  operation: MachineOperation,
  moments: readonly DuringMoment[],
  more: object = {},
): MachineOperation => ({ kind: 'during', operation, moments, ...more });

describe('during', () => {
  /** The IOVAs that were mapped when each write came: those before it. */
  const mapping = (bench: Bench): MachineOperation => ({
    kind: 'map',
    ...{ domain: bench.domain, iova: IOVA, length: '4K', paddr: '0x3000', permission: 'RW' },
  });

  it('does others before the first step, after a step by number or name, and after each', () => {
    const steps = (moments: readonly DuringMoment[]) => {
      const bench = new Bench();
      const { refused, landed, ...report } = bench.does(during(mapping(bench), moments));
      assert.deepEqual([refused, landed], [undefined, undefined]);
      return (report.meanwhile ?? []).map((each) => each.counts['landed']);
    };
    const write = [dma(IOVA)];
    const { counts } = new Bench().does(during(mapping(new Bench()), [{ after: 0, operations: write }]));
    const all = counts['steps'] ?? 0;
    assert.ok(all > 3);
    assert.deepEqual(steps([{ after: 0, operations: write }]), [0]);
    assert.deepEqual(steps([{ after: all, operations: write }]), [1]);
    assert.deepEqual(steps([{ after: all + 1, operations: write }]), []);
    const each = steps([{ every: 1, operations: write }]);
    assert.equal(each.length, all);
    // Nothing lands before the entry is there, and everything after it.
    assert.deepEqual(
      each,
      [...each].sort((one = 0, other = 0) => one - other),
    );
    assert.equal(steps([{ every: 2, operations: write }]).length, Math.floor(all / 2));
    assert.deepEqual(steps([{ after: 'no such step', operations: write }]), []);
  });

  it('is told step by step to the ledger, each once', () => {
    const told = (operation: (bench: Bench) => MachineOperation): number => {
      const bench = new Bench();
      const { ledger } = bench.machine;
      const before = ledger.step;
      let steps = 0;
      for (const step of bench.machine.perform(operation(bench))) {
        steps++;
        assert.equal(ledger.step - before, steps, step.kind);
      }
      return steps;
    };
    const alone = told(mapping);
    assert.equal(
      told((bench) => during(mapping(bench), [{ after: 1, operations: [] }])),
      alone,
    );
    assert.ok(told((bench) => during(mapping(bench), [{ every: 1, operations: [dma(IOVA)] }])) > alone);
  });

  it('lets an operation wait for a lock until the first one is over', () => {
    // A dirty read holds the lock of the areas, which unmapping needs.
    const bench = new Bench({ dirtyTracking: 'on' });
    bench.map(IOVA, '4K', '0x3000');
    const { domain } = bench;
    const reading = { kind: 'readDirty', domain, clear: true } as const;
    const unmapping = { kind: 'unmap', domain, iova: IOVA, length: '4K' } as const;
    const report = bench.does(
      during(reading, [{ after: 1, operations: [unmapping, dma(IOVA, 'read')] }]),
      dma(IOVA, 'read'),
    );
    assert.equal(report.counts['refused'], 1);
    const last = new Bench({ dirtyTracking: 'on' });
    last.map(IOVA, '4K', '0x3000');
    const { counts, meanwhile } = last.does(during(reading, [{ after: 1, operations: [unmapping] }]));
    assert.equal(counts['meanwhile'], 1);
    assert.equal(counts['meanwhileWaited'], 1);
    assert.equal(meanwhile?.[0]?.errno, undefined);
  });

  it('holds commands: who waits for one goes on when the operation is over', () => {
    const story = (moments: (unmap: MachineOperation) => readonly DuringMoment[]) => {
      const bench = new Bench({ dirtyTracking: 'none' });
      bench.map(IOVA, '4K', '0x3000');
      bench.map('0x300000', '4K', '0x4000');
      bench.does(dma(IOVA));
      const unmap = { kind: 'unmap', domain: bench.domain, iova: IOVA, length: '4K' } as const;
      const inner = { kind: 'during', operation: dma('0x300000'), moments: moments(unmap) } as const;
      const { counts, meanwhile = [] } = bench.does({ ...inner, holdsCommands: true });
      assert.equal(bench.machine.hwpts.get(bench.domain)?.mappedPages, 1);
      assert.deepEqual(bench.findings, []);
      return [
        counts['meanwhileWaited'],
        ...meanwhile.map((each) => each.counts['landed'] ?? each.counts['pages']),
      ];
    };
    // The translation is cached until the command is done.
    assert.deepEqual(
      story((unmap) => [
        { after: 0, operations: [unmap] },
        { after: 1, operations: [dma(IOVA)] },
      ]),
      [1, 1, 1],
    );
    // Told to, hardware does it in the middle.
    assert.deepEqual(
      story((unmap) => [
        { after: 0, operations: [unmap] },
        { after: 1, runsCommands: true, operations: [dma(IOVA)] },
      ]),
      [1, 0, 1],
    );
  });

  it('goes into each other four deep, and tells all of it', () => {
    const bench = new Bench();
    const deep = (levels: number): MachineOperation =>
      levels === 0 ? mapping(bench) : during(deep(levels - 1), [{ after: 0, operations: [dma(IOVA)] }]);
    assert.equal(bench.asks(deep(5)).errno, 'EINVAL');
    assert.match(bench.asks(deep(5)).summary, /4 deep at most/);
    assert.equal(bench.does(deep(4)).counts['meanwhile'], 1);
    const inside = new Bench();
    const within = during(dma(IOVA), [{ after: 0, operations: [during(mapping(inside), [])] }]);
    assert.equal(inside.does(within).counts['landed'], 1);
  });

  it('refuses moments that are none, and more than it does', () => {
    const bench = new Bench();
    const ask = (moments: unknown): string | undefined =>
      bench.asks(during(dma(IOVA), moments as readonly DuringMoment[])).errno;
    for (const moments of [
      [{ operations: [] }],
      [{ after: 1, every: 1, operations: [] }],
      [{ every: 0, operations: [] }],
      [{ after: -1, operations: [] }],
      [{ after: 1.5, operations: [] }],
      [{ after: '', operations: [] }],
      [{ after: 1 }],
      [{ after: 1, operations: [{}] }],
      'never',
      Array.from({ length: 65 }, () => ({ after: 1, operations: [] })),
    ])
      assert.equal(ask(moments), 'EINVAL', JSON.stringify(moments).slice(0, 60));
    assert.equal(ask(Array.from({ length: 64 }, () => ({ after: 1, operations: [] }))), undefined);
    assert.equal(bench.asks({ kind: 'during', moments: [] } as unknown as MachineOperation).errno, 'EINVAL');
  });

  it('does no more than 10,000 others', () => {
    const bench = new Bench({ mapping: { what: 'guest', pages: [] } });
    const operations = Array.from({ length: 4000 }, () => dma('0x0', 'read'));
    const { counts, summary } = bench.does(during(dma('0x1000'), [{ every: 1, operations }]));
    assert.equal(counts['meanwhile'], 10_000);
    assert.match(summary, /No more than 10,000 are done/);
  });

  it('gives the same machine from the same operations', () => {
    const run = (): unknown => {
      const bench = new Bench({ rules: { evictEvery: 3, prefetchEvery: 3 }, seed: 5 });
      const report = bench.does(during(mapping(bench), [{ every: 1, operations: [dma(IOVA)] }]));
      return { report, step: bench.machine.ledger.step };
    };
    assert.deepEqual(run(), run());
  });
});

describe('evict of one cache', () => {
  it('leaves the others as they are', () => {
    const bench = new Bench({ devices: [{ requester: DEVICE, ats: true }] });
    bench.map(IOVA, '4K', '0x3000');
    bench.does(dma(IOVA));
    const [unit] = bench.machine.units;
    assert.ok(unit);
    const { iotlb, walk, contexts, processes } = unit.iommu.caches;
    const sizes = () => [iotlb, walk, contexts, processes].map(({ size }) => size > 0);
    const evict = (cache: string) =>
      ({ kind: 'evict', iommu: 'iommu0', all: true, cache }) as MachineOperation;
    assert.deepEqual(sizes(), [true, true, true, true]);
    bench.does(evict('processes'));
    assert.deepEqual(sizes(), [true, true, true, false]);
    bench.does(evict('contexts'));
    assert.deepEqual(sizes(), [true, true, false, false]);
    bench.does(evict('walk'));
    assert.deepEqual(sizes(), [true, false, false, false]);
    assert.equal(bench.does(evict('device-tlb')).counts['evicted'], 1);
    bench.does(evict('iotlb'));
    assert.deepEqual(sizes(), [false, false, false, false]);
    assert.equal(bench.asks(evict('none')).errno, 'EINVAL');
  });
});

describe('Stories by during', () => {
  /** A second domain that maps the same IOVA elsewhere. */
  function next(bench: Bench): number {
    const { domain = 0 } = bench.does({ kind: 'createDomain', dirtyTracking: false }).counts;
    bench.map(IOVA, '4K', '0x9000', domain);
    return domain;
  }

  it('CVE-2026-45894: a PASID entry is read in parts', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({ driverFaults });
      bench.map(IOVA, '4K', '0x3000');
      const to = next(bench);
      const evict = { kind: 'evict', iommu: 'iommu0', all: true, cache: 'processes' } as const;
      const attach = { kind: 'attach', requester: DEVICE, to } as const;
      bench.does(during(attach, [{ every: 1, operations: [evict, dma(IOVA)] }]));
      const { landed } = bench.does(dma(IOVA));
      return { met: landed?.[0]?.address, kinds: bench.findings };
    };
    compare<unknown>(
      'torn-pasid-entry',
      play,
      { met: '0x3000', kinds: ['stale-use'] },
      { met: '0x9000', kinds: [] },
    );
  });

  it('HAD is switched without the lock of the domain', () => {
    const play = (driverFaults: readonly string[]) => {
      const devices = [{ requester: OTHER }, { requester: DEVICE, attached: false }];
      const bench = new Bench({
        vendor: 'amd-vi',
        tables: 'v1',
        dirtyTracking: 'off',
        devices,
        driverFaults,
      });
      bench.map(IOVA, '4K', '0x3000');
      const { domain } = bench;
      const tracking = { kind: 'setDirtyTracking', domain, enable: true } as const;
      const attach = { kind: 'attach', requester: DEVICE, to: domain } as const;
      const { counts } = bench.does(during(tracking, [{ after: 'DTE', operations: [attach] }]));
      bench.does(dma(IOVA), { kind: 'readDirty', domain, clear: true });
      return { waited: counts['meanwhileWaited'], lost: bench.lost };
    };
    compare('tracking-without-lock', play, { waited: 0, lost: [3] }, { waited: 1, lost: [] });
  });

  it('Linux cbb032fc7432: the words of an STE without an order', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({ vendor: 'smmuv3', tables: 'stage2-4k', driverFaults });
      bench.map(IOVA, '4K', '0x3000');
      bench.does({ kind: 'attach', requester: DEVICE, to: 'pass-through' });
      const evict = { kind: 'evict', iommu: 'iommu0', all: true, cache: 'contexts' } as const;
      const attach = { kind: 'attach', requester: DEVICE, to: bench.domain } as const;
      const { counts, meanwhile = [] } = bench.does(
        during(attach, [{ every: 1, operations: [evict, dma(IOVA)] }]),
      );
      const met = meanwhile.flatMap(({ landed = [] }) => landed.map(({ address }) => address));
      // Until it is attached it may go either way.
      assert.deepEqual(bench.findings, []);
      return { refused: (counts['meanwhileRefused'] ?? 0) > 0, met: [...new Set(met)] };
    };
    compare(
      'ste-words-unordered',
      play,
      { refused: true, met: ['0x3000'] },
      { refused: false, met: ['host 0x200000', '0x3000'] },
    );
  });

  it('a device may go either way while it is attached from tables to pass-through, and back', () => {
    const bench = new Bench({ vendor: 'smmuv3', tables: 'stage2-4k' });
    bench.map(IOVA, '4K', '0x3000');
    for (const to of ['pass-through', bench.domain, 'pass-through', 'blocked'] as const) {
      const attach = { kind: 'attach', requester: DEVICE, to } as const;
      bench.does(during(attach, [{ every: 1, operations: [dma(IOVA)] }]), dma(IOVA));
    }
    assert.deepEqual(bench.findings, []);
    bench.does({ kind: 'attach', requester: DEVICE, to: bench.domain }, dma(IOVA));
    assert.deepEqual(bench.findings, []);
  });

  it('Linux 6e6759d71: a changed entry is forgotten under its old domain id', () => {
    for (const ats of [false, true]) {
      const play = (driverFaults: readonly string[]) => {
        const bench = new Bench({ driverFaults, devices: [{ requester: DEVICE, ats }] });
        bench.map(IOVA, '4K', '0x3000');
        bench.does(dma(IOVA));
        bench.does({ kind: 'attach', requester: DEVICE, to: next(bench) });
        const { landed } = bench.does(dma(IOVA));
        return { met: landed?.[0]?.address, kinds: bench.findings };
      };
      compare<unknown>(
        'context-change-new-did',
        play,
        { met: '0x3000', kinds: ['stale-use'] },
        { met: '0x9000', kinds: [] },
      );
    }
  });

  it('Linux 754265bcab7: the root grows while a page is unmapped', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({ vendor: 'amd-vi', tables: 'v1', driverFaults });
      const { domain } = bench;
      bench.map('0x40000000', '4K', '0x5000');
      bench.does(dma('0x40000000'));
      const unmap = { kind: 'unmap', domain, iova: '0x40000000', length: '4K' } as const;
      const grow = { kind: 'map', domain, iova: '0x8000000000', length: '4K', paddr: '0x6000' } as const;
      const moment = { after: 'read the', operations: [{ ...grow, permission: 'RW' }] } as const;
      bench.asks(during(unmap, [moment]));
      const old = bench.does(dma('0x40000000')).refused?.[0]?.fault ?? '';
      return { old, kinds: bench.findings };
    };
    compare<unknown>(
      'root-in-two-reads',
      play,
      { old: '', kinds: ['stale-use'] },
      { old: 'not-present', kinds: [] },
    );
  });

  it('Linux 56f3e2cd9: the ATC is invalidated before the TLB', () => {
    const play = (driverFaults: readonly string[]) => {
      const devices = [{ requester: DEVICE, ats: true }];
      const bench = new Bench({ vendor: 'smmuv3', tables: 'stage2-4k', devices, driverFaults });
      bench.map(IOVA, '4K', '0x3000');
      bench.does(dma(IOVA));
      const unmap = { kind: 'unmap', domain: bench.domain, iova: IOVA, length: '4K' } as const;
      bench.does(during(unmap, [{ every: 'poll', operations: [dma(IOVA)] }]), dma(IOVA));
      return bench.findings;
    };
    compare('atc-before-iotlb', play, ['stale-use'], []);
  });

  it('Xen XSA-346: tables are given back before the flush', () => {
    const play = (driverFaults: readonly string[]) => {
      const bench = new Bench({
        ...{ vendor: 'amd-vi', tables: 'v1', mapping: { what: 'guest', pages: ['4K'] }, driverFaults },
      });
      bench.does(dma(IOVA));
      const unmap = { kind: 'unmap', domain: bench.domain, iova: '0x0', length: '16M' } as const;
      bench.does(during(unmap, [{ after: 'free', operations: [dma('0x201000')] }]));
      return bench.findings;
    };
    compare('free-before-flush', play, ['use-after-free'], []);
  });

  it('split.cut-2024 and split.nt-2021 lose a write that comes between', () => {
    const lost = (vendor: 'vt-d' | 'smmuv3', protocol: string | undefined, moment: DuringMoment) => {
      const bench = new Bench({
        ...{ vendor, tables: vendor === 'vt-d' ? 'second-stage' : 'stage1-4k', dirtyTracking: 'on' },
        ...{ mapping: { what: 'guest', pages: ['4K', '2M'] }, rules: { bbml: 1 } },
      });
      const { domain } = bench;
      bench.does({ kind: 'readDirty', domain, clear: true });
      const split = {
        kind: 'split',
        domain,
        iova: '0x0',
        size: '4K',
        ...(protocol ? { protocol } : {}),
      } as const;
      bench.does(during(split, [moment]), { kind: 'readDirty', domain, clear: true });
      return bench.lost;
    };
    const first: DuringMoment = { after: 0, operations: [dma('0x30000')] };
    assert.deepEqual(lost('vt-d', 'split.cut-2024', first), [0x30]);
    assert.deepEqual(lost('vt-d', undefined, first), []);
    const nt: DuringMoment = { after: 'read the leaf', operations: [dma('0x30000')] };
    assert.deepEqual(lost('smmuv3', 'split.nt-2021', nt), [0x30]);
    assert.deepEqual(lost('smmuv3', undefined, nt), []);
  });

  it('riscv-iommu 772: a fence that drains waits for the data', () => {
    const play = (drains: boolean) => {
      const bench = new Bench({ vendor: 'riscv', tables: 'sv48x4', dirtyTracking: 'on', rules: { drains } });
      bench.map(IOVA, '4K', '0x3000');
      const { domain } = bench;
      bench.does({ kind: 'readDirty', domain, clear: true });
      const read = { kind: 'readDirty', domain, clear: true } as const;
      const { counts } = bench.does(during(dma(IOVA), [{ after: 'fill iotlb', operations: [read] }]));
      return { waited: counts['meanwhileWaited'], lost: bench.lost };
    };
    assert.deepEqual(play(false), { waited: 0, lost: [3] });
    assert.deepEqual(play(true), { waited: 1, lost: [] });
  });

  it('ends when somebody stops to take its steps', () => {
    const bench = new Bench();
    const steps = bench.machine.perform({
      ...{ kind: 'during', operation: dma('0x0'), moments: [], holdsCommands: true },
    });
    steps.next();
    steps.return({ summary: '', counts: {} });
    assert.equal(bench.machine.runner.holdsCommands, false);
    assert.ok(runSteps(bench.machine.perform(dma('0x0'))));
  });
});
