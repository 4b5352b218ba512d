import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Writer } from '../../../../src/engine/ledger/accessObserver';
import { LastWrites } from '../../../../src/engine/ledger/lastWrites';
import { Ledger } from '../../../../src/engine/ledger/ledger';
import { MappingLives } from '../../../../src/engine/ledger/mappingLives';
import { PageBits } from '../../../../src/engine/ledger/pageBits';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { SeededRandom } from '../../../../src/engine/random';

/** Pages around the border of a chunk of bits. */
const BASE = 2 ** 15 - 40;
const page = fc.integer({ min: BASE, max: BASE + 80 });
const pages = fc
  .tuple(page, fc.integer({ min: 0, max: 60 }))
  .map(([startPage, length]) => ({ startPage, endPage: startPage + length }));
const far = fc.constantFrom({ startPage: 0, endPage: 2 ** 16 }, { startPage: 2 ** 15, endPage: 2 ** 17 });
const ranges = fc.oneof({ weight: 9, arbitrary: pages }, { weight: 1, arbitrary: far });
const listed = (runs: Iterable<{ startPage: number; endPage: number }>): number[] => {
  const all: number[] = [];
  for (const { startPage, endPage } of runs)
    for (let each = startPage; each < endPage; each++) all.push(each);
  return all;
};
const sorted = (set: Iterable<number>): number[] => [...set].sort((one, other) => one - other);

describe('Sets of pages', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), page }),
    fc.record({ kind: fc.constant('addRange' as const), range: pages }),
    fc.record({ kind: fc.constant('removeRange' as const), range: ranges }),
  );

  it('hold what a set holds, in runs and gaps', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), pages, (operations, window) => {
        const bits = new PageBits();
        const model = new Set<number>();
        for (const each of operations) {
          if (each.kind === 'add') {
            bits.add(each.page);
            model.add(each.page);
          } else {
            const { startPage, endPage } = each.range;
            bits[each.kind](each.range);
            for (let at = startPage; at < endPage; at++) {
              if (each.kind === 'addRange') model.add(at);
              else model.delete(at);
            }
          }
        }
        assert.deepEqual(listed(bits.runs()), sorted(model));
        assert.equal(bits.count(), model.size);
        const inside = sorted(model).filter((at) => at >= window.startPage && at < window.endPage);
        assert.deepEqual(listed(bits.runs(window.startPage, window.endPage)), inside);
        const gaps = listed(bits.gaps(window.startPage, window.endPage));
        assert.equal(gaps.length + inside.length, Math.max(0, window.endPage - window.startPage));
        assert.ok(gaps.every((at) => !model.has(at) && !bits.has(at)));
      }),
    );
  });

  it('hold 2^29 pages of 2 TB at once, in chunks', () => {
    const bits = new PageBits();
    bits.addRange({ startPage: 0, endPage: 2 ** 29 });
    assert.equal(bits.count(), 2 ** 29);
    bits.removeRange({ startPage: 1, endPage: 2 ** 29 - 1 });
    assert.deepEqual(
      [...bits.runs()],
      [
        { startPage: 0, endPage: 1 },
        { startPage: 2 ** 29 - 1, endPage: 2 ** 29 },
      ],
    );
  });
});

describe('The last writes', () => {
  const writer: Writer = { kind: 'vcpu', vcpu: 0 };

  it('are kept for each page, with how many there were', () => {
    const random = new SeededRandom(7);
    const writes = new LastWrites();
    const model = new Map<number, [number, number]>();
    for (let step = 0; step < 20_000; step++) {
      const at = random.below(4) === 0 ? random.below(50) : random.below(2 ** 30) * 64;
      writes.put(at, step, writer, undefined, () => true);
      model.set(at, [step, (model.get(at)?.[1] ?? 0) + 1]);
    }
    assert.equal(writes.size, model.size);
    for (const [at, expected] of model) {
      const found = writes.get(at);
      assert.deepEqual([found?.step, found?.version], expected);
    }
    assert.equal(writes.get(51), undefined);
  });

  it('are forgotten first where they do not matter, when there are too many', () => {
    const writes = new LastWrites(100);
    for (let at = 0; at < 100; at++) writes.put(at, at, writer, undefined, () => true);
    writes.put(200, 200, writer, undefined, (each) => each >= 50);
    assert.equal(writes.get(10), undefined);
    assert.equal(writes.get(60)?.step, 60);
    assert.equal(writes.get(200)?.step, 200);
  });
});

