import assert from 'node:assert/strict';
import fc from 'fast-check';
import { planFirstRound, type FirstRound } from '../../../../src/engine/driver/cpu/firstRound';
import { type CpuPolicy, type CpuLogging } from '../../../../src/engine/driver/cpu/secondStage';
import { runSteps } from '../../../../src/engine/steps';
import { CAREFUL, CARELESS, guest, GUEST, range, value, ZERO_FRAME } from './guest';

const ALL = range(0, 0x40200);

type Act =
  | { readonly kind: 'vcpu'; readonly vcpu: number; readonly page: number; readonly write: boolean }
  | { readonly kind: 'host'; readonly page: number }
  | {
      readonly kind: 'zap';
      readonly page: number;
      readonly pages: number;
      readonly reason: 'balloon' | 'numa-balancing' | 'mmu-notifier';
    }
  | { readonly kind: 'round' };

/**
 * A whole migration: tracking from before the vCPUs start, some acts, a first round, more acts with rounds between, and the
 * last harvest when all is quiet. Returns the pages that were lost.
 */
function migrate(
  round: FirstRound,
  policy: CpuPolicy,
  before: readonly Act[],
  after: readonly Act[],
  logging: CpuLogging = 'dirty-bits',
  pageShifts: readonly number[] = [12],
): number[] {
  const { cpu, ledger } = guest({ policy, pageShifts, vcpus: 2, tlbEntries: 4, zeroFrame: ZERO_FRAME });
  value(runSteps(cpu.startLogging(logging)));
  const copyDirty = (): void => {
    for (const each of runSteps(cpu.harvest(ALL))) ledger.copied(each);
  };
  const act = (each: Act): void => {
    if (each.kind === 'vcpu') value(cpu.access(each.vcpu, each.page, each.write));
    else if (each.kind === 'host') value(cpu.hostWrite('vhost', each.page));
    else if (each.kind === 'zap') cpu.zap(range(each.page, each.page + each.pages), each.reason);
    else copyDirty();
  };
  before.forEach(act);
  for (const each of planFirstRound(round, cpu, GUEST, ledger).ranges) ledger.copied(each);
  after.forEach(act);
  copyDirty();
  ledger.finish();
  return ledger.findings.of('lost-dirty').flatMap(({ startPage, endPage }) => {
    return Array.from({ length: endPage - startPage }, (_, index) => startPage + index);
  });
}

const loader: Act = { kind: 'host', page: 9 };
const store = (page: number): Act => ({ kind: 'vcpu', vcpu: 0, page, write: true });
const zap = (page: number, reason: 'balloon' | 'numa-balancing' | 'mmu-notifier'): Act => ({
  kind: 'zap',
  page,
  pages: 1,
  reason,
});

