/**
 * What a migration loses, with the whole machine: the CPUs' second stage, the IOMMU's dirty bits, the device's state. Each hole
 * first as it was, then mended.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type FirstRound } from '../../../src/engine/driver/cpu/firstRound';
import { type CpuPolicy } from '../../../src/engine/driver/cpu/secondStage';
import { levelOf } from '../../../src/engine/formats/compile';
import { leafFrame } from '../../../src/engine/pageTable/entry';
import { isDirty } from '../../../src/engine/pageTable/marks';
import { runSteps } from '../../../src/engine/steps';
import { frameNumber } from '../../../src/engine/values';
import { Migration, TRACKING_MACHINES, value, WRITE_BACK_PAGE } from './migration';

const CAREFUL: CpuPolicy = { logsHostWriters: true, harvestsOnZap: true };
const CARELESS: CpuPolicy = { logsHostWriters: false, harvestsOnZap: false };

for (const machine of TRACKING_MACHINES) {
  const rules = { evictEvery: 5, prefetchEvery: 5 };
  const start = (policy: CpuPolicy, round: FirstRound, writesBack: 'stop' | 'save' = 'stop'): Migration =>
    new Migration({ machine, policy, round, writesBack, rules, pages: ['4K'] });

  describe(`Holes of a migration (${machine.vendor})`, () => {
    it('a first round of what is populated loses what the loader wrote; logging host writers mends it', () => {
      const story = (policy: CpuPolicy, round: FirstRound): number[] => {
        const migration = start(policy, round);
        migration.host('loader', 0x10);
        migration.vcpu(0x20);
        migration.dma(0x30);
        migration.firstRound();
        migration.vcpu(0x21);
        migration.dma(0x31);
        migration.round();
        return migration.finish();
      };
      assert.deepEqual(story(CARELESS, 'populated-only'), [0x10]);
      assert.deepEqual(story({ ...CARELESS, logsHostWriters: true }, 'populated-only'), []);
      assert.deepEqual(story(CARELESS, 'everything'), []);
    });

    it('an entry that goes away takes its dirty bit along; harvesting it mends that', () => {
      const story = (policy: CpuPolicy): number[] => {
        const migration = start(policy, 'populated-only');
        migration.vcpu(0x20);
        migration.cpu.zap({ startPage: 0x20, endPage: 0x21 }, 'numa-balancing');
        migration.firstRound();
        migration.vcpu(0x22, 1);
        migration.cpu.zap({ startPage: 0x22, endPage: 0x23 }, 'mmu-notifier');
        return migration.finish();
      };
      assert.deepEqual(story({ ...CAREFUL, harvestsOnZap: false }), [0x20, 0x22]);
      assert.deepEqual(story(CAREFUL), []);
    });

    it('what vhost writes between rounds is lost with either first round; logging it mends that', () => {
      for (const round of ['everything', 'populated-only'] as const) {
        const story = (policy: CpuPolicy): number[] => {
          const migration = start(policy, round);
          migration.vcpu(0x20);
          migration.firstRound();
          migration.round();
          migration.host('vhost', 0x20);
          return migration.finish();
        };
        assert.deepEqual(story(CARELESS), [0x20]);
        assert.deepEqual(story(CAREFUL), []);
      }
    });

    it('the ledger says who wrote, and that no harvest told', () => {
      const migration = start(CARELESS, 'populated-only');
      migration.host('loader', 0x10);
      migration.firstRound();
      migration.finish();
      const [finding] = migration.machine.ledger.findings.of('lost-dirty');
      assert.match(finding?.why ?? '', /^Page 0x10: written by loader, reported by no harvest/);
    });

    it('a device that writes back when its state is read does so after the last harvest; when it stops, before', () => {
      const story = (writesBack: 'stop' | 'save'): number[] => {
        const migration = start(CAREFUL, 'everything', writesBack);
        migration.firstRound();
        return migration.finish();
      };
      assert.deepEqual(story('save'), [WRITE_BACK_PAGE]);
      assert.deepEqual(story('stop'), []);
    });

    it('a mapping that is taken away without a look at its dirty bits takes them along (QEMU, iommufd backend)', () => {
      const story = (looks: boolean): number[] => {
        const migration = start(CAREFUL, 'everything');
        const { id } = migration.domain;
        migration.firstRound();
        migration.dma(0x30);
        if (looks) migration.perform({ kind: 'readDirty', domain: id, clear: true });
        const unmapped = migration.perform({ kind: 'unmap', domain: id, iova: '0x0', length: '16M' });
        assert.equal(unmapped.errno, undefined);
        return migration.finish();
      };
      assert.deepEqual(story(false), [0x30]);
      assert.deepEqual(story(true), []);
    });

    it('dirty IOVAs are no guest physical addresses behind a virtual IOMMU (cloud-hypervisor 8567)', () => {
      const story = (translates: boolean): number[] => {
        const migration = start(CAREFUL, 'everything');
        const { machine: whole } = migration;
        const made = migration.perform({ kind: 'createDomain', dirtyTracking: true });
        const { domain = 0 } = made.counts;
        const iova = '0x80000000';
        const mapped = migration.perform({
          kind: 'map',
          domain,
          iova,
          length: '2M',
          paddr: '0x400000',
          permission: 'RW',
        });
        assert.equal(mapped.errno, undefined);
        migration.perform({ kind: 'attach', requester: '00:02.0', to: domain });
        migration.perform({ kind: 'setDirtyTracking', domain, enable: true });
        migration.firstRound();
        assert.equal(migration.dma(0x80003), '');
        if (!translates) {
          const bytes = new Uint8Array(64);
          const data = { bytes, offset: 0 };
          const request = {
            hwptId: domain,
            flags: 0,
            iova: BigInt(iova),
            length: 0x200000n,
            pageSize: 4096n,
            data,
          };
          value(runSteps(whole.software(whole.iommufd.hwptGetDirtyBitmap(request))));
          const dirty = Array.from({ length: 512 }, (_, page) => page).filter(
            (page) => ((bytes[page >> 3] ?? 0) >> (page & 7)) & 1,
          );
          assert.ok(dirty.includes(3));
          for (const page of dirty) migration.copy([{ startPage: 0x80000 + page, endPage: 0x80001 + page }]);
        }
        return migration.finish();
      };
      assert.deepEqual(story(false), [0x403]);
      assert.deepEqual(story(true), []);
    });
  });

  describe(`What the ledger says of a careless driver (${machine.vendor})`, () => {
    const careless = (fault: string): Migration =>
      new Migration({ machine, policy: CAREFUL, round: 'everything', pages: ['4K'], driverFaults: [fault] });

    it('names the cached translation, its entry and the command behind a write that a harvest without a flush loses', () => {
      const migration = careless('no-flush-after-clear');
      migration.firstRound();
      migration.dma(0x30);
      migration.round();
      migration.dma(0x30);
      assert.deepEqual(migration.finish(), [0x30]);
      const { ledger, memory } = migration.machine;
      const [finding] = ledger.findings.of('lost-dirty');
      assert.ok(finding?.cached && finding.entry !== undefined);
      assert.equal(finding.cached.dirtyDone, true);
      assert.match(finding.why, /through a cached translation that says D is set/);
      const word = { lo: 0, hi: 0 };
      assert.ok(
        memory.readEntry(frameNumber(Math.floor(finding.entry / 4096)), (finding.entry % 4096) / 8, word),
      );
      const { format } = migration.domain.paging.kernel.tables;
      assert.equal(isDirty(format, word.lo, word.hi), false);
      assert.equal(leafFrame(format, levelOf(format, 1), word.lo, word.hi), finding.cached.outputPage);
    });

    it('names a slot that hardware marks blindly after it was cleared, where that is misread', () => {
      for (const update of ['compare', 'blind'] as const) {
        const migration = new Migration({
          ...{ machine, policy: CAREFUL, round: 'everything', pages: ['4K'] },
          rules: { update },
        });
        const { id } = migration.domain;
        migration.perform({ kind: 'unmap', domain: id, iova: '0x0', length: '16M' });
        for (const [iova, length] of [
          ['0x0', '0x40000'],
          ['0x40000', '0x40000'],
        ] as const)
          migration.perform({ kind: 'map', domain: id, iova, length, permission: 'RW' });
        for (const { startPage, endPage } of migration.machine.ledger.behind)
          migration.copy([{ startPage, endPage }]);
        migration.perform({ kind: 'readDirty', domain: id, clear: true });
        const requests = [{ sid: '00:02.0', iova: '0x30000', length: 64, access: 'write' as const }];
        const write = migration.machine.perform({ kind: 'dma', requests });
        for (let step = write.next(); step.done !== true; step = write.next())
          if (step.value.kind === 'read' && 'depth' in step.value && step.value.depth === 1) break;
        const unmap = migration.machine.perform({
          kind: 'unmap',
          domain: id,
          iova: '0x0',
          length: '0x40000',
        });
        let cleared = 0;
        while (cleared <= 0x30) {
          const step = unmap.next();
          assert.ok(step.done !== true);
          if (step.value.kind === 'store') cleared++;
        }
        runSteps(write);
        runSteps(unmap);
        const found = migration.machine.ledger.findings.of('corrupt-slot');
        const misread = update === 'blind' && machine.vendor === 'vt-d';
        assert.equal(found.length, misread ? 1 : 0);
        if (misread) assert.match(found[0]?.why ?? '', /The slot maps nothing, and hardware has marked it/);
      }
    });

    it('names a walk that reads a table freed before the flush, by its entry', () => {
      const migration = careless('free-before-flush');
      migration.dma(0x30);
      const { id } = migration.domain;
      for (const step of migration.machine.perform({ kind: 'unmap', domain: id, iova: '0x0', length: '16M' }))
        if (step.kind === 'software' && step.name.startsWith('free')) migration.dma(0x31);
      const [finding] = migration.machine.ledger.findings.of('use-after-free');
      assert.match(
        finding?.why ?? '',
        /^A walk reads the entry at 0x[0-9a-f]+, in a table that software has freed/,
      );
      assert.equal((finding?.entry ?? 0) % 4096, 0x31 * 8);
    });
  });

  describe(`A migration where host writers are logged and zaps harvest (${machine.vendor})`, () => {
    const page = fc.oneof(
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 510, max: 514 }),
      fc.constant(4095),
    );
    const act = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('vcpu' as const, 'dma' as const), page }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('host' as const, 'zap' as const), page }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constantFrom('split' as const, 'collapse' as const), page }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constantFrom('round' as const, 'evict' as const), page }),
      },
    );

    it('loses nothing and breaks nothing, whatever writes, splits, collapses and evicts', () => {
      fc.assert(
        fc.property(
          fc.constantFrom<FirstRound>('everything', 'populated-only'),
          fc.array(act, { maxLength: 8 }),
          fc.array(act, { maxLength: 12 }),
          (round, before, after) => {
            const migration = new Migration({ machine, policy: CAREFUL, round, rules });
            const { id } = migration.domain;
            const step = (each: (typeof before)[number]): void => {
              const block = `0x${((each.page - (each.page % 512)) * 4096).toString(16)}`;
              if (each.kind === 'vcpu') migration.vcpu(each.page);
              else if (each.kind === 'dma') assert.equal(migration.dma(each.page), '');
              else if (each.kind === 'host') migration.host('vhost', each.page);
              else if (each.kind === 'zap') {
                migration.cpu.zap({ startPage: each.page, endPage: each.page + 1 }, 'mmu-notifier');
              } else if (each.kind === 'split')
                migration.perform({ kind: 'split', domain: id, iova: block, size: '4K' });
              else if (each.kind === 'collapse') {
                migration.perform({ kind: 'collapse', domain: id, iova: block, size: '2M' });
              } else if (each.kind === 'round') migration.round();
              else migration.perform({ kind: 'evict', iommu: 'iommu0', all: false });
            };
            before.forEach(step);
            migration.firstRound();
            after.forEach(step);
            const { ledger } = migration.machine;
            const tables = migration.domain.paging.kernel.tables;
            for (const { startPage, endPage } of ledger.unaccounted(ledger.pendingIn(tables.space, id))) {
              // What the IOMMU does not know is for the CPUs' harvest.
              for (let each = startPage; each < endPage; each++)
                assert.notEqual(ledger.lastWrite(each)?.writer.kind, 'device');
            }
            assert.deepEqual(migration.finish(), []);
            ledger.checkSlots(tables.space);
            assert.equal(ledger.findings.errors, 0, ledger.findings.all()[0]?.why);
            assert.equal(ledger.behind.length, 0);
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}
