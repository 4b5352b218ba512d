/** What may come between the steps of a request: other software, invalidations, waits. */
import assert from 'node:assert/strict';
import { type HardwareStep } from '../../../../src/engine/iommu/hardwareStep';
import { type HardwareRules } from '../../../../src/engine/iommu/rules';
import { READ, WRITE } from '../../../../src/engine/pageTable/entryClass';
import { at } from '../../../builders/tables';
import { ask, drain, sayOutcome, stepTo } from './oneSpace';
import { amdUnit, armUnit, bit, chain, DATA, ONLY, ROOT, vtdUnit, type RealUnit } from './realUnit';

const PERMISSION = bit(61) | bit(62) | 1n;
const TABLE = (frame: number, depth: number): bigint => at(frame) | PERMISSION | (BigInt(depth - 1) << 9n);
const LEAF = at(DATA) | PERMISSION;
const [A, D] = [0x20n, 0x40n];
const OUT = '0x80123';

/** AMD with HAD = 3, page 0 mapped. */
function amd(
  rules: Partial<HardwareRules> = {},
  leaf = LEAF,
): { readonly unit: RealUnit; readonly frame: number } {
  const unit = amdUnit({ had: 3n, rules });
  const frame = chain(unit.memory, ROOT, 4, TABLE);
  unit.memory.set(frame, 0, leaf);
  return { unit, frame };
}

const write = (unit: RealUnit, address = 0x123n) =>
  unit.iommu.request(ask(address, 'write', { requester: ONLY }));
const isRead = (depth: number) => (step: { kind: string }) =>
  step.kind === 'read' && 'depth' in step && step.depth === depth;

describe('a word that changes between its read and its update', () => {
  it('starts the walk again (compare): the new word is marked, and used', () => {
    const { unit, frame } = amd();
    const steps = write(unit);
    stepTo(steps, isRead(1));
    unit.memory.set(frame, 0, at(0x90) | PERMISSION);
    const { steps: rest, outcome } = drain(steps);
    assert.equal(sayOutcome(outcome), '0x90123');
    assert.equal(unit.memory.get(frame, 0), at(0x90) | PERMISSION | A | D);
    assert.deepEqual(
      rest.flatMap((step) => (step.kind === 'update' ? [step.changed] : [])),
      [true, false],
    );
    assert.equal(unit.iommu.counters.retries, 1);
  });

  it('that is not present any more faults (compare), and stays as it is', () => {
    const { unit, frame } = amd();
    const steps = write(unit);
    stepTo(steps, isRead(1));
    unit.memory.set(frame, 0, 0n);
    assert.equal(sayOutcome(drain(steps).outcome), 'not-present, stage 2, depth 1');
    assert.equal(unit.memory.get(frame, 0), 0n);
  });

  it('that software marked itself needs no update any more', () => {
    const { unit, frame } = amd();
    const steps = write(unit);
    stepTo(steps, isRead(1));
    unit.memory.set(frame, 0, LEAF | A | D);
    const { steps: rest } = drain(steps);
    assert.equal(rest.filter((step) => step.kind === 'update' && !step.changed).length, 0);
    assert.equal(unit.iommu.counters.updates, 0);
  });

  it('gets the marks all the same (blind), and the old translation is used', () => {
    const { unit, frame } = amd({ update: 'blind' });
    const steps = write(unit);
    stepTo(steps, isRead(1));
    const pointer = TABLE(0x30, 2);
    unit.memory.set(frame, 0, pointer);
    assert.equal(sayOutcome(drain(steps).outcome), OUT);
    assert.equal(unit.memory.get(frame, 0), pointer | A | D);
    assert.equal(unit.iommu.counters.retries, 0);
  });

  it('changes all the time: the walk gives up', () => {
    const { unit, frame } = amd();
    const steps = write(unit);
    let left = 100_000;
    for (let step = steps.next(), flips = 0; ; step = steps.next()) {
      assert.ok(left-- > 0, 'it ends');
      if (step.done === true) {
        assert.equal(sayOutcome(step.value), 'table-unreadable, stage 2, depth 0');
        return;
      }
      if (isRead(1)(step.value)) unit.memory.set(frame, 0, LEAF | (BigInt(++flips % 2) << 2n));
    }
  });
});

