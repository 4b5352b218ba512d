import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { tableChoices } from '../../../../src/engine/machine/tableChoices';
import { Bench, DEVICE, dma } from './bench';
import { GUEST_PAGE, GuestBench, IOVA, KINDS, PARENTS } from './guestBench';

const DEVICES = [{ requester: DEVICE, attached: false }];

/** A page of the guest's, 64K long, that moves to another place: where writes land before, after and once it is told. */
function moves(bench: Bench, tables?: string, more: { iommu?: string; sid?: string } = {}): unknown[] {
  const { iommu, sid = DEVICE } = more;
  const made = bench.does({
    ...{ kind: 'createGuest', parent: bench.domain },
    ...(tables === undefined ? {} : { tables }),
    ...(iommu === undefined ? {} : { iommu }),
  });
  const guest = made.counts['domain'] ?? -1;
  const of = { guest, iova: IOVA, length: '64K' } as const;
  const write = () => bench.does(dma('0x40203040', 'write', { sid })).landed?.[0]?.address;
  bench.does({ kind: 'guestMap', ...of, to: '0x300000', permission: 'RW' });
  bench.does({ kind: 'attach', requester: sid, to: guest });
  const before = write();
  bench.does({ kind: 'guestUnmap', ...of });
  bench.does({ kind: 'guestMap', ...of, to: '0x400000', permission: 'RW' });
  const untold = write();
  bench.does({ kind: 'guestInvalidate', ...of });
  return [before, untold, write(), bench.findings];
}
const MOVED = ['0x303040', '0x303040', '0x403040', []];

function specOf(vendor: EmulatedKind, tables = PARENTS[vendor]) {
  return {
    ...{ vendor, tables, nestParent: true, devices: DEVICES },
    mapping: { what: 'guest', pages: [] },
  } as const;
}

describe('guests of every form', () => {
  for (const vendor of KINDS) {
    const choices = tableChoices(vendor);
    const forms = choices.filter(({ stage }) => stage === 1).map(({ id }) => id);
    for (const parent of choices.filter(({ stage }) => stage === 2).map(({ id }) => id)) {
      it(`${vendor}: ${forms.join(', ')} over ${parent}`, () => {
        for (const tables of forms)
          assert.deepEqual(moves(new Bench(specOf(vendor, parent)), tables), MOVED, tables);
      });
    }
  }

  it('where IOMMUs do not snoop: what the guest writes is cleaned', () => {
    for (const [vendor, capabilities] of [
      ['vt-d', { coherentScalable: false }],
      ['riscv', { coherent: false }],
    ] as const)
      assert.deepEqual(moves(new Bench({ ...specOf(vendor), capabilities })), MOVED, vendor);
  });

  it('where hardware sets no marks: entries are made with them', () => {
    assert.deepEqual(moves(new Bench({ ...specOf('riscv'), capabilities: { hardwareMarks: false } })), MOVED);
    assert.deepEqual(moves(new Bench({ ...specOf('smmuv3'), capabilities: { httu: 0 } })), MOVED);
  });

  it('behind either of two IOMMUs', () => {
    const devices = [...DEVICES, { requester: '00:03.0', attached: false }];
    for (const vendor of KINDS) {
      const bench = new Bench({ ...specOf(vendor), iommus: 2, devices });
      assert.deepEqual(moves(bench, undefined, { iommu: 'iommu1', sid: '00:03.0' }), MOVED, vendor);
      const other = bench.does({ kind: 'createGuest', parent: bench.domain }).counts['domain'] ?? -1;
      assert.equal(bench.asks({ kind: 'attach', requester: '00:03.0', to: other }).errno, 'EINVAL');
    }
  });

  it('that use pages of some sizes only', () => {
    const bench = new Bench(specOf('vt-d'));
    const made = bench.does({ kind: 'createGuest', parent: bench.domain, pages: ['4K'] });
    const guest = made.counts['domain'] ?? -1;
    const of = { guest, iova: IOVA, length: '2M', to: '2M', permission: 'RW' } as const;
    bench.does({ kind: 'guestMap', ...of });
    const sizes = bench.machine.guests.get(guest)?.tables.sizes.map(({ shift }) => shift);
    assert.deepEqual(sizes, [12]);
  });
});

