import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Machine } from '../../../src/engine/machine/machine';
import { type MachineOperation } from '../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../src/engine/machine/spec';
import { runSteps } from '../../../src/engine/steps';

const SPEC: MachineSpec = {
  version: 1,
  vendor: 'vt-d',
  tables: 'second-stage',
  memory: '1G',
  mapping: { what: 'guest', pages: [] },
  devices: [{ requester: '00:02.0' }],
  dirtyTracking: 'on',
  iommus: 1,
  seed: 1,
};

function machine(): Machine {
  const made = Machine.create(SPEC);
  assert.ok(made.ok);
  assert.ok(runSteps(made.value.setUp()).ok);
  return made.value;
}

describe('a machine', () => {
  it('takes no specification that is none, and throws at none', () => {
    const names = Object.keys(SPEC) as (keyof MachineSpec)[];
    const broken = fc.record({ name: fc.constantFrom(...names), value: fc.anything() });
    fc.assert(
      fc.property(broken, ({ name, value }) => {
        const made = Machine.create({ ...SPEC, [name]: value });
        if (!made.ok) assert.ok(made.failure.message.length > 0);
      }),
      { numRuns: 500 },
    );
  });

  const geometries = [
    { sets: -4, ways: 4 },
    { sets: 0.5, ways: 4 },
    { sets: 4, ways: 1.5 },
    null,
    'x',
    { sets: 2 ** 16, ways: 64 },
  ];
  for (const iotlb of geometries) {
    it(`has no IOTLB of ${JSON.stringify(iotlb)}`, () => {
      const made = Machine.create({ ...SPEC, rules: { iotlb } } as unknown as MachineSpec);
      assert.equal(made.ok ? '' : made.failure.code, 'machine/geometry');
    });
  }

  const refused: readonly (readonly [string, unknown])[] = [
    ['an operation nobody knows', { kind: 'explode' }],
    ['a PASID that is none', { kind: 'attach', requester: '00:02.0', pasid: 0.5, to: 'blocked' }],
    [
      'ATS for a device that was made without',
      { kind: 'attach', requester: '00:02.0', to: 'blocked', ats: true },
    ],
    ['a device that is none', { kind: 'attach', requester: 'disk', to: 'blocked' }],
    ['a domain that is not there', { kind: 'unmap', domain: 99, iova: '0x0', length: '4K' }],
    ['an IOVA that is none', { kind: 'unmap', domain: 4, iova: 'here', length: '4K' }],
    ['a size that is none', { kind: 'split', domain: 4, iova: '0x0', size: '3K' }],
    [
      'a protocol that is none',
      { kind: 'split', domain: 4, iova: '0x0', size: '4K', protocol: 'split.hope' },
    ],
    ['a word between words', { kind: 'writeWord', address: '0x4', word: '0x0' }],
    ['memory that is not there', { kind: 'writeWord', address: '0x8', word: '0x0' }],
    ['an IOMMU that is not there', { kind: 'evict', iommu: 'iommu9', all: true }],
  ];
  for (const [name, operation] of refused) {
    it(`refuses ${name} with an errno`, () => {
      const report = runSteps(machine().perform(operation as MachineOperation));
      assert.ok(report.errno !== undefined, JSON.stringify(report));
      assert.ok(report.summary.length > 1);
    });
  }

  it('counts requests that are none as refused, each with what is wrong', () => {
    const line = { sid: '00:02.0', iova: '0x1000', length: 8, access: 'write' };
    const bad = [
      { ...line, sid: 'x' },
      { ...line, iova: 'y' },
      { ...line, length: 0.5 },
      { ...line, length: 0 },
      { ...line, pasid: 2 ** 40 },
      { ...line, access: 'x' },
      { ...line, iova: '0xffffffffffffffff' },
      { ...line, sid: '00:1f.0' },
    ];
    const report = runSteps(machine().perform({ kind: 'dma', requests: [...bad, line] } as MachineOperation));
    assert.equal(report.counts['landed'], 1);
    assert.deepEqual(
      report.refused?.map(({ index }) => index),
      bad.map((_, index) => index),
    );
  });
});