describe('the IOTLB', () => {
  it('answers a write without the tables only when D was set: else it walks again', () => {
    const { unit, frame } = amd();
    unit.run(0x123n, 'read');
    assert.equal(unit.memory.get(frame, 0), LEAF | A);
    const { steps } = unit.run(0x123n, 'write');
    assert.ok(steps.some((step) => step.kind === 'lookup' && step.cache === 'iotlb' && !step.hit));
    assert.equal(unit.memory.get(frame, 0), LEAF | A | D);
    const again = unit.run(0x123n, 'write');
    assert.deepEqual(
      again.steps.map(({ kind }) => kind),
      ['lookup', 'lookup', 'access'],
    );
    assert.ok(again.outcome.ok && again.outcome.hit);
  });

  it('with D done writes silently after software cleared D, until it is invalidated', () => {
    const { unit, frame } = amd();
    unit.run(0x123n, 'write');
    unit.memory.set(frame, 0, LEAF | A);
    unit.run(0x123n, 'write');
    assert.equal(unit.memory.get(frame, 0), LEAF | A);
    unit.iommu.invalidate({ translations: { vm: 5, pages: { startPage: 0, endPage: 1 } } });
    unit.run(0x123n, 'write');
    assert.equal(unit.memory.get(frame, 0), LEAF | A | D);
  });

  it('does not hold a walk that began before an invalidation: it starts again', () => {
    const { unit, frame } = amd();
    const steps = write(unit);
    stepTo(steps, ({ kind }) => kind === 'update');
    unit.memory.set(frame, 0, 0n);
    unit.iommu.invalidate({ translations: { vm: 5 }, tables: { vm: 5 } });
    assert.equal(sayOutcome(drain(steps).outcome), 'not-present, stage 2, depth 1');
    assert.equal(unit.iommu.caches.iotlb.size, 0);
  });

  it('keeps not-present translations only where the rule says so', () => {
    for (const cachesNotPresent of [false, true]) {
      const { unit, frame } = amd({ cachesNotPresent }, 0n);
      assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), 'not-present, stage 2, depth 1');
      unit.memory.set(frame, 0, LEAF);
      const { outcome } = unit.run(0x123n, 'write');
      assert.equal(outcome.ok, !cachesNotPresent);
      unit.iommu.invalidate({ translations: { vm: 5 } });
      assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), OUT);
    }
  });

  it('holds the sizes of its vendor: a 2M page of AMD whole, a 32K page in parts', () => {
    const { unit, frame } = amd();
    // Next level 7: 32K, address bits 14:12 are 011.
    for (let index = 0; index < 8; index++)
      unit.memory.set(frame, index, at(DATA) | 0x3000n | (7n << 9n) | PERMISSION);
    assert.equal(sayOutcome(unit.run(0x5123n, 'write').outcome), '0x85123');
    assert.deepEqual(
      [...unit.iommu.caches.iotlb.entries()].map(({ page, shift, outputPage }) => [page, shift, outputPage]),
      [[5, 12, 0x85]],
    );
    assert.equal(unit.memory.get(frame, 5) & (A | D), A | D);
    assert.equal(unit.memory.get(frame, 4) & (A | D), 0n);
  });
});

describe('a page of several entries (Arm contiguous)', () => {
  const made = (output: (index: number) => number) => {
    const unit = armUnit({ stages: '1', ha: true, hd: true });
    const frame = chain(unit.memory, ROOT, 3, (next) => at(next) | 3n);
    // AF, AP[1], AP[2] and DBM: clean; the contiguous bit.
    const word = (index: number): bigint => at(output(index)) | 0x4c3n | bit(51) | bit(52);
    for (let index = 0; index < 16; index++) unit.memory.set(frame, index, word(index));
    return { unit, frame, word };
  };

  it('is cached as one, and only the entry that was read is marked', () => {
    const { unit, frame, word } = made((index) => 0x200 + index);
    assert.equal(sayOutcome(unit.run(0x5123n, 'write').outcome), '0x205123');
    const { outcome } = unit.run(0x6123n, 'write');
    assert.ok(outcome.ok && outcome.hit && outcome.shift === 16);
    assert.equal(sayOutcome(outcome), '0x206123');
    for (let index = 0; index < 16; index++)
      assert.equal(unit.memory.get(frame, index), index === 5 ? word(5) & ~bit(7) : word(index));
  });

  it('is cached in parts where an entry does not lead where the page would', () => {
    const { unit } = made((index) => 0x300 - index);
    assert.equal(sayOutcome(unit.run(0x5123n, 'write').outcome), '0x2fb123');
    assert.equal(sayOutcome(unit.run(0x6123n, 'write').outcome), '0x2fa123');
    assert.deepEqual(
      [...unit.iommu.caches.iotlb.entries()].map(({ shift }) => shift),
      [12, 12],
    );
  });
});

