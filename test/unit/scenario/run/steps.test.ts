import assert from 'node:assert/strict';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { ACTIONS } from '../../../../src/scenario/language/schema/steps';
import { fails, FIRST_LINE, passes, withSteps } from './bench';

interface Case {
  readonly steps: string;
  /** Kinds of the operations that were done. */
  readonly kinds: readonly MachineOperation['kind'][];
  readonly domain?: string;
  readonly machine?: string;
  readonly device?: string;
}

const TWO_SIZES = 'pages: [4K, 2M], dirtyTracking: on';
const CPU = ', cpu: { vcpus: 2 }';
const PARENT = 'pages: [4K], nestParent: true';
const GUEST = '- guest: { name: os }';
const VIOMMU = '- viommu: { name: v }';

/** A step of each kind, that comes to what is expected. */
const CASES: Readonly<Record<string, Case>> = {
  dma: {
    steps:
      '- dma: [{ iova: 0x5000, lands: 0x5000 }, { iova: 0x9000, count: 2, access: read }, { iova: 0x2000000, refused: not-present }, { iova: 0x2000000, mayBeRefused: true }, { iova: 0x6000, mayBeRefused: true, lands: 0x6000 }]\n- expect: { requests: 6, refused: 2 }',
    kinds: ['dma'],
  },
  traffic: {
    steps:
      '- traffic: { requests: 25000, traffic: { kind: descriptor-ring } }\n- traffic: { cycles: 1000, traffic: { kind: descriptor-ring, interval: 10 } }\n- expect: { requests: 25100 }',
    kinds: ['traffic', 'traffic', 'traffic'],
  },
  map: {
    steps:
      '- unmap: { iova: 0x0, length: 16M }\n- map: { iova: 0x40000000, length: 8K, to: 0x3000 }\n- dma: { iova: 0x40001000, lands: 0x4000 }',
    kinds: ['unmap', 'map', 'dma'],
  },
  unmap: {
    steps:
      '- unmap: { iova: 0x5000, length: 4K, through: tables, more: [{ iova: 0x8000, length: 4K }], flush: everything }\n- expect: { entries: [{ iova: 0x5000, present: false }, { iova: 0x8000, present: false }, { iova: 0x6000, present: true }] }',
    kinds: ['unmap'],
  },
  split: {
    steps:
      '- split: { size: 4K }\n- expect: { entries: [{ iova: 0x0, size: 4K }, { iova: 0xfff000, size: 4K }] }',
    kinds: ['split'],
    domain: TWO_SIZES,
  },
  collapse: {
    steps:
      '- split: { size: 4K }\n- collapse: { size: 2M }\n- expect: { entries: [{ iova: 0x0, size: 2M }] }',
    kinds: ['split', 'collapse'],
    domain: TWO_SIZES,
  },
  dirtyTracking: {
    steps:
      '- dma: { iova: 0x5000 }\n- dirtyTracking: { enable: true }\n- dma: { iova: 0x6000 }\n- readDirty: {}\n- expect: { lost: 0, dirty: { ranges: [{ start: 0x6000, end: 0x7000 }] } }',
    kinds: ['dma', 'setDirtyTracking', 'dma', 'readDirty'],
    domain: 'pages: [4K], dirtyTracking: off',
  },
  readDirty: {
    steps:
      '- dma: { iova: 0x5000 }\n- readDirty: { iova: 0x0, length: 64K, pageSize: 8K, clear: false }\n- expect: { dirty: { ranges: [{ start: 0x4000, end: 0x6000 }], pages: 1 } }',
    kinds: ['dma', 'readDirty'],
  },
  copy: {
    steps:
      '- dma: { iova: 0x5000 }\n- copy: everything\n- dma: { iova: 0x6000 }\n- expect: { lostAt: [0x6000] }\n- copy: { address: 0x6000, length: 4K }\n- expect: { lost: 0 }',
    kinds: ['dma', 'copy', 'dma', 'copy'],
    domain: 'pages: [4K]',
  },
  invalidate: {
    steps:
      '- dma: { iova: 0x5000 }\n- invalidate: {}\n- expect: { cached: [{ iova: 0x5000, present: false }] }',
    kinds: ['dma', 'invalidate'],
  },
  attach: {
    steps:
      '- attach: { device: nic, to: blocked }\n- dma: { iova: 0x5000, refused: process-entry-not-present }\n- attach: { device: nic, to: vm }\n- dma: { iova: 0x5000, lands: 0x5000 }',
    kinds: ['attach', 'dma', 'attach', 'dma'],
  },
  createDomain: {
    steps:
      '- createDomain: { name: other, pages: [4K] }\n- map: { domain: other, iova: 0x5000, length: 4K, to: 0x9000 }\n- attach: { device: nic, to: other }\n- dma: { iova: 0x5000, lands: 0x9000 }',
    kinds: ['createDomain', 'map', 'attach', 'dma'],
  },
  evict: {
    steps:
      '- dma: { iova: 0x5000 }\n- evict: { cache: iotlb }\n- expect: { cached: [{ iova: 0x5000, present: false }] }',
    kinds: ['dma', 'evict'],
  },
  writeWord: {
    steps: '- writeWord: { address: 0x100000ff8, word: 0xffffffffffffffff }',
    kinds: ['writeWord'],
  },
  cpu: {
    steps:
      '- cpu: { vcpu: 1, address: 0x5000 }\n- harvestCpu: {}\n- expect: { dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] } }',
    kinds: ['cpu', 'harvestCpu'],
    machine: CPU,
  },
  hostWrite: {
    steps: '- hostWrite: { by: loader, address: 0x5000 }\n- expect: { lost: 1 }',
    kinds: ['hostWrite'],
    machine: ', cpu: { logsHostWriters: false }',
  },
  zap: {
    steps:
      '- cpu: { address: 0x5000 }\n- zap: { address: 0x5000, length: 4K, reason: mmu-notifier }\n- expect: { lostAt: [0x5000] }',
    kinds: ['cpu', 'zap'],
    machine: ', cpu: { harvestsOnZap: false }',
  },
  harvestCpu: {
    steps: '- cpu: { address: 0x5000 }\n- expect: { lost: 0 }\n- harvestCpu: {}\n- expect: { lost: 0 }',
    kinds: ['cpu', 'harvestCpu'],
    machine: CPU,
  },
  deviceState: {
    steps: '- deviceState: { device: nic, state: STOP }\n- dma: { iova: 0x5000, refused: device-stopped }',
    kinds: ['deviceState', 'dma'],
    device: ', vfio: { model: hisi-acc }',
  },
  dmaLog: {
    steps:
      '- dmaLog: { device: nic, action: start, ranges: [{ iova: 0x0, length: 16M }] }\n- dma: { iova: 0x5000 }\n- dmaLog: { device: nic, action: read }\n- expect: { dirty: { pages: 1, holds: [0x5000] } }',
    kinds: ['dmaLog', 'dma', 'dmaLog'],
    domain: 'pages: [4K]',
    device: ', log: {}',
  },
  type1: {
    steps:
      '- type1: { action: map, iova: 0x0, length: 16M }\n- type1: { action: attach, group: g }\n- type1: { action: startLogging }\n- type1: { action: report }\n- expect: { dirty: { pages: 4096 } }',
    kinds: ['type1', 'type1', 'type1', 'type1'],
    machine: ', type1: { populates: ahead }',
  },
  guest: {
    steps: `${GUEST}\n- guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x5000 }\n- attach: { device: nic, to: os }\n- dma: { iova: 0x201000, lands: 0x5000 }`,
    kinds: ['createGuest', 'guestMap', 'attach', 'dma'],
    domain: PARENT,
  },
  guestMap: {
    steps: `${GUEST}\n- guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x5000, permission: R }\n- attach: { device: nic, to: os }\n- dma: { iova: 0x201000, refused: write-denied }`,
    kinds: ['createGuest', 'guestMap', 'attach', 'dma'],
    domain: PARENT,
  },
  guestUnmap: {
    steps: `${GUEST}\n- guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x5000 }\n- attach: { device: nic, to: os }\n- guestUnmap: { guest: os, iova: 0x201000, length: 4K }\n- dma: { iova: 0x201000, refused: not-present }`,
    kinds: ['createGuest', 'guestMap', 'attach', 'guestUnmap', 'dma'],
    domain: PARENT,
  },
  guestInvalidate: {
    steps: `${GUEST}\n- guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x5000 }\n- attach: { device: nic, to: os }\n- dma: { iova: 0x201000 }\n- guestUnmap: { guest: os, iova: 0x201000, length: 4K, invalidate: false }\n- dma: { iova: 0x201000, lands: 0x5000 }\n- guestInvalidate: { guest: os }\n- dma: { iova: 0x201000, refused: not-present }`,
    kinds: ['createGuest', 'guestMap', 'attach', 'dma', 'guestUnmap', 'dma', 'guestInvalidate', 'dma'],
    domain: PARENT,
  },
  viommu: {
    steps: `${VIOMMU}\n- guest: { name: os, viommu: v }`,
    kinds: ['createVirtualIommu', 'createGuest'],
    domain: PARENT,
    machine: '-smmu',
  },
  vdevice: {
    steps: `${VIOMMU}\n- vdevice: { viommu: v, device: nic, id: 0x5 }`,
    kinds: ['createVirtualIommu', 'createVirtualDevice'],
    domain: PARENT,
    machine: '-smmu',
  },
  guestCommands: {
    steps: `${VIOMMU}\n- vdevice: { viommu: v, device: nic, id: 0x5 }\n- guest: { name: os, viommu: v }\n- guestCommands: { viommu: v, commands: [{ name: CMD_TLBI_NSNH_ALL }] }`,
    kinds: ['createVirtualIommu', 'createVirtualDevice', 'createGuest', 'guestCommands'],
    domain: PARENT,
    machine: '-smmu',
  },
  command: {
    steps:
      '- dma: { iova: 0x5000 }\n- command: { name: iotlb, fields: { G: 1 } }\n- expect: { cached: [{ iova: 0x5000, present: false }] }',
    kinds: ['dma', 'command'],
  },
  wait: {
    steps: '- wait: { cycles: 1000 }\n- expect: { counters: { machine: { cycles: { atLeast: 1000 } } } }',
    kinds: [],
  },
  expect: { steps: '- expect: { clean: true }', kinds: [] },
  migrate: {
    steps: '- migrate: { link: 100Gbps, by: model }\n- expect: { migration: { converged: true } }',
    kinds: [],
  },
  repeat: {
    steps:
      '- repeat: { times: 3, steps: [{ dma: { iova: 0x5000 } }, { readDirty: {} }] }\n- expect: { requests: 3 }',
    kinds: ['dma', 'readDirty', 'dma', 'readDirty', 'dma', 'readDirty'],
  },
  during: {
    steps:
      '- during: { step: { split: { iova: 0x200000, length: 2M, size: 4K } }, moments: [{ after: 0, steps: [{ repeat: { times: 2, steps: [{ dma: { iova: 0x203000, lands: 0x203000 } }] } }] }] }\n- expect: { requests: 2 }',
    kinds: ['during'],
    domain: TWO_SIZES,
  },
};

