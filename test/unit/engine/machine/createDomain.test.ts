import assert from 'node:assert/strict';
import { Bench, DEVICE, dma } from './bench';

describe('createDomain', () => {
  it('makes tables of another stage for a PASID, beside the second stage of the device', () => {
    const bench = new Bench({ mapping: { what: 'guest', pages: [] } });
    const made = bench.does({ kind: 'createDomain', dirtyTracking: false, tables: 'first-stage' });
    const { domain = 0 } = made.counts;
    assert.equal(bench.machine.hwpts.get(domain)?.paging.kernel.stage, 1);
    bench.map('0x400000', '4K', '0x3000', domain);
    bench.does({ kind: 'attach', requester: DEVICE, pasid: 5, to: domain });
    assert.deepEqual(bench.does(dma('0x400000', 'write', { pasid: 5 })).refused, []);
    assert.equal(bench.machine.ledger.lastWrite(3)?.writer.kind, 'device');
    assert.deepEqual(bench.findings, []);
  });

  it('uses only the pages that it is given', () => {
    const bench = new Bench();
    const { domain = 0 } = bench.does({ kind: 'createDomain', dirtyTracking: false, pages: ['4K'] }).counts;
    const tables = (id: number): number => {
      const before = bench.machine.memory.counts.frames;
      bench.map('0x0', '4M', '0x0', id);
      return bench.machine.memory.counts.frames - before;
    };
    // Two levels above leaves of 2M; for leaves of 4K also a table for each 2M.
    assert.deepEqual([tables(bench.domain), tables(domain)], [2, 4]);
    assert.deepEqual(bench.machine.hwpts.get(domain)?.pageShifts, [12]);
  });

  it('passes on that guests may nest', () => {
    const bench = new Bench();
    const { domain = 0 } = bench.does({ kind: 'createDomain', dirtyTracking: true, nestParent: true }).counts;
    const [first, second] = [bench.domain, domain].map((id) => bench.machine.hwpts.get(id)?.nestParent);
    assert.deepEqual([first, second], [false, true]);
    assert.equal(new Bench({ nestParent: true }).machine.domains[0]?.nestParent, true);
  });

  it('refuses tables of others, pages that they have not, and marks that nobody tracks', () => {
    const bench = new Bench();
    const ask = (more: object) => bench.asks({ kind: 'createDomain', dirtyTracking: false, ...more });
    assert.deepEqual(ask({ tables: 'v1' }).errno, 'EINVAL');
    assert.match(ask({ tables: 'v1' }).summary, /vt-d has no tables "v1"\. It has second-stage, first-stage/);
    assert.equal(ask({ pages: ['64K'] }).errno, 'EINVAL');
    assert.equal(ask({ tables: 'first-stage', dirtyTracking: true }).errno, 'EOPNOTSUPP');
    // What was refused asks nothing of the next one.
    assert.equal(ask({}).errno, undefined);
    assert.equal(bench.machine.domains.at(-1)?.paging.kernel.stage, 2);
  });

  it('leaves devices that are not attached to begin with alone', () => {
    const other = '00:03.0';
    const bench = new Bench({ devices: [{ requester: DEVICE }, { requester: other, attached: false }] });
    bench.map('0x0', '4K');
    assert.deepEqual(bench.does(dma('0x0')).refused, []);
    assert.equal(bench.does(dma('0x0', 'write', { sid: other })).refused?.length, 1);
    bench.does({ kind: 'attach', requester: other, to: bench.domain });
    assert.deepEqual(bench.does(dma('0x0', 'write', { sid: other })).refused, []);
    assert.deepEqual(bench.findings, []);
  });
});
