import assert from 'node:assert/strict';
import { EMULATED_KINDS, type EmulatedKind } from '../../../src/engine/iommu/vendor';
import { type EngineClient, type MachineOperation } from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const PARENTS = {
  'vt-d': 'second-stage',
  'amd-vi': 'v1',
  smmuv3: 'stage2-4k',
  riscv: 'sv48x4',
} as const;
const IOVA = 0x4020_0000n;

/** A device with a guest's tables, opened from the record of what was done. */
async function open(vendor: EmulatedKind): Promise<EngineClient> {
  const engine = inProcessEngine(1).client;
  const operations: MachineOperation[] = [
    { kind: 'createGuest', parent: 3 },
    { kind: 'guestMap', guest: 4, iova: '0x40200000', length: '4K', to: '0x333000', permission: 'RW' },
    { kind: 'attach', requester: '00:02.0', to: 4 },
    { kind: 'dma', requests: [{ sid: '00:02.0', iova: '0x40200000', length: 8, access: 'write' }] },
  ];
  await engine.request('open', {
    inspection: 'm',
    machine: {
      version: 1,
      spec: {
        ...{ version: 1, vendor, tables: PARENTS[vendor], memory: '64M', nestParent: true },
        ...{ mapping: { what: 'guest', pages: [] }, dirtyTracking: 'off', iommus: 1, seed: 1 },
        devices: [{ requester: '00:02.0', attached: false }],
      },
      operations,
    },
  });
  return engine;
}

describe("guests' tables of emulated machines", () => {
  for (const vendor of EMULATED_KINDS) {
    it(`${vendor}: are in the tree, over those of the kernel`, async () => {
      const engine = await open(vendor);
      const inspection = 'm';
      const { devices, domains } = await engine.request('machine', { inspection });
      assert.deepEqual(
        devices.map(({ to, requester }) => ({ to, requester })),
        [{ to: 'nested', requester: 0x10 }],
      );
      assert.deepEqual(
        domains.map(({ id }) => id),
        [3],
      );
      const { rows } = await engine.request('domains', { inspection, page: { limit: 10 } });
      const [domain, below] = rows;
      assert.ok(domain && below && rows.length === 2);
      assert.deepEqual([domain.stage, domain.below?.root, below.stage], [1, below.root, 2]);
      assert.deepEqual(
        domains[0]?.keys.map(({ root }) => root),
        [below.root],
      );
      const list = { inspection, domain, where: '', page: { limit: 10 } };
      const runs = await engine.request('list', list);
      assert.deepEqual(
        runs.rows.map(({ iova, length, perm }) => ({ iova, length, perm })),
        [{ iova: IOVA, length: 0x1000n, perm: 'RW' }],
      );
      const caches = await engine.request('caches', { inspection, page: { limit: 10 } });
      assert.deepEqual(
        caches.rows.map(({ iova, stale }) => ({ iova, stale })),
        [{ iova: IOVA, stale: undefined }],
      );
      await engine.dispose();
    });
  }
});
