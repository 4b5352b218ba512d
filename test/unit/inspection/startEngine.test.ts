import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEngine } from '../../../src/inspection/node/startEngine';

describe('starting an engine', () => {
  for (const [how, script, why] of [
    ['ends before it is ready', 'process.exit(3)', /ended before it was ready \(exit code 3\)/],
    ['throws', 'throw new Error("no memory")', /no memory/],
  ] as const) {
    it(`is given up when its worker ${how}`, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'iopte-worker-'));
      const workerPath = path.join(folder, 'worker.js');
      await writeFile(workerPath, script);
      await assert.rejects(startEngine({ workerPath }), why);
      await rm(folder, { recursive: true });
    });
  }
});