describe('a cached page of which a part may not be reached', () => {
  it('lets no request out into the interrupt window (VT-d)', () => {
    const unit = vtdUnit({ type: 'second' });
    // IOVA 0 to 1G is physical 0xc0000000 on, by a leaf of 1G.
    chain(unit.memory, ROOT, 2, (next) => at(next) | 3n);
    unit.memory.set(ROOT + 1, 0, 0xc000_0083n);
    assert.equal(sayOutcome(unit.run(0x3ed0_0123n, 'write').outcome), '0xfed00123');
    assert.equal(unit.iommu.caches.iotlb.size, 1);
    assert.equal(
      sayOutcome(unit.iommu.run(ask(0x3ee0_0123n, 'write', { requester: ONLY }))),
      'interrupt-output, stage 2, depth 3',
    );
    assert.equal(sayOutcome(unit.run(0x3ee0_0123n, 'write').outcome), 'interrupt-output, stage 2, depth 3');
    const { outcome } = unit.run(0x3ef0_0123n, 'write');
    assert.ok(outcome.ok && outcome.hit);
  });
});

describe('eviction and prefetch', () => {
  it('prefetch sets A and no D, and fills the IOTLB', () => {
    const { unit, frame } = amd();
    assert.equal(drain(unit.iommu.prefetch(ONLY, null, 0)).outcome, true);
    assert.equal(unit.memory.get(frame, 0), LEAF | A);
    assert.equal(unit.iommu.caches.iotlb.size, 1);
    assert.deepEqual(unit.observed, []);
    const { outcome } = unit.run(0x123n, 'read');
    assert.ok(outcome.ok && outcome.hit);
    assert.equal(drain(unit.iommu.prefetch(ONLY, null, 7)).outcome, false);
  });

  it('eviction drops one entry at a time, until there is none', () => {
    const { unit } = amd();
    unit.run(0x123n, 'read');
    const { iotlb, walk, contexts } = unit.iommu.caches;
    const held = iotlb.size + walk.size + contexts.size;
    assert.equal(held, 1 + 3 + 1);
    for (let left = held; left > 0; left--) assert.equal(unit.iommu.evict()?.kind, 'evict');
    assert.equal(unit.iommu.evict(), undefined);
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), OUT);
  });

  it('happen by themselves as often as the rules say, by seed', () => {
    const run = () => {
      const { unit } = amd({ evictEvery: 2, prefetchEvery: 3 });
      for (let index = 0; index < 60; index++) unit.iommu.run(ask(0x123n, 'read', { requester: ONLY }));
      return unit.iommu.counters;
    };
    const first = run();
    assert.ok(first.evictions > 10 && first.evictions < 50, `${first.evictions}`);
    assert.deepEqual(run(), first);
  });

  it('happen between any two steps of a request, too, which goes on as without them', () => {
    const { unit, frame } = amd({ evictEvery: 2, prefetchEvery: 2 });
    for (let page = 1; page < 8; page++) unit.memory.set(frame, page, LEAF);
    const places = new Set<number>();
    let prefetched = 0;
    for (let index = 0; index < 300; index++) {
      const steps: HardwareStep[] = [];
      const running = unit.iommu.request(ask(0x123n, 'read', { requester: ONLY }));
      let step = running.next();
      for (; step.done !== true; step = running.next()) steps.push(step.value);
      assert.ok(step.value.ok);
      assert.equal(steps.filter(({ kind }) => kind === 'access').length, 1);
      places.add(steps.findIndex(({ kind }) => kind === 'evict'));
      const answered = steps.findIndex(
        (each) => each.kind === 'lookup' && each.cache === 'iotlb' && each.hit,
      );
      const fill = steps.findIndex((each) => each.kind === 'fill' && each.page !== 0);
      const landed = steps.findIndex(({ kind }) => kind === 'access');
      if (answered >= 0 && answered < fill && fill < landed) prefetched++;
    }
    assert.ok([...places].filter((place) => place > 0).length > 3, [...places].join());
    assert.ok(prefetched > 3, `${prefetched}`);
    assert.equal(unit.iommu.inFlight.size, 0);
  });

  it('leave nothing in flight of a request that is given up', () => {
    for (let steps = 0; steps < 8; steps++) {
      const { unit } = amd({ evictEvery: 1, prefetchEvery: 1 });
      const running = unit.iommu.request(ask(0x123n, 'write', { requester: ONLY }));
      for (let step = 0; step < steps; step++) running.next();
      running.return({ ok: false, fault: 'not-present', depth: 0, stage: null });
      assert.equal(unit.iommu.inFlight.size, 0);
    }
  });
});

describe('requests in flight', () => {
  it('are those that are translated and have not landed, by direction', () => {
    const { unit } = amd();
    const { inFlight } = unit.iommu;
    const steps = write(unit);
    stepTo(steps, isRead(1));
    assert.equal(inFlight.size, 0);
    stepTo(steps, ({ kind }) => kind === 'fill');
    const mark = inFlight.now;
    assert.deepEqual(
      [READ, WRITE, READ | WRITE].map((access) => inFlight.hasOlder(mark, access)),
      [false, true, true],
    );
    assert.deepEqual(unit.observed, []);
    const later = write(unit);
    stepTo(later, (step) => step.kind === 'lookup' && step.cache === 'iotlb' && step.hit);
    stepTo(steps, ({ kind }) => kind === 'access');
    assert.deepEqual(unit.observed, ['write 0x80123']);
    assert.equal(inFlight.hasOlder(mark, READ | WRITE), false, 'the later one does not count');
    assert.equal(inFlight.size, 1);
    later.return({ ok: false, fault: 'not-present', depth: 0, stage: null });
    assert.equal(inFlight.size, 0, 'one that is given up is not in flight');
  });
});

