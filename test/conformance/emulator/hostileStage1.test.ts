/**
 * No stage-1 table of a guest, however hostile, gets out of the stage 2 that the kernel owns: 10,000 requests in each run, a
 * million with `npm run fuzz` (which sets FUZZ_SECONDS; FUZZ_SEED is the first seed). A failure names the seed that shows it.
 */
import assert from 'node:assert/strict';
import { HostileBench, type HostileCounts } from './hostileBench';
import { GUEST_KINDS } from '../../../src/engine/driver/guest/index';

const TRIES = process.env['FUZZ_SECONDS'] === undefined ? 10_000 : 1_000_000;
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
/** Requests of one guest. */
const OF_A_GUEST = 500;

describe('hostile stage-1 tables', function () {
  this.timeout(TRIES);
  for (const kind of GUEST_KINDS) {
    const tries = TRIES / GUEST_KINDS.length;
    it(`of ${kind.kind}, ${kind.tables} over ${kind.parent}: none gets out (${tries} requests, seeds from ${SEED})`, () => {
      const all: HostileCounts = { requests: 0, reads: 0, updates: 0, reached: 0, refusedByStage2: 0 };
      for (let seed = SEED; all.requests < tries; seed++) {
        const counts = attempt(seed, () => new HostileBench(kind, seed));
        for (const name of Object.keys(all) as (keyof HostileCounts)[]) all[name] += counts[name];
      }
      // Hardware does walk what the guest wrote, marks it, gets somewhere, and meets stage 2.
      for (const name of ['reads', 'updates', 'reached', 'refusedByStage2'] as const)
        assert.ok(all[name] > tries / 250, `${name}: ${all[name]}`);
    });
  }
});

function attempt(seed: number, make: () => HostileBench): HostileCounts {
  try {
    const bench = make();
    while (bench.counts.requests < OF_A_GUEST) bench.try();
    return bench.counts;
  } catch (error) {
    throw new Error(`FUZZ_SEED=${seed}: ${String(error)}`, { cause: error });
  }
}
