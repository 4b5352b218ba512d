import assert from 'node:assert/strict';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { Bench, DEVICE, dma } from './bench';

const RANGE = { iova: '0x0', length: '4K' };

/** One operation of each kind, with every field that it may have; most are refused, and none may throw. */
const OPERATIONS: Readonly<Record<MachineOperation['kind'], object>> = {
  dma: { requests: [{ sid: DEVICE, iova: '0x0', length: 8, access: 'read', pasid: 1 }] },
  traffic: {
    sources: [
      {
        requester: DEVICE,
        pasid: null,
        traffic: { kind: 'rx-ring', memory: { start: '0x0', length: '1M' } },
      },
    ],
    ...{ requests: 4, seed: 1, skip: 0 },
  },
  map: { domain: 3, ...RANGE, paddr: '0x0', permission: 'RW' },
  unmap: {
    ...{ domain: 3, ...RANGE, more: [RANGE], through: 'tables', flush: 'gathered' },
    protocol: 'unmap.xchg-report',
  },
  split: { domain: 3, ...RANGE, size: '4K', protocol: 'split.cut-2024' },
  collapse: { domain: 3, ...RANGE, size: '2M', protocol: 'collapse.or-cas' },
  setDirtyTracking: { domain: 3, enable: true },
  readDirty: { domain: 3, ...RANGE, pageSize: '4K', clear: true, bitmapOffset: 8 },
  invalidate: { domain: 3, ...RANGE },
  attach: { requester: DEVICE, pasid: null, to: 3, ats: false },
  createDomain: { dirtyTracking: false, nestParent: false, tables: 'second-stage', pages: ['4K'] },
  evict: { iommu: 'iommu0', all: true, cache: 'iotlb' },
  writeWord: { address: '0x2000000000', word: '0x1' },
  createGuest: {
    ...{ parent: 3, tables: 'first-stage', memory: '0x0', memoryLength: '1M', pages: ['4K'] },
    ...{ viommu: 1, iommu: 'iommu0' },
  },
  guestMap: { guest: 9, ...RANGE, to: '0x0', permission: 'R' },
  guestUnmap: { guest: 9, ...RANGE, invalidate: true },
  guestInvalidate: { guest: 9, ...RANGE, command: 'x' },
  createVirtualIommu: { parent: 3, hardwareQueue: false, iommu: 'iommu0' },
  createVirtualDevice: { viommu: 9, requester: DEVICE, virtualId: '0x1' },
  guestCommands: { viommu: 9, commands: [{ name: 'x', fields: { a: 1 } }] },
  command: { iommu: 'iommu0', command: { name: 'x', fields: { a: 1 } } },
  cpu: { accesses: [{ vcpu: 0, address: '0x0', length: 8, access: 'read' }] },
  hostWrite: { by: 'vhost', address: '0x0', length: '8' },
  zap: { address: '0x0', length: '4K', reason: 'balloon' },
  harvestCpu: {},
  copy: { what: 'range', address: '0x0', length: '4K' },
  deviceState: { requester: DEVICE, state: 'STOP' },
  dmaLog: { requester: DEVICE, action: 'start', ranges: [RANGE] },
  type1: { action: 'map', group: 'nic', pins: false, ...RANGE },
  during: { operation: dma('0x0'), moments: [{ after: 1, operations: [dma('0x0')] }], holdsCommands: false },
};

const ODD: readonly unknown[] = [
  ...[null, true, 0, -1, 0.5, NaN, 1e300, 2n, '', 'x', '0x0', '-1', '0xffffffffffffffff'],
  ...[[], [null], [[]], ['x'], [{}], {}, { kind: 'x' }, () => 1],
];

const bench = (): Bench =>
  new Bench({
    ...{ mapping: { what: 'guest', pages: [] }, dirtyTracking: 'on', nestParent: true, type1: {} },
    devices: [{ requester: DEVICE, vfio: { model: 'hisi-acc' }, log: {} }],
    cpu: { vcpus: 1, logging: 'dirty-bits', logsHostWriters: true, harvestsOnZap: true },
  });

describe('Operations as any JSON', () => {
  for (const [kind, fields] of Object.entries(OPERATIONS)) {
    it(`of kind ${kind} never throw`, () => {
      const one = bench();
      const ask = (operation: object): string | undefined => {
        const report = one.asks({ kind, ...operation } as unknown as MachineOperation);
        assert.equal(typeof report.summary, 'string');
        return report.errno;
      };
      ask(fields);
      assert.equal(ask({ ...fields, nothing: 1 }), 'EINVAL');
      for (const name of Object.keys(fields)) {
        for (const value of ODD) ask({ ...fields, [name]: value });
        const { [name as keyof typeof fields]: _gone, ...rest } = fields;
        ask(rest);
      }
    });
  }

  it('say what is missing, unknown, or cannot be', () => {
    const one = bench();
    const said = (operation: unknown): string => one.asks(operation as MachineOperation).summary;
    assert.equal(said({ kind: 'map' }), 'map: "domain" is missing.');
    assert.equal(said({ kind: 'harvestCpu', all: true }), 'harvestCpu has no "all".');
    assert.equal(
      said({ kind: 'setDirtyTracking', domain: '3', enable: true }),
      'setDirtyTracking: "domain" cannot be "3".',
    );
    assert.match(said({ kind: 'fly' }), /^"fly" is no operation; there are dma, /);
    for (const none of [null, undefined, 5, [], 'dma']) assert.match(said(none), /is an object with a kind/);
  });
});