describe('The lives of mappings', () => {
  const operation = fc.record({
    kind: fc.constantFrom('begin' as const, 'promise' as const, 'end' as const, 'settle' as const),
    start: fc.integer({ min: 0, max: 15 }),
    length: fc.integer({ min: 1, max: 8 }),
    frame: fc.integer({ min: 0, max: 3 }),
  });

  it('judge each page as a list of them by page does', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 24 }), (operations) => {
        const lives = new MappingLives();
        const now = new Map<number, { frame: number; promised: boolean }>();
        const open = new Set<string>();
        const key = (at: number, frame: number): string => `${at}:${frame}`;
        operations.forEach(({ kind, start, length, frame }, step) => {
          const range = { startPage: start, endPage: start + length };
          const first = frame * 100 + start;
          if (kind === 'begin') lives.begin(range, first, READ_WRITE, step);
          else if (kind === 'promise') lives.promise(range, step);
          else if (kind === 'end') lives.end(range, step);
          else lives.settle(range, step, undefined);
          for (let at = start; at < start + length; at++) {
            const life = now.get(at);
            if (life && (kind === 'begin' || kind === 'end')) open.add(key(at, life.frame));
            if (kind === 'end') now.delete(at);
            if (kind === 'begin') now.set(at, { frame: first + at - start, promised: false });
            if (kind === 'settle') for (let each = 0; each < 4; each++) open.delete(key(at, each * 100 + at));
          }
        });
        for (let at = 0; at < 24; at++) {
          for (let each = 0; each < 4; each++) {
            const frame = each * 100 + at;
            const allowed = now.get(at)?.frame === frame || open.has(key(at, frame));
            assert.equal(
              lives.judge(at, frame, true).kind === 'allowed',
              allowed,
              `page ${at}, frame ${frame}`,
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('The ledger against a model', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), page }),
    fc.record({ kind: fc.constant('copy' as const), range: ranges }),
    fc.record({ kind: fc.constant('harvest' as const), range: pages }),
  );

  it('knows the pages that the destination lacks and those that nobody reported, and counts over-reports', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const ledger = new Ledger();
        const source = new Map<number, number>();
        const destination = new Map<number, number>();
        const unreported = new Set<number>();
        let over = 0;
        for (const each of operations) {
          if (each.kind === 'write') {
            ledger.wrote({ kind: 'vcpu', vcpu: 0 }, each.page, each.page, 0, 1);
            source.set(each.page, (source.get(each.page) ?? 0) + 1);
            unreported.add(each.page);
            continue;
          }
          const { startPage, endPage } = each.range;
          let reported = 0;
          for (let at = startPage; at < endPage; at++) {
            if (each.kind === 'copy') destination.set(at, source.get(at) ?? 0);
            else if (!unreported.delete(at)) reported++;
          }
          if (each.kind === 'copy') ledger.copied(each.range);
          else assert.equal(ledger.harvested([each.range]).overReported, reported);
          over += reported;
        }
        const behind = [...source].filter(([at, version]) => (destination.get(at) ?? 0) !== version);
        ledger.finish();
        assert.deepEqual(listed(ledger.behind), sorted(behind.map(([at]) => at)));
        assert.equal(ledger.findings.count('lost-dirty').pages, behind.length);
        assert.equal(ledger.findings.count('over-report').pages, over);
        const missing = behind.map(([at]) => at).filter((at) => unreported.has(at));
        assert.deepEqual(listed(ledger.unaccounted(new PageBits())), sorted(missing));
        for (const [at, version] of source) assert.equal(ledger.lastWrite(at)?.version, version);
      }),
    );
  });

  it('takes 10^6 writes spread over 2 TB in seconds', () => {
    const ledger = new Ledger();
    const random = new SeededRandom(1);
    const writer: Writer = { kind: 'device', iommu: 'iommu0', requester: 1, pasid: null };
    const model = new Set<number>();
    ledger.attached(writer, { domain: 1, nested: false });
    ledger.mapped(1, { startPage: 0, endPage: 2 ** 29 }, 0, READ_WRITE);
    for (let count = 0; count < 1_000_000; count++) {
      const at = random.below(2 ** 29);
      ledger.wrote(writer, at, at, 0, 64);
      model.add(at);
    }
    assert.equal(ledger.harvested([{ startPage: 0, endPage: 2 ** 29 }]).overReported, 2 ** 29 - model.size);
    ledger.copied({ startPage: 0, endPage: 2 ** 29 });
    ledger.finish();
    assert.equal(ledger.findings.errors, 0);
  });
});
