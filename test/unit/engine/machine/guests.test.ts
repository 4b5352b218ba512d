import assert from 'node:assert/strict';
import { type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { parseInteger } from '../../../../src/engine/values';
import { Bench, DEVICE, dma } from './bench';
import { GUEST_PAGE, GuestBench, IOVA, KINDS, OTHER_PAGE } from './guestBench';

for (const vendor of KINDS) {
  describe(`a guest's tables on ${vendor}`, () => {
    it('lead where both stages say, and nowhere else', () => {
      const bench = new GuestBench(vendor);
      assert.equal(bench.write(), undefined);
      bench.attach();
      assert.equal(bench.write(), GUEST_PAGE);
      assert.equal(bench.write('0x40201000'), undefined);
      // The kernel takes the page away: the guest's own tables still lead there.
      bench.does({ kind: 'unmap', domain: bench.domain, iova: '0', length: '16M' });
      assert.equal(bench.write(), undefined);
      assert.deepEqual(bench.findings, []);
    });

    it('changed without an invalidation still lead to the old page, and not after one', () => {
      const bench = new GuestBench(vendor);
      bench.attach();
      bench.write();
      bench.move();
      assert.equal(bench.write(), GUEST_PAGE);
      const [stale] = [...bench.machine.cached()].filter(({ entry }) => entry.page === 0x40200);
      assert.equal(stale?.stale?.what, 'moved');
      bench.does({ kind: 'guestInvalidate', guest: bench.guest, iova: IOVA });
      assert.equal(bench.write(), OTHER_PAGE);
      bench.does({
        ...{ kind: 'guestUnmap', guest: bench.guest, iova: IOVA, length: '4K', invalidate: true },
      });
      assert.equal(bench.write(), undefined);
    });

    it('are invalidated by every command that guests have, by its name', () => {
      const bench = new GuestBench(vendor);
      const wrong = bench.asks({ kind: 'guestInvalidate', guest: bench.guest, command: 'no such' });
      assert.equal(wrong.errno, 'EINVAL');
      const names = wrong.summary.replace(/.*they have (.*)\.$/, '$1').split(', ');
      assert.ok(names.length >= 2, wrong.summary);
      bench.attach();
      for (const [index, command] of names.entries()) {
        bench.move(index % 2 === 0 ? GUEST_PAGE : OTHER_PAGE);
        bench.does({ kind: 'guestInvalidate', guest: bench.guest, command });
        assert.equal(bench.write(), index % 2 === 0 ? GUEST_PAGE : OTHER_PAGE, command);
      }
    });

    it('are tracked by the parent: what the device writes, and what the walker marks in them', () => {
      const bench = new GuestBench(vendor);
      bench.attach();
      bench.track();
      assert.deepEqual(bench.round(), []);
      bench.write();
      const memory = 0xc00000;
      const told = bench.round();
      assert.ok(told.includes(GUEST_PAGE), told.join());
      // The guest's own tables stand in the last 4M of its memory.
      assert.ok(
        told.some((start) => Number(parseInteger(start)) >= memory),
        told.join(),
      );
      bench.write();
      // Of tables that it only reads, hardware may mark the page again (VT-d with SSADE, RISC-V with SADE).
      const data = bench.round().filter((start) => Number(parseInteger(start)) < memory);
      assert.deepEqual(data, [GUEST_PAGE]);
      assert.deepEqual(bench.lost, []);
      assert.deepEqual(bench.findings, []);
    });

    it('stand in the memory that they are given, which the parent maps by then', () => {
      const bench = new Bench({ ...specOf(vendor), mapping: { what: 'none', pages: [] } });
      const create = {
        kind: 'createGuest',
        parent: bench.domain,
        memory: '2M',
        memoryLength: '64K',
      } as const;
      const { counts } = bench.does(create);
      const areas = bench.machine.areasOf(bench.machine.hwpts.get(bench.domain) ?? assert.fail());
      assert.deepEqual(areas, [{ start: 0x20_0000n, end: 0x21_0000n }]);
      const guest = counts['domain'] ?? -1;
      bench.map(GUEST_PAGE, '4K');
      bench.does({ kind: 'guestMap', guest, iova: IOVA, length: '4K', to: GUEST_PAGE, permission: 'RW' });
      bench.does({ kind: 'attach', requester: DEVICE, to: guest });
      assert.equal(bench.does(dma(IOVA)).landed?.[0]?.address, GUEST_PAGE);
      assert.equal(bench.asks(create).errno, 'EBUSY');
      const inTables = bench.asks({ ...create, memory: '0x208000', memoryLength: '4K' });
      assert.equal(inTables.errno, 'EBUSY');
    });
  });
}

const specOf = (vendor: EmulatedKind) => ({
  vendor,
  tables: { 'vt-d': 'second-stage', 'amd-vi': 'v1', smmuv3: 'stage2-4k', riscv: 'sv48x4' }[vendor],
  nestParent: true,
  devices: [{ requester: DEVICE, attached: false }],
});

describe('operations on guests', () => {
  const refusals: readonly (readonly [what: string, errno: string, operation: MachineOperation])[] = [
    ['a guest over no nest parent', 'EINVAL', { kind: 'createGuest', parent: 2 }],
    ['a guest over nothing', 'ENOENT', { kind: 'createGuest', parent: 77 }],
    ['a map of no guest', 'ENOENT', map({ guest: 77 })],
    ['a map of half a page', 'EINVAL', map({ length: '2048' })],
    ['a map to half a page', 'EINVAL', map({ to: '0x800' })],
    ['a vIOMMU of VT-d', 'EOPNOTSUPP', { kind: 'createVirtualIommu', parent: -1 }],
    ['commands of no vIOMMU', 'ENOENT', { kind: 'guestCommands', viommu: 77, commands: [] }],
    ['an attach to no guest', 'ENOENT', { kind: 'attach', requester: DEVICE, to: 77 }],
    ['tables of stage 2', 'EINVAL', { kind: 'createGuest', parent: -1, tables: 'second-stage' }],
    ['pages that there are not', 'EINVAL', { kind: 'createGuest', parent: -1, pages: ['8K'] }],
    ['memory that there is not', 'EINVAL', { kind: 'createGuest', parent: -1, memory: '1G' }],
    ['memory without an end', 'EINVAL', { kind: 'createGuest', parent: -1, memoryLength: '2G' }],
  ];
  for (const [what, errno, operation] of refusals) {
    it(`refuse ${what}`, () => {
      const bench = new GuestBench('vt-d');
      bench.does({ kind: 'createDomain', dirtyTracking: false });
      const plain = bench.machine.domains.at(-1)?.id ?? -1;
      const asked =
        'parent' in operation && operation.parent < 3
          ? { ...operation, parent: operation.parent === 2 ? plain : bench.domain }
          : operation;
      const given = 'guest' in asked && asked.guest < 0 ? { ...asked, guest: bench.guest } : asked;
      const { errno: met, summary } = bench.asks(given);
      assert.equal(met, errno, summary);
    });
  }

  it('give several guests of one parent tables and ids of their own', () => {
    for (const vendor of KINDS) {
      const bench = new GuestBench(vendor, { devices: [{ requester: DEVICE }, { requester: '00:03.0' }] });
      const second = bench.does({ kind: 'createGuest', parent: bench.domain, memoryLength: '1M' });
      const guest = second.counts['domain'] ?? -1;
      bench.does({ ...map({ guest, to: OTHER_PAGE }) });
      bench.attach();
      bench.does({ kind: 'attach', requester: '00:03.0', to: guest });
      assert.equal(bench.write(), GUEST_PAGE, vendor);
      const other = bench.does(dma(IOVA, 'write', { sid: '00:03.0' }));
      assert.equal(other.landed?.[0]?.address, OTHER_PAGE, vendor);
    }
  });
});

function map(changes: { guest?: number; length?: string; to?: string }) {
  const usual = { guest: -1, iova: IOVA, length: '4K', to: GUEST_PAGE };
  return { kind: 'guestMap', ...usual, permission: 'RW', ...changes } as const;
}
