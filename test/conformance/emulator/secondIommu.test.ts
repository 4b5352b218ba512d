/** Two IOMMUs over the same tables, each with caches of its own: what software changes, both are told of. */
import assert from 'node:assert/strict';
import { Machine } from '../../../src/engine/machine/machine';
import { type MachineOperation, type OperationReport } from '../../../src/engine/machine/operation';
import { tableChoices } from '../../../src/engine/machine/tableChoices';
import { EMULATED_KINDS } from '../../../src/engine/iommu/vendor';
import { runSteps } from '../../../src/engine/steps';

/** Dealt out to the two IOMMUs in turn: each has one with a TLB of its own. */
const DEVICES = ['00:02.0', '00:03.0', '00:04.0', '00:05.0'];

function makeMachine(vendor: (typeof EMULATED_KINDS)[number]) {
  const made = Machine.create({
    version: 1,
    vendor,
    tables: tableChoices(vendor)[0]?.id ?? '',
    memory: '4G',
    mapping: { what: 'guest', pages: [] },
    devices: DEVICES.map((requester, index) => ({ requester, ats: index > 1 })),
    dirtyTracking: 'on',
    iommus: 2,
    seed: 3,
  });
  assert.ok(made.ok);
  const machine = made.value;
  assert.ok(runSteps(machine.setUp()).ok);
  const [domain] = machine.hwpts.all;
  assert.ok(domain);
  return { machine, domain: domain.id };
}

const writes = (iova: string): MachineOperation => ({
  kind: 'dma',
  requests: DEVICES.map((sid) => ({ sid, iova, length: 8, access: 'write' })),
});

describe('Two IOMMUs over the same tables', () => {
  for (const vendor of EMULATED_KINDS) {
    it(`forget what is unmapped, split and cleaned, and nothing is lost or stale: ${vendor}`, () => {
      const { machine, domain } = makeMachine(vendor);
      const done = (operation: MachineOperation): OperationReport => {
        const report = runSteps(machine.perform(operation));
        assert.equal(report.errno, undefined, report.summary);
        return report;
      };
      const cachedAt = (page: number): Set<string> =>
        new Set(
          [...machine.cached()]
            .filter(({ entry }) => page >= entry.page && page < entry.page + 2 ** (entry.shift - 12))
            .map(({ unit }) => unit),
        );
      const iova = 0x200000000;
      const range = { domain, iova: `0x${iova.toString(16)}`, length: '2M' };
      done({ kind: 'map', ...range, paddr: '0x40000000', permission: 'RW' });
      assert.deepEqual(done(writes(range.iova)).refused ?? [], []);
      assert.deepEqual([...cachedAt(iova / 4096)].sort(), ['iommu0', 'iommu1']);

      // D that was taken away is set again by whichever device writes next.
      for (const sid of DEVICES) {
        assert.ok((done({ kind: 'readDirty', ...range, clear: true }).dirty?.pages ?? 0) > 0, sid);
        assert.equal(done({ kind: 'readDirty', ...range, clear: true }).dirty?.pages, 0, sid);
        done({ kind: 'dma', requests: [{ sid, iova: range.iova, length: 8, access: 'write' }] });
      }
      done({ kind: 'split', ...range, size: '4K' });
      const small = done({ kind: 'readDirty', ...range, clear: true }).dirty;
      assert.equal(small?.pages, 2 ** 9, 'the page that was dirty as a whole');
      done(writes(range.iova));
      assert.equal(done({ kind: 'readDirty', ...range, clear: true }).dirty?.pages, 1);

      done({ kind: 'unmap', ...range });
      assert.deepEqual([...cachedAt(iova / 4096)], []);
      assert.equal(done(writes(range.iova)).refused?.length, DEVICES.length);
      assert.equal(machine.ledger.findings.errors, 0);
    });
  }
});
