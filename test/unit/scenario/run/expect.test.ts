import assert from 'node:assert/strict';
import { failuresOf, FIRST_LINE, runText, withSteps } from './bench';

/** Steps, each with what comes true after them, and what does not: what is expected, and what there is instead. */
interface Twin {
  readonly name: string;
  readonly steps: string;
  readonly true: string;
  readonly false: string;
  readonly what: string;
  readonly expected: string;
  readonly actual: string | RegExp;
  readonly domain?: string;
  readonly machine?: string;
}

const WRITE = '- dma: { iova: 0x5000 }';

const LARGE = 'pages: [4K, 2M], dirtyTracking: on';
/** A write between the read of a large leaf and the store of the small ones. */
const FORGETS =
  '- dma: { iova: 0x200000, access: read }\n- during: { step: { split: { iova: 0x200000, length: 2M, size: 4K, protocol: split.snapshot-store } }, moments: [{ after: 5, steps: [{ dma: { iova: 0x203000 } }] }] }';
const STALE =
  '- dma: { iova: 0x7000 }\n- unmap: { iova: 0x7000, length: 4K, through: tables }\n- dma: { iova: 0x7000 }';
const NO_FLUSH = ', driverFaults: [gather-never-filled]';

const TWINS: readonly Twin[] = [
  {
    name: 'clean',
    steps: FORGETS,
    domain: LARGE,
    true: 'clean: false',
    false: 'clean: true',
    what: 'clean',
    expected: 'nothing wrong, nothing lost',
    actual: 'lost 1 page: 0x203000',
  },
  {
    name: 'clean, of what is not',
    steps: WRITE,
    true: 'clean: true',
    false: 'clean: false',
    what: 'clean',
    expected: 'something wrong',
    actual: 'nothing is',
  },
  {
    name: 'lost',
    steps: FORGETS,
    domain: LARGE,
    true: 'lost: 1',
    false: 'lost: 0',
    what: 'lost',
    expected: '0 pages',
    actual: '1 page: 0x203000',
  },
  {
    name: 'lost: what is dirty is not',
    steps: WRITE,
    true: 'lost: 0',
    false: 'lost: { atLeast: 1 }',
    what: 'lost',
    expected: 'at least 1 page',
    actual: '0 pages',
  },
  {
    name: 'lostAt',
    steps: FORGETS,
    domain: LARGE,
    true: 'lostAt: [0x203000]',
    false: 'lostAt: [0x203000, 0x204000]',
    what: 'lostAt',
    expected: '2 pages: 0x203000, 0x204000',
    actual: '1 page: 0x203000',
  },
  {
    name: 'stale',
    steps: STALE,
    machine: NO_FLUSH,
    true: 'stale: 1',
    false: 'stale: 0',
    what: 'stale',
    expected: '0 uses',
    actual: /^1 use; the first: A write of device 00:02\.0 behind iommu0 reached /,
  },
  {
    name: 'findings',
    steps: STALE,
    machine: NO_FLUSH,
    true: 'findings: { stale-use: 1, spurious-fault: 0 }',
    false: 'findings: { spurious-fault: 2 }',
    what: 'findings.spurious-fault',
    expected: '2 findings',
    actual: '0 findings',
  },
  {
    name: 'faults, as a number',
    steps: '- dma: { iova: 0x40000000, refused: not-present }',
    true: 'faults: 1',
    false: 'faults: 0',
    what: 'faults',
    expected: '0 records',
    actual: /^1 record; the first: 00:02\.0 0x40000000 /,
  },
  {
    name: 'faults, by what they are',
    steps: '- dma: { iova: 0x40000000, refused: not-present }',
    true: 'faults: [{ device: nic, iova: 0x40000000, count: 1 }, { iova: 0x50000000, count: 0 }]',
    false: 'faults: [{ iova: 0x50000000 }]',
    what: 'faults[0]',
    expected: 'at least 1 record that match',
    actual: /^0 records of 1: 00:02\.0 0x40000000 /,
  },
  {
    name: 'faults, by the vendor’s name',
    steps: '- dma: { iova: 0x40000000, refused: not-present }',
    true: 'faults: [{ code: FAULT REASON }]',
    false: 'faults: [{ code: page-request }]',
    what: 'faults[0]',
    expected: 'at least 1 record that match',
    actual: /^0 records of 1/,
  },
  {
    name: 'entries: D',
    steps: WRITE,
    true: 'entries: [{ iova: 0x5000, dirty: true }, { iova: 0x6000, dirty: false }]',
    false: 'entries: [{ iova: 0x6000, dirty: true }]',
    what: 'entries[0].dirty',
    expected: 'yes',
    actual: 'no, at 0x6000',
  },
  {
    name: 'entries: A',
    steps: '- dma: { iova: 0x5000, access: read }',
    true: 'entries: [{ iova: 0x5000, accessed: true, dirty: false }]',
    false: 'entries: [{ iova: 0x5000, accessed: false }]',
    what: 'entries[0].accessed',
    expected: 'no',
    actual: 'yes, at 0x5000',
  },
  {
    name: 'entries: whether there is one',
    steps: '- unmap: { iova: 0x5000, length: 4K, through: tables }',
    true: 'entries: [{ iova: 0x5000, present: false }, { iova: 0x6000, present: true }]',
    false: 'entries: [{ iova: 0x5000, size: 4K }]',
    what: 'entries[0].present',
    expected: 'yes',
    actual: 'no, at 0x5000',
  },
  {
    name: 'entries: size',
    steps: '- split: { iova: 0x200000, length: 2M, size: 4K }',
    domain: LARGE,
    true: 'entries: [{ iova: 0x200000, size: 4K }, { iova: 0x400000, size: 2M }]',
    false: 'entries: [{ iova: 0x200000, size: 2M }]',
    what: 'entries[0].size',
    expected: '2M',
    actual: '4K, at 0x200000',
  },
  {
    name: 'entries: permission',
    steps:
      '- unmap: { iova: 0x0, length: 16M }\n- map: { iova: 0x5000, length: 4K, permission: R }\n- dma: { iova: 0x5000, refused: write-denied }',
    true: 'entries: [{ iova: 0x5000, permission: R }]',
    false: 'entries: [{ iova: 0x5000, permission: RW }]',
    what: 'entries[0].permission',
    expected: 'RW',
    actual: 'R, at 0x5000',
  },
  {
    name: 'entries of a guest',
    steps:
      '- guest: { name: os }\n- guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x5000 }\n- attach: { device: nic, to: os }\n- dma: { iova: 0x201000 }',
    domain: 'pages: [4K], nestParent: true',
    true: 'entries: [{ domain: os, iova: 0x201000, size: 4K, accessed: true }, { domain: os, iova: 0x202000, present: false }]',
    false: 'entries: [{ domain: os, iova: 0x201000, accessed: false }]',
    what: 'entries[0].accessed',
    expected: 'no',
    actual: 'yes, at 0x201000',
  },
  {
    name: 'translations',
    steps: '- unmap: { iova: 0x0, length: 16M }\n- map: { iova: 0x5000, length: 4K, to: 0x9000 }',
    true: 'translations: [{ device: nic, iova: 0x5123, to: 0x9123 }, { device: nic, iova: 0x6000, fault: not-present }]',
    false: 'translations: [{ device: nic, iova: 0x5123, to: 0x5123 }]',
    what: 'translations[0].to',
    expected: 'to 0x5123',
    actual: 'to 0x9123, from 0x5123',
  },
  {
    name: 'translations that are refused',
    steps: '- attach: { device: nic, to: blocked }',
    true: 'translations: [{ device: nic, iova: 0x5000, fault: process-entry-not-present }]',
    false: 'translations: [{ device: nic, iova: 0x5000 }]',
    what: 'translations[0].to',
    expected: 'translated',
    actual: 'refused: process-entry-not-present, from 0x5000',
  },
  {
    name: 'cached',
    steps: WRITE,
    true: 'cached: [{ iova: 0x5000, stale: false, dirtyDone: true, size: 4K }, { iova: 0x6000, present: false }]',
    false: 'cached: [{ iova: 0x6000 }]',
    what: 'cached[0].present',
    expected: 'yes',
    actual: 'no, at 0x6000',
  },
  {
    name: 'cached and stale',
    steps: '- dma: { iova: 0x7000 }\n- unmap: { iova: 0x7000, length: 4K, through: tables }',
    machine: NO_FLUSH,
    true: 'cached: [{ iova: 0x7000, stale: true }]',
    false: 'cached: [{ iova: 0x7000, stale: false }]',
    what: 'cached[0].stale',
    expected: 'no',
    actual: 'yes: Memory refuses this page now: not-present, at 0x7000',
  },
  {
    name: 'dirty ranges',
    steps: `${WRITE}\n- dma: { iova: 0x6000 }\n- readDirty: {}`,
    true: 'dirty: { ranges: [{ start: 0x5000, end: 0x6000 }, { start: 0x6000, end: 0x7000 }], pages: 2 }',
    false: 'dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] }',
    what: 'dirty.ranges',
    expected: '0x5000 to 0x6000',
    actual: '0x5000 to 0x7000',
  },
  {
    name: 'dirty addresses',
    steps: `${WRITE}\n- readDirty: {}`,
    true: 'dirty: { holds: [0x5fff], lacks: [0x6000] }',
    false: 'dirty: { holds: [0x5000, 0x6000] }',
    what: 'dirty.holds',
    expected: 'reported: 0x5000, 0x6000',
    actual: 'not reported: 0x6000',
  },
  {
    name: 'addresses that are not dirty',
    steps: `${WRITE}\n- readDirty: {}`,
    true: 'dirty: { lacks: [0x4000] }',
    false: 'dirty: { lacks: [0x5000] }',
    what: 'dirty.lacks',
    expected: 'not reported: 0x5000',
    actual: 'reported: 0x5000',
  },
  {
    name: 'how many pages are dirty',
    steps: `${WRITE}\n- readDirty: {}`,
    true: 'dirty: { pages: 1 }',
    false: 'dirty: { pages: 3 }',
    what: 'dirty.pages',
    expected: '3 pages',
    actual: '1 page: 0x5000',
  },
  {
    name: 'written',
    steps: `${WRITE}\n- dma: { iova: 0x5800 }`,
    true: 'written: 4K',
    false: 'written: 8K',
    what: 'written',
    expected: '8K',
    actual: '4K',
  },
  {
    name: 'reported and over',
    steps: '- dma: { iova: 0x200000 }\n- readDirty: {}',
    domain: LARGE,
    true: 'reported: 2M',
    false: 'reported: { atMost: 4K }',
    what: 'reported',
    expected: 'at most 4K',
    actual: '2M',
  },
  {
    name: 'over',
    steps: '- dma: { iova: 0x200000 }\n- readDirty: {}',
    domain: LARGE,
    true: 'over: 2044K',
    false: 'over: 0',
    what: 'over',
    expected: '0',
    actual: '2044K',
  },
  {
    name: 'requests',
    steps: '- dma: { iova: 0x5000, count: 3 }',
    true: 'requests: 3',
    false: 'requests: { atLeast: 4, atMost: 5 }',
    what: 'requests',
    expected: '4 requests to 5 requests',
    actual: '3 requests',
  },
  {
    name: 'refused',
    steps: '- dma: { iova: 0x40000000, refused: not-present }',
    true: 'refused: 1',
    false: 'refused: 0',
    what: 'refused',
    expected: '0 requests',
    actual: '1 request',
  },
  {
    name: 'counters',
    steps: '- dma: { iova: 0x5000, count: 3 }\n- wait: { cycles: 1000000 }',
    true: 'counters: { iommu0: { requests: 3, faults: 0 }, machine: { cycles: { atLeast: 1000000 } } }',
    false: 'counters: { iommu0: { hits: 3 } }',
    what: 'counters.iommu0.hits',
    expected: '3',
    actual: '0',
  },
  {
    name: 'counters that there are not',
    steps: WRITE,
    true: 'counters: {}',
    false: 'counters: { iommu7: { hits: 3 } }',
    what: 'counters.iommu7',
    expected: 'one of iommu0, machine',
    actual: '"iommu7"',
  },
  {
    name: 'whether a migration converges',
    steps: '- migrate: { link: 100Gbps }',
    true: 'migration: { converged: true, rounds: { atLeast: 1 }, blackout: { atMost: 300ms }, lost: 0, sent: { atLeast: 16M } }',
    false: 'migration: { converged: false }',
    what: 'migration.converged',
    expected: 'no',
    actual: /^yes: /,
  },
  {
    name: 'figures of a migration',
    steps: '- migrate: { link: 16MB/s, downtimeLimit: 1ms }',
    true: 'migration: { total: { atLeast: 1s, atMost: 1.1s }, amplification: 1 }',
    false: 'migration: { total: { atMost: 500ms } }',
    what: 'migration.total',
    expected: 'at most 500 ms',
    actual: '1.049 s',
  },
];

describe('what scenarios expect', () => {
  for (const { name, steps, true: right, false: wrong, what, expected, actual, domain, machine } of TWINS) {
    it(`${name}: comes true, and its twin does not`, () => {
      const text = (of: string) => withSteps(`steps:\n${steps}\nexpect: { ${of} }`, domain, machine);
      assert.deepEqual(failuresOf(runText(text(right)).outcome), []);
      const { outcome } = runText(text(wrong));
      const [failure, ...more] = outcome.failures;
      assert.ok(failure, 'it came true');
      assert.deepEqual(more, []);
      assert.equal(outcome.passed, false);
      const line = FIRST_LINE + steps.split('\n').length + 1;
      assert.deepEqual(
        { line: failure.line, what: failure.what, expected: failure.expected },
        { line, what, expected },
      );
      if (typeof actual === 'string') assert.equal(failure.actual, actual);
      else assert.match(failure.actual, actual);
      assert.ok(failure.start < failure.end && failure.end <= text(wrong).length);
    });
  }
});
