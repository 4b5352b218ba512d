import assert from 'node:assert/strict';
import { type CommandText } from '../../../../src/engine/machine/operations/nestingTypes';
import { DEVICE } from './bench';
import { GUEST_PAGE, GuestBench, IOVA, OTHER_PAGE } from './guestBench';

/** What the guest calls its device. */
const VIRTUAL_ID = '0x99';

function guestWith(vendor: 'smmuv3' | 'amd-vi', hardwareQueue: boolean, ats = false) {
  const devices = [{ requester: DEVICE, attached: false, ats }];
  const bench = new GuestBench(vendor, { devices }, { viommu: true, hardwareQueue });
  const { viommu = -1 } = bench;
  bench.does({ kind: 'createVirtualDevice', viommu, requester: DEVICE, virtualId: VIRTUAL_ID });
  bench.attach();
  const send = (...commands: readonly CommandText[]) =>
    bench.asks({ kind: 'guestCommands', viommu, commands });
  return { bench, viommu, send };
}

const space = 1;
const vaOf = (ASID: number, VMID = 0): CommandText => ({
  name: 'CMD_TLBI_NH_VA',
  fields: { ASID, VMID, Address: IOVA, Leaf: true },
});

describe('vIOMMUs of machines', () => {
  for (const hardwareQueue of [false, true]) {
    const how = hardwareQueue ? 'hardware, from a queue of the guest’s' : 'the kernel';

    it(`smmuv3: ${how} takes a guest’s commands with its own ids`, () => {
      const { bench, send } = guestWith('smmuv3', hardwareQueue);
      assert.equal(bench.write(), GUEST_PAGE);
      bench.move();
      assert.deepEqual(send(vaOf(space + 1)).counts, { commands: 1 });
      assert.equal(bench.write(), GUEST_PAGE, 'another ASID');
      // The VMID is the host’s, whatever the guest says.
      assert.deepEqual(send(vaOf(space, 0x55)).counts, { commands: 1 });
      assert.equal(bench.write(), OTHER_PAGE);
    });

    it(`smmuv3: ${how} stops at what is not for guests, and goes on after it`, () => {
      const { bench, send } = guestWith('smmuv3', hardwareQueue);
      bench.write();
      bench.move();
      const refused = send(vaOf(space), { name: 'CMD_TLBI_S12_VMALL', fields: { VMID: 1 } }, vaOf(space));
      assert.deepEqual([refused.errno, refused.counts], ['EIO', { commands: 1 }]);
      assert.match(refused.summary, /CMD_TLBI_S12_VMALL|0x28/);
      assert.equal(bench.write(), OTHER_PAGE);
      assert.equal(send(vaOf(space)).errno, undefined);
    });

    it(`smmuv3: ${how} knows the guest’s devices only`, () => {
      const { bench, send } = guestWith('smmuv3', hardwareQueue, true);
      bench.write();
      bench.move();
      const invalidate = (StreamID: string): CommandText => ({
        name: 'CMD_ATC_INV',
        fields: { StreamID, Address: IOVA, Size: 0 },
      });
      assert.equal(send(vaOf(space)).errno, undefined);
      assert.equal(bench.write(), GUEST_PAGE, 'the device has a TLB');
      assert.equal(send(invalidate('0x10')).errno, 'EIO');
      assert.equal(send(invalidate(VIRTUAL_ID)).errno, undefined);
      assert.equal(bench.write(), OTHER_PAGE);
    });
  }

  for (const ats of [false, true]) {
    it(`the guest invalidates by itself through either${ats ? ', also what its device holds' : ''}`, () => {
      for (const [vendor, hardwareQueue] of [
        ['smmuv3', false],
        ['smmuv3', true],
        ['amd-vi', true],
      ] as const) {
        const { bench } = guestWith(vendor, hardwareQueue, ats);
        bench.write();
        bench.move();
        assert.equal(bench.write(), GUEST_PAGE);
        bench.does({ kind: 'guestInvalidate', guest: bench.guest, iova: IOVA });
        assert.equal(bench.write(), OTHER_PAGE, vendor);
      }
    });
  }

  it('amd-vi: a guest’s domain ids go through its tables of them; the kernel takes no commands', () => {
    const { bench, send } = guestWith('amd-vi', true);
    bench.write();
    bench.move();
    const pages = (DomainID: number): CommandText => ({
      name: 'INVALIDATE_IOMMU_PAGES',
      fields: { DomainID, GN: true, Address: IOVA },
    });
    assert.equal(send(pages(0x1234)).errno, 'EIO');
    assert.equal(bench.write(), GUEST_PAGE);
    assert.equal(send(pages(space)).errno, undefined);
    assert.equal(bench.write(), OTHER_PAGE);
    assert.equal(guestWith('amd-vi', false).send(pages(space)).errno, 'EOPNOTSUPP');
  });

  it('a guest’s queue takes more commands than it has slots', () => {
    const { send } = guestWith('smmuv3', true);
    const many = Array.from({ length: 1000 }, () => vaOf(space));
    assert.deepEqual(send(...many).counts, { commands: 1000 });
  });

  it('a guest’s queue stays mapped', () => {
    const { bench, viommu } = guestWith('smmuv3', true);
    const refused = bench.asks({ kind: 'unmap', domain: bench.domain, iova: '0', length: '16M' });
    assert.equal(refused.errno, 'EBUSY');
    assert.ok(viommu > 0);
  });

  it('refuses what hardware has not, ids that are taken, and commands that are none', () => {
    const { bench, viommu, send } = guestWith('smmuv3', false);
    const again = { kind: 'createVirtualDevice', viommu, requester: DEVICE, virtualId: '0x98' } as const;
    assert.equal(bench.asks(again).errno, 'EEXIST');
    assert.equal(bench.asks({ ...again, requester: '00:1f.0' }).errno, 'ENODEV');
    const unknown = send({ name: 'CMD_NONE', fields: {} });
    assert.equal(unknown.errno, 'EINVAL');
    assert.match(unknown.summary, /there are CMD_PREFETCH_CONFIG, .*CMD_SYNC/);
    const riscv = new GuestBench('riscv');
    assert.equal(riscv.asks({ kind: 'createVirtualIommu', parent: riscv.domain }).errno, 'EOPNOTSUPP');
  });
});