describe('guests of machines', () => {
  it('are told apart among the attachments, and counted for what is lost', () => {
    const bench = new GuestBench('vt-d', { driverFaults: ['no-ssade-for-nested'] });
    bench.attach();
    bench.track();
    bench.write();
    assert.deepEqual(
      bench.machine.devices.map(({ to }) => to),
      [bench.guest],
    );
    const pages = bench.machine.lostPages()?.map(({ startPage }) => startPage);
    assert.ok(pages?.includes(0x333), String(pages));
    assert.deepEqual(new GuestBench('vt-d').machine.lostPages(), undefined);
  });

  it('leave nothing when hardware refuses them', () => {
    const bench = new Bench({
      ...{ vendor: 'amd-vi', tables: 'v1', nestParent: true, devices: DEVICES },
      capabilities: { gcr3AtGuestAddress: false },
    });
    const create = { kind: 'createGuest', parent: bench.domain } as const;
    assert.equal(bench.asks(create).errno, 'EOPNOTSUPP');
    assert.deepEqual(bench.machine.guests.all, []);
    assert.deepEqual(bench.machine.areasOf(bench.machine.hwpts.get(bench.domain) ?? assert.fail()), []);
    assert.equal(bench.asks(create).errno, 'EOPNOTSUPP');
  });

  it('do not stand where the parent leads elsewhere than their CPUs', () => {
    const bench = new Bench({ ...specOf('vt-d'), mapping: { what: 'none', pages: [] } });
    bench.map('0x200000', '4K', '0x300000');
    const create = { kind: 'createGuest', parent: bench.domain, memory: '2M', memoryLength: '1M' } as const;
    assert.equal(bench.asks(create).errno, 'EINVAL');
    assert.equal(bench.asks({ ...create, memory: '4M' }).errno, undefined);
  });

  it('run out of the memory that they are given, and go on', () => {
    const bench = new Bench(specOf('vt-d'));
    const created = bench.does({ kind: 'createGuest', parent: bench.domain, memoryLength: '32K' });
    const guest = created.counts['domain'] ?? -1;
    const map = (iova: string) =>
      bench.asks({ kind: 'guestMap', guest, iova, length: '4K', to: GUEST_PAGE, permission: 'RW' });
    assert.equal(map('0x40000000').errno, undefined);
    assert.equal(map('0x8000000000').errno, undefined);
    assert.equal(map('0x10000000000').errno, 'ENOMEM');
    const unmap = { kind: 'guestUnmap', guest, iova: '0x40000000', length: '4K' } as const;
    bench.does(unmap);
    assert.equal(map('0x40000000').errno, undefined);
  });

  it('throw at nothing that operations may be', () => {
    const text = fc.oneof(
      fc.constantFrom('0', '4K', '2M', IOVA, '0xffffffffffffffff', '16E', '-1', ''),
      fc.anything(),
    );
    const id = fc.oneof(fc.integer({ min: -1, max: 8 }), fc.anything());
    const command = fc.record(
      {
        name: fc.oneof(fc.constantFrom('CMD_TLBI_NH_VA', 'CMD_SYNC', 'CMD_CFGI_CD'), fc.anything()),
        fields: fc.oneof(fc.dictionary(fc.constantFrom('ASID', 'VMID', 'Address', 'x'), text), fc.anything()),
      },
      { requiredKeys: [] },
    );
    const operation = fc.record(
      {
        kind: fc.constantFrom(
          ...['createGuest', 'guestMap', 'guestUnmap', 'guestInvalidate', 'createVirtualIommu'],
          ...['createVirtualDevice', 'guestCommands', 'command'],
        ),
        ...{ parent: id, guest: id, viommu: id, iova: text, length: text, to: text, memory: text },
        ...{ memoryLength: text, tables: text, pages: fc.oneof(fc.array(text), fc.anything()) },
        ...{ permission: fc.oneof(fc.constant('RW'), fc.anything()), invalidate: fc.boolean() },
        ...{ requester: fc.oneof(fc.constant(DEVICE), text), virtualId: text, hardwareQueue: fc.boolean() },
        ...{ iommu: fc.oneof(fc.constant('iommu0'), fc.anything()), command },
        commands: fc.oneof(fc.array(command, { maxLength: 3 }), fc.anything()),
      },
      { requiredKeys: ['kind'] },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
        const bench = new GuestBench('smmuv3', {}, { viommu: true, hardwareQueue: true });
        for (const each of operations) {
          const { summary } = bench.asks(each as unknown as MachineOperation);
          assert.ok(summary.length > 0);
        }
      }),
      { numRuns: 100 },
    );
  });
});