describe('entries of different sizes for one address (Arm BBML)', () => {
  const arm = (bbml: 0 | 1 | 2) => {
    const unit = armUnit({ stages: '1', rules: { bbml } });
    const table = (frame: number): bigint => at(frame) | 3n;
    const frame = chain(unit.memory, ROOT, 3, table);
    for (let index = 0; index < 512; index++) unit.memory.set(frame, index, at(0x200 + index) | 0x443n);
    return { unit, frame };
  };
  /** A block of 2M in the place of the table. */
  const BLOCK = at(0x200) | 0x441n;

  it('conflict with BBML 0 and 1 when a block replaces a table without an invalidation', () => {
    for (const bbml of [0, 1] as const) {
      const { unit } = arm(bbml);
      unit.run(0x1123n, 'read');
      unit.memory.set(ROOT + 1, 0, BLOCK);
      unit.iommu.invalidate({ tables: {} });
      assert.equal(sayOutcome(unit.run(0x2123n, 'read').outcome), 'conflicting-entries, stage 1, depth 0');
    }
  });

  it('do not with BBML 2, nor after break before make', () => {
    for (const [bbml, breaks] of [
      [2, false],
      [0, true],
    ] as const) {
      const { unit } = arm(bbml);
      unit.run(0x1123n, 'read');
      unit.memory.set(ROOT + 1, 0, BLOCK);
      unit.iommu.invalidate({ tables: {}, ...(breaks ? { translations: {} } : {}) });
      assert.equal(sayOutcome(unit.run(0x2123n, 'read').outcome), '0x202123');
    }
  });

  it('do not when a block with nT is replaced, as it is not cached (BBML 1)', () => {
    const { unit, frame } = arm(1);
    const nT = bit(16);
    unit.memory.set(ROOT + 1, 0, BLOCK | nT);
    assert.equal(sayOutcome(unit.run(0x2123n, 'read').outcome), '0x202123');
    assert.equal(unit.iommu.caches.iotlb.size, 0);
    unit.memory.set(ROOT + 1, 0, at(frame) | 3n);
    assert.equal(sayOutcome(unit.run(0x2123n, 'read').outcome), '0x202123');
  });
});

describe('structures that are fetched in pieces', () => {
  it('tear: a PASID-table entry that is written meanwhile is half old and half new', () => {
    const unit = vtdUnit({ type: 'second' });
    unit.memory.set(4, 1, 5n);
    const frame = chain(unit.memory, ROOT, 4, (next) => at(next) | 3n);
    unit.memory.set(frame, 0, at(DATA) | 3n);
    // Word 2 of a second-stage entry must be 0 where ECAP has no first stage; here it is a bit that is always reserved.
    const steps = unit.iommu.request(ask(0x123n, 'read', { requester: ONLY }));
    const fetched = stepTo(steps, (step) => step.kind === 'fetch' && step.role === 'process');
    assert.ok(fetched.kind === 'fetch');
    assert.deepEqual([fetched.address, fetched.words], [0x4000, 2]);
    unit.memory.set(4, 0, 0n);
    unit.memory.set(4, 3, 1n);
    const { steps: rest, outcome } = drain(steps);
    assert.equal(rest.filter((step) => step.kind === 'fetch' && step.role === 'process').length, 3);
    assert.equal(sayOutcome(outcome), 'process-entry-reserved');
    // Nothing of a refusal is kept: the next request sees the entry as it is.
    assert.equal(sayOutcome(unit.run(0x123n, 'read').outcome), 'process-entry-not-present');
  });

  it('are cached until they are invalidated', () => {
    const { unit } = amd();
    unit.run(0x123n, 'read');
    unit.memory.set(1, 0, 0n);
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), OUT);
    unit.iommu.invalidate({ contexts: { requester: 0 } });
    // V = 0: the request passes untranslated.
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), '0x123');
  });

  it('stay cached when registers change', () => {
    const { unit } = amd();
    unit.run(0x123n, 'read');
    const fetches = unit.iommu.counters.fetches;
    unit.iommu.writeRegister('Control', 1n);
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), OUT);
    assert.equal(unit.iommu.counters.fetches, fetches);
    unit.iommu.writeRegister('Control', 0n);
    assert.equal(sayOutcome(unit.run(0x123n, 'write').outcome), '0x123');
  });
});