/** The text of a case; vIOMMUs are of another vendor. */
function textOf({ steps, domain, machine = '', device = '' }: Case): string {
  const isSmmu = machine === '-smmu';
  const text = withSteps(`steps:\n${steps}`, domain, isSmmu ? '' : machine);
  const of = isSmmu ? text.replace('vendor: vt-d', 'vendor: smmuv3, tables: stage2-4k') : text;
  return of.replace('requester: 00:02.0', `requester: 00:02.0${device}`);
}

describe('steps of scenarios', () => {
  for (const [action, each] of Object.entries(CASES)) {
    it(`${action}: does what it says`, () => {
      const { operations } = passes(textOf(each));
      assert.deepEqual(
        operations.map(({ kind }) => kind),
        each.kinds,
      );
    });
  }

  it('are all looked at here', () => {
    const missing = ACTIONS.filter((action) => !Object.hasOwn(CASES, action) && action !== 'replay');
    assert.deepEqual(missing, []);
  });

  it('replay: sends the requests of a file, of whichever devices', () => {
    const lines = [
      { sid: '00:02.0', iova: '0x5000', length: 8, access: 'write' },
      { sid: 16, iova: 0x6000, access: 'read' },
      { sid: '00:03.0', iova: 0x7000, access: 'read' },
    ];
    const bytes = Buffer.from(`# a comment\n${lines.map((line) => JSON.stringify(line)).join('\n')}\n\n`);
    const files = new Map([['a.jsonl', new Uint8Array(bytes)]]);
    const text = (refused: string) =>
      withSteps(`steps:\n- replay: { file: a.jsonl${refused} }\nexpect: { requests: 3 }`);
    passes(text(', refused: 1'), { files });
  });

  it('dma that is refused fails, and names address and fault', () => {
    fails(
      withSteps('steps:\n- dma: { iova: 0x2000000, count: 2 }'),
      FIRST_LINE + 1,
      'dma',
      'lands',
      'refused at 0x2000000: not-present, and 1 more',
    );
  });

  it('dma of many requests fails once, at the first address that is refused', () => {
    // 16M / 768: request 21,846 is the first that begins beyond memory.
    fails(
      withSteps(
        'steps:\n- dma: [{ iova: 0x5000 }, { iova: 0x0, count: 30000, stride: 768 }, { iova: 0x6000 }]',
      ),
      FIRST_LINE + 1,
      'dma[1]',
      'lands',
      'refused at 0x1000200: not-present, and 8,153 more',
    );
  });

  it('dma that is refused is seen behind any number that may be', () => {
    fails(
      withSteps('steps:\n- dma: [{ iova: 0x2000000, count: 1500, mayBeRefused: true }, { iova: 0x2000000 }]'),
      FIRST_LINE + 1,
      'dma[1]',
      'lands',
      'refused at 0x2000000: not-present',
    );
  });

  it('dma that lands although it should be refused, or elsewhere, fails', () => {
    fails(
      withSteps('steps:\n- dma: { iova: 0x5000, refused: not-present }'),
      FIRST_LINE + 1,
      'dma.refused',
      'refused: not-present',
      'lands at 0x5000',
    );
    fails(
      withSteps('steps:\n- dma: [{ iova: 0x4000 }, { iova: 0x5000,\n   lands: 0x6000 }]'),
      FIRST_LINE + 2,
      'dma[1].lands',
      'lands at 0x6000',
      'lands at 0x5000',
    );
  });

  it('what the driver refuses fails, and nothing after it is done', () => {
    const { operations } = fails(
      withSteps('steps:\n- map: { iova: 0x0, length: 4K }\n- dma: { iova: 0x5000 }\nexpect: { lost: 5 }'),
      FIRST_LINE + 1,
      'map',
      'done',
      'EEXIST: a part of the range is mapped already.',
    );
    assert.equal(operations.length, 1);
  });

  it('what the driver refuses as it should goes on; as it should not, it fails', () => {
    passes(withSteps('steps:\n- { map: { iova: 0x0, length: 4K }, errno: EEXIST }\n- dma: { iova: 0x5000 }'));
    fails(
      withSteps('steps:\n- map: { iova: 0x40000000, length: 4K, to: 0x0 }\n  errno: EEXIST'),
      FIRST_LINE + 2,
      'errno',
      'EEXIST',
      'done: Mapped 4K at 0x40000000 to guest physical 0x0, RW.',
    );
  });

  it('steps of moments are judged each time that they come', () => {
    const steps = (lands: string) =>
      `steps:\n- during:\n    step: { split: { iova: 0x200000, length: 2M, size: 4K } }\n    moments:\n    - after: 1\n      steps:\n      - dma: { iova: 0x203000, lands: ${lands} }\n      - { map: { iova: 0x0, length: 4K }, errno: EEXIST }`;
    passes(withSteps(steps('0x203000'), TWO_SIZES));
    fails(
      withSteps(steps('0x5000'), TWO_SIZES),
      FIRST_LINE + 6,
      'during.moments[0].steps[0].dma.lands',
      'lands at 0x5000',
      'lands at 0x203000',
    );
  });

  it('traffic goes on from where it was, and the same again is the same', () => {
    const once = passes(withSteps('steps:\n- traffic: { requests: 200, traffic: { kind: nvme } }'));
    const twice = passes(
      withSteps(
        'steps:\n- repeat: { times: 2, steps: [{ traffic: { requests: 100, traffic: { kind: nvme } } }] }',
      ),
    );
    assert.deepEqual(once.outcome.dirty, twice.outcome.dirty);
    const skips = twice.operations.map((each) => (each.kind === 'traffic' ? (each.skip ?? 0) : -1));
    assert.deepEqual(skips, [0, 100]);
  });

  it('traffic of a trace sends what the device’s lines say', () => {
    const line = (sid: string, iova: string) => JSON.stringify({ sid, iova, length: 64, access: 'write' });
    const bytes = Buffer.from(
      [line('00:02.0', '0x5000'), line('00:09.0', '0x9000'), line('00:02.0', '0x6000')].join('\n'),
    );
    const files = new Map([['t.jsonl', new Uint8Array(bytes)]]);
    const text = withSteps(
      'steps:\n- traffic: { requests: 5, traffic: { kind: trace, file: t.jsonl } }\n- readDirty: {}\nexpect: { dirty: { ranges: [{ start: 0x5000, end: 0x7000 }] } }',
    );
    passes(text, { files });
    fails(text, FIRST_LINE + 1, 'traffic.traffic', 'the file t.jsonl', 'it was not found');
  });
});
