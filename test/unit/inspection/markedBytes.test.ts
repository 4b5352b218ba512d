import assert from 'node:assert/strict';
import { domainKeyOf, type Run } from '../../../src/inspection/protocol';
import { inProcessEngine, openSample } from './inProcess';

describe('bytes that are marked accessed and dirty', function () {
  this.timeout(60_000);

  for (const sample of ['riscv-sv57', 'amd-v1', 'smmuv3-two-stages', 'vtd-scalable']) {
    it(`are those of the pages that the list shows as marked, by page size: ${sample}`, async () => {
      const { client } = inProcessEngine();
      await openSample(client, sample);
      const { rows } = await client.request('domains', { inspection: sample, page: { limit: 1000 } });
      let marked = 0n;
      for (const row of rows) {
        const domain = domainKeyOf(row);
        const runs: Run[] = [];
        let cursor: string | undefined;
        do {
          const page = { limit: 1000, ...(cursor !== undefined && { cursor }) };
          const list = await client.request('list', { inspection: sample, domain, where: '', page });
          runs.push(...list.rows);
          cursor = list.next;
        } while (cursor !== undefined);
        const { leavesBySize, accessed, dirty } = await client.request('statistics', {
          inspection: sample,
          domain,
        });
        const sum = (of: readonly Run[]): bigint => of.reduce((total, { length }) => total + length, 0n);
        const count = (of: readonly Run[]): number => of.reduce((total, run) => total + run.count, 0);
        for (const { pageSize, level, accessedBytes, dirtyBytes } of leavesBySize) {
          const same = runs.filter((run) => run.pageSize === pageSize && run.level === level);
          assert.equal(accessedBytes, sum(same.filter((run) => run.accessed)));
          assert.equal(dirtyBytes, sum(same.filter((run) => run.dirty)));
          marked += accessedBytes;
        }
        assert.equal(Number(accessed), count(runs.filter((run) => run.accessed)));
        assert.equal(Number(dirty), count(runs.filter((run) => run.dirty)));
      }
      if (sample === 'riscv-sv57') assert.ok(marked > 0n, 'the guest set A');
      await client.dispose();
    });
  }
});
