/** Requests through random tables of every format: what they meet is what a walk of the tables says. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { type DmaRequest, type RequestOutcome } from '../../../../src/engine/iommu/request';
import { WritableFrames } from '../../../builders/writableFrames';
import { AMD, ARM, NESTED, RISCV, VTD_SECOND, X86 } from '../everySpace';
import { makeNested, makeSpace } from '../randomSpaces';
import { addressOf, requests, writes, type Request } from '../randomTables';
import { ask, OneSpace } from './oneSpace';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 15);
const runsFor = (title: string): number => (/16K|64K/.test(title) ? Math.ceil(RUNS / 5) : RUNS);

const join = (hi: number, lo: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

/** What a walk answers, before any mark is made. */
function walked(space: AddressSpace, { addressLo, addressHi, access }: DmaRequest): object {
  const { outcome } = walkTables(space, addressLo, addressHi, access === 'write');
  if (!outcome.ok) return { fault: outcome.fault, stage: outcome.stage, depth: outcome.depth };
  return { paddr: join(outcome.paddrHi, outcome.paddrLo), permission: outcome.permission };
}

function met(outcome: RequestOutcome): object {
  if (!outcome.ok) return { fault: outcome.fault, stage: outcome.stage, depth: outcome.depth };
  return { paddr: join(outcome.outputHi, outcome.outputLo), permission: outcome.permission };
}

const NO_CACHES = { iotlb: { sets: 0, ways: 0 }, walkCache: { sets: 0, ways: 0 } };

interface Made {
  readonly space: AddressSpace;
  readonly memory: WritableFrames;
}

/**
 * Each request alone over fresh tables, beside a walk of tables that are only read; then all one after the other through caches,
 * by steps and in one go.
 */
function check(make: () => Made, asked: readonly Request[]): void {
  const { space } = make();
  const all = asked.map((each) => ask(addressOf(space, each), each.write ? 'write' : 'read'));
  for (const request of all) {
    const expected = walked(space, request);
    for (const rules of [NO_CACHES, {}]) {
      const one = make();
      const unit = new OneSpace(one.space, one.memory, rules);
      assert.deepEqual(met(unit.run(request).outcome), expected, 'cold');
      unit.iotlb.clear();
      assert.deepEqual(met(unit.run(request).outcome), expected, 'the walk cache warm');
      assert.deepEqual(met(unit.run(request).outcome), expected, 'the IOTLB warm');
      assert.equal(unit.inFlight.size, 0);
    }
  }
  const [stepped, fused] = [make(), make()].map(({ space: over, memory }) => ({
    unit: new OneSpace(over, memory),
    memory,
  }));
  assert.ok(stepped && fused);
  for (const request of [...all, ...all]) {
    const outcome: RequestOutcome = stepped.unit.run(request).outcome;
    assert.deepEqual(
      fused.unit.requests.answerFromCaches(request) ?? fused.unit.run(request).outcome,
      outcome,
    );
  }
  assert.deepEqual(fused.unit.counters, stepped.unit.counters);
  assert.deepEqual(fused.unit.observed, stepped.unit.observed);
  assert.deepEqual(fused.memory.frames, stepped.memory.frames);
}

describe('requests through random tables', function () {
  this.timeout(60_000);
  for (const [title, kinds] of [
    ['VT-d second stage and EPT', VTD_SECOND],
    ['x86-64', X86],
    ['AMD v1', AMD],
    ['Arm', ARM],
    ['RISC-V', RISCV],
  ] as const) {
    it(`${title}: meet what a walk says, with cold and warm caches, by steps and in one go`, () => {
      for (const kind of kinds) {
        const property = fc.property(writes, requests, (all, asked) => {
          const memory = new WritableFrames();
          makeSpace(kind, all, false, memory);
          const make = (): Made => {
            const copy = memory.copy();
            return { space: kind.over(copy), memory: copy };
          };
          check(make, asked.slice(0, 8));
        });
        try {
          fc.assert(property, { numRuns: runsFor(kind.title) });
        } catch (error) {
          throw new Error(kind.title, { cause: error });
        }
      }
    });
  }

  it('of two stages: meet what a walk says, with cold and warm caches, by steps and in one go', () => {
    for (const kind of NESTED) {
      const holes = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 2 });
      const property = fc.property(writes, writes, holes, requests, (all, below, missing, asked) => {
        const make = (): Made => {
          const memory = new WritableFrames();
          return { space: makeNested(kind, all, below, missing, memory), memory };
        };
        check(make, asked.slice(0, 4));
      });
      try {
        fc.assert(property, { numRuns: Math.ceil(runsFor(kind.title) / 2) });
      } catch (error) {
        throw new Error(kind.title, { cause: error });
      }
    }
  });
});