describe('A first round of what the second stage has populated', () => {
  it('is far smaller than everything, and says what it misses', () => {
    const { cpu, ledger } = guest({ policy: CARELESS });
    value(runSteps(cpu.startLogging('dirty-bits')));
    value(cpu.hostWrite('loader', 9));
    value(cpu.access(0, 5, true));
    value(cpu.access(0, 6, false));
    const populated = planFirstRound('populated-only', cpu, GUEST, ledger);
    assert.deepEqual(populated, {
      ranges: [range(5, 7)],
      pages: 2,
      zeroPages: 1,
      missed: [range(9)],
    });
    const everything = planFirstRound('everything', cpu, GUEST, ledger);
    assert.deepEqual([everything.pages, everything.zeroPages, everything.missed], [2560, 2558, []]);
  });

  it('loses what the loader wrote before the vCPUs started; logging host writers mends it', () => {
    assert.deepEqual(migrate('populated-only', CARELESS, [loader, store(5)], []), [9]);
    assert.deepEqual(
      migrate('populated-only', { ...CARELESS, logsHostWriters: true }, [loader, store(5)], []),
      [],
    );
    assert.deepEqual(migrate('everything', CARELESS, [loader, store(5)], []), []);
  });

  it('loses what vhost writes later, with everything copied first, too', () => {
    const later: Act[] = [{ kind: 'round' }, { kind: 'host', page: 5 }];
    for (const round of ['populated-only', 'everything'] as const) {
      assert.deepEqual(migrate(round, CARELESS, [store(5)], later), [5]);
      assert.deepEqual(migrate(round, CAREFUL, [store(5)], later), []);
    }
  });

  for (const reason of ['numa-balancing', 'mmu-notifier'] as const) {
    it(`loses a page whose entry went away by ${reason} with its dirty bit; harvesting it mends that`, () => {
      const acts = [store(5), zap(5, reason)];
      assert.deepEqual(migrate('populated-only', { ...CAREFUL, harvestsOnZap: false }, acts, []), [5]);
      assert.deepEqual(migrate('populated-only', CAREFUL, acts, []), []);
      assert.deepEqual(migrate('everything', { ...CAREFUL, harvestsOnZap: false }, acts, []), []);
      assert.deepEqual(migrate('everything', { ...CAREFUL, harvestsOnZap: false }, [], acts), [5]);
      assert.deepEqual(migrate('everything', CAREFUL, [], acts), []);
    });
  }

  it('loses neighbours of a ballooned page whose large leaf went away; harvesting it mends that', () => {
    const acts = [store(5), zap(6, 'balloon')];
    const shifts = [12, 21];
    const lossy = { ...CAREFUL, harvestsOnZap: false };
    assert.deepEqual(migrate('populated-only', lossy, acts, [], 'dirty-bits', shifts), [5]);
    assert.deepEqual(migrate('populated-only', CAREFUL, acts, [], 'dirty-bits', shifts), []);
  });

  it('needs not what the guest gave back', () => {
    assert.deepEqual(migrate('populated-only', CARELESS, [store(5), zap(5, 'balloon')], []), []);
  });

  it('loses nothing by zaps where writes are tracked by write protection', () => {
    const lossy = { ...CAREFUL, harvestsOnZap: false };
    const acts = [store(5), zap(5, 'numa-balancing')];
    assert.deepEqual(migrate('populated-only', lossy, acts, [], 'write-protect'), []);
  });
});

describe('A migration by the second stage alone, whatever happens', () => {
  const page = fc.oneof(
    fc.integer({ min: 0, max: 12 }),
    fc.integer({ min: 508, max: 516 }),
    fc.constant(0x40001),
  );
  const acts = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('vcpu' as const),
        vcpu: fc.integer({ min: 0, max: 1 }),
        page,
        write: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('host' as const), page }),
      fc.record({
        kind: fc.constant('zap' as const),
        page,
        pages: fc.integer({ min: 1, max: 4 }),
        reason: fc.constantFrom('balloon' as const, 'numa-balancing' as const, 'mmu-notifier' as const),
      }),
      fc.record({ kind: fc.constant('round' as const) }),
    ),
    { maxLength: 14 },
  );
  const rounds = fc.constantFrom<FirstRound>('everything', 'populated-only');
  const loggings = fc.constantFrom<CpuLogging>('dirty-bits', 'write-protect');
  const sizes = fc.constantFrom([12], [12, 21]);

  it('loses nothing when host writers are logged and zaps harvest', () => {
    fc.assert(
      fc.property(rounds, loggings, sizes, acts, acts, (round, logging, shifts, before, after) => {
        assert.deepEqual(migrate(round, CAREFUL, before, after, logging, shifts), []);
      }),
      { numRuns: 150 },
    );
  });

  it('loses only what the host wrote when host writers are not logged', () => {
    fc.assert(
      fc.property(rounds, loggings, acts, acts, (round, logging, before, after) => {
        const written = new Set(
          [...before, ...after].flatMap((each) => (each.kind === 'host' ? [each.page] : [])),
        );
        const lost = migrate(round, { ...CAREFUL, logsHostWriters: false }, before, after, logging);
        assert.ok(lost.every((each) => written.has(each)));
      }),
      { numRuns: 100 },
    );
  });
});