describe('commands of host software', () => {
  it('are submitted by name and fields, and waited for', () => {
    const stories = [
      ['vt-d', 'iotlb', { G: 1 }],
      ['amd-vi', 'INVALIDATE_IOMMU_ALL', {}],
      ['smmuv3', 'CMD_TLBI_NSNH_ALL', {}],
      ['riscv', 'IOTINVAL.VMA', { GV: true, GSCID: 1 }],
    ] as const;
    for (const [vendor, name, fields] of stories) {
      const bench = new GuestBench(vendor);
      bench.attach();
      bench.write();
      bench.move();
      assert.equal(bench.write(), GUEST_PAGE);
      assert.equal(bench.command(name, fields).errno, undefined);
      assert.equal(bench.write(), OTHER_PAGE, vendor);
    }
  });

  const refused = [
    ['a name that there is not', 'IOTINVAL', {}, /there are IOTINVAL\.VMA, .*ATS\.PRGR/],
    ['a field that there is not', 'IOTINVAL.VMA', { ASID: 1 }, /there are AV, PSCID, /],
    ['a value that does not fit', 'IOTINVAL.VMA', { GSCID: '0x10000' }, /GSCID has 16 bits/],
    ['an address within a page', 'IOTINVAL.VMA', { ADDR: '0x800' }, /ADDR is a multiple of 0x1000/],
    ['a number that is none', 'IOTINVAL.VMA', { GSCID: 'one' }, /GSCID is "one"/],
    ['what hardware does not take', 'IOTINVAL.VMA', { NL: true }, /capabilities\.NL is 0/],
    ['what hardware stops at', 'IOTINVAL.GVMA', { PSCV: true }, /PSCV is 1/],
  ] as const;
  for (const [what, name, fields, says] of refused) {
    it(`refuse ${what}, and the queue goes on`, () => {
      const bench = new GuestBench('riscv');
      const report = bench.command(name, fields);
      assert.equal(report.errno, 'EINVAL');
      assert.match(report.summary, says);
      assert.equal(bench.command('IOTINVAL.VMA', {}).errno, undefined);
    });
  }

  it('go to an IOMMU of the machine', () => {
    const bench = new GuestBench('riscv');
    const none = bench.asks({ kind: 'command', iommu: 'iommu7', command: { name: 'IOFENCE.C', fields: {} } });
    assert.equal(none.errno, 'ENODEV');
  });
});
