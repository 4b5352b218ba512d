import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Outcome } from '../../../../src/engine/driver/errno';
import { Type1Container, TYPE1_RULES, type Type1Rules } from '../../../../src/engine/driver/vfio/type1';
import { Ledger } from '../../../../src/engine/ledger/ledger';
import { type PageRange } from '../../../../src/engine/iommu/cacheOperation';

const range = (startPage: number, endPage: number): PageRange => ({ startPage, endPage });
const GUEST = range(0, 64);
const NEVER: Type1Rules = { populates: 'never', newMappings: true, promotions: true };
const AHEAD: Type1Rules = { populates: 'ahead', newMappings: true, promotions: true };

const errno = (outcome: Outcome<unknown>): string => (outcome.ok ? 'ok' : outcome.errno);
function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.message);
  return outcome.value;
}

/** A migration: pages that were lost at its end. */
function lost(
  rules: Type1Rules,
  story: (container: Type1Container, write: (page: number) => void, round: () => void) => void,
) {
  const container = new Type1Container(rules);
  const ledger = new Ledger();
  const round = (): void => {
    for (const each of value(container.report(GUEST))) ledger.copied(each);
  };
  value(container.map(range(0, 32)));
  value(container.attach('nic', false));
  container.startLogging();
  story(
    container,
    (page) => {
      ledger.wrote({ kind: 'host', name: 'nic' }, page, page, 0, 1);
    },
    round,
  );
  round();
  ledger.finish();
  return ledger.findings.of('lost-dirty').map(({ startPage }) => startPage);
}

describe('A type1 container that logs dirty pages', () => {
  it('reports all that is mapped while a group is there whose DMA nobody knows', () => {
    const container = new Type1Container();
    value(container.map(range(0, 32)));
    value(container.attach('nic', false));
    container.startLogging();
    assert.deepEqual(value(container.report(GUEST)), [range(0, 32)]);
    assert.deepEqual(value(container.report(GUEST)), [range(0, 32)]);
  });

  it('reports what is pinned, again and again, when all groups pin what they use', () => {
    const container = new Type1Container();
    value(container.map(range(0, 32)));
    value(container.attach('gpu', true));
    container.startLogging();
    value(container.pin('gpu', range(4, 6)));
    assert.deepEqual(value(container.report(GUEST)), [range(4, 6)]);
    container.unpin(range(5, 6));
    assert.deepEqual(value(container.report(GUEST)), [range(4, 6)]);
    assert.deepEqual(value(container.report(GUEST)), [range(4, 5)]);
  });

  it('loses what a group wrote that is detached while logging; marking all dirty then mends it', () => {
    const story = (container: Type1Container, write: (page: number) => void, round: () => void): void => {
      round();
      write(3);
      value(container.detach('nic'));
    };
    assert.deepEqual(lost(NEVER, story), [3]);
    assert.deepEqual(lost(TYPE1_RULES, story), []);
    assert.deepEqual(lost(AHEAD, story), []);
  });

  it('loses what a group wrote before it began to pin pages; marking all dirty then mends it', () => {
    const story = (container: Type1Container, write: (page: number) => void, round: () => void): void => {
      round();
      write(3);
      value(container.pin('nic', range(8, 9)));
    };
    assert.deepEqual(lost({ ...TYPE1_RULES, promotions: false }, story), [3]);
    assert.deepEqual(lost(TYPE1_RULES, story), []);
    assert.deepEqual(lost(AHEAD, story), []);
  });

  it('loses writes to a mapping made while logging whose bitmap begins empty', () => {
    const story = (container: Type1Container, write: (page: number) => void): void => {
      value(container.map(range(32, 64)));
      write(40);
      value(container.detach('nic'));
    };
    assert.deepEqual(lost({ ...AHEAD, newMappings: false }, story), [40]);
    assert.deepEqual(lost(AHEAD, story), []);
    assert.deepEqual(lost(TYPE1_RULES, story), []);
  });

  it('knows nothing of a group that comes while logging and goes before the next report, unless it marks all dirty', () => {
    const story = (container: Type1Container, write: (page: number) => void, round: () => void): void => {
      value(container.detach('nic'));
      round();
      value(container.attach('disk', false));
      write(3);
      value(container.detach('disk'));
    };
    assert.deepEqual(lost(NEVER, story), [3]);
    assert.deepEqual(lost(TYPE1_RULES, story), []);
    assert.deepEqual(lost(AHEAD, story), []);
  });

  it('reports what was dirty when it is unmapped, if it is asked to', () => {
    const container = new Type1Container();
    value(container.map(range(0, 32)));
    value(container.attach('nic', false));
    assert.equal(errno(container.unmap(GUEST, true)), 'EINVAL');
    container.startLogging();
    assert.deepEqual(value(container.unmap(GUEST, true)), [range(0, 32)]);
    value(container.map(range(0, 32)));
    assert.deepEqual(value(container.unmap(GUEST, false)), []);
  });

  it('refuses what cuts a mapping, overlaps one, is not logged, or names no group', () => {
    const container = new Type1Container();
    value(container.map(range(0, 32)));
    assert.equal(errno(container.map(range(31, 40))), 'EEXIST');
    assert.equal(errno(container.map(range(40, 40))), 'EINVAL');
    assert.equal(errno(container.report(GUEST)), 'EINVAL');
    container.startLogging();
    assert.equal(errno(container.report(range(0, 16))), 'EINVAL');
    assert.equal(errno(container.unmap(range(16, 64), false)), 'EINVAL');
    assert.equal(errno(container.detach('nic')), 'ENODEV');
    assert.equal(errno(container.pin('nic', range(0, 1))), 'ENODEV');
    value(container.attach('nic', false));
    assert.equal(errno(container.attach('nic', false)), 'EBUSY');
    assert.equal(errno(container.pin('nic', range(31, 33))), 'EINVAL');
    container.stopLogging();
    assert.equal(errno(container.report(GUEST)), 'EINVAL');
  });

  it('loses nothing under either of the two remedies, whatever happens', () => {
    const act = fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        page: fc.integer({ min: 0, max: 1 }),
        group: fc.constantFrom('nic', 'disk'),
      }),
      fc.record({
        kind: fc.constantFrom('attach' as const, 'detach' as const, 'pin' as const),
        group: fc.constantFrom('nic', 'disk'),
        page: fc.integer({ min: 0, max: 1 }),
      }),
      fc.record({ kind: fc.constant('round' as const) }),
    );
    fc.assert(
      fc.property(fc.constantFrom(TYPE1_RULES, AHEAD), fc.array(act, { maxLength: 20 }), (rules, acts) => {
        const groups = new Map([['nic', new Set<number>()]]);
        const unknown = new Set(['nic']);
        const pages = lost(rules, (container, write, round) => {
          for (const each of acts) {
            if (each.kind === 'round') round();
            else if (each.kind === 'write') {
              if (unknown.has(each.group) || groups.get(each.group)?.has(each.page)) write(each.page);
            } else if (each.kind === 'attach') {
              if (!container.attach(each.group, false).ok) continue;
              groups.set(each.group, new Set());
              unknown.add(each.group);
            } else if (each.kind === 'detach') {
              container.detach(each.group);
              groups.delete(each.group);
              unknown.delete(each.group);
            } else if (container.pin(each.group, range(each.page, each.page + 1)).ok) {
              groups.get(each.group)?.add(each.page);
              unknown.delete(each.group);
            }
          }
        });
        assert.deepEqual(pages, []);
      }),
      { numRuns: 500 },
    );
  });
});
