import assert from 'node:assert/strict';
import { Machine } from '../../../../../src/engine/machine/machine';
import { zeroExtended } from '../../../../../src/engine/pageTable/addressSpace';
import { READ_WRITE } from '../../../../../src/engine/pageTable/entryClass';
import { runSteps } from '../../../../../src/engine/steps';
import { KINDS, makeTables, valueOf, walked } from './domains';

describe('Tables whose root grows', () => {
  it('grow where more addresses may be named than they decode', () => {
    const amd = KINDS.find(({ title }) => title === 'AMD v1');
    assert.ok(amd);
    const { tables } = makeTables(amd, { ends: zeroExtended(64) });
    valueOf(runSteps(tables.map(1, 77, 1, READ_WRITE)));
    assert.equal(walked(tables, 2 ** 27 + 1), undefined);
    valueOf(runSteps(tables.map(2 ** 27 + 1, 78, 1, READ_WRITE)));
    assert.equal(tables.format.rootDepth, 4);
    assert.deepEqual([walked(tables, 1), walked(tables, 2 ** 27 + 1)], [77, 78]);
    assert.equal(runSteps(tables.iovaToPhys(2 ** 36 + 1)), null);
  });

  it('map all of a guest beyond 512 GiB on AMD-Vi', () => {
    const made = Machine.create({
      version: 1,
      vendor: 'amd-vi',
      tables: 'v1',
      memory: '600G',
      mapping: { what: 'guest', pages: [] },
      devices: [{ requester: '00:02.0' }],
      dirtyTracking: 'on',
      iommus: 1,
      seed: 1,
    });
    assert.ok(made.ok);
    const set = runSteps(made.value.setUp());
    assert.ok(set.ok, set.ok ? '' : set.failure.message);
    const requests = ['0x10000000', '0x9010000000'].map((iova) => ({
      ...{ sid: '00:02.0', iova, length: 64 },
      access: 'write' as const,
    }));
    const report = runSteps(made.value.perform({ kind: 'dma', requests }));
    assert.equal(report.counts['landed'], 2);
    assert.equal(made.value.ledger.findings.errors, 0);
  });
});
