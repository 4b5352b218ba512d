import assert from 'node:assert/strict';
import { type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { BatchTables, translateBatch } from '../../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../../src/engine/pageTable/walk';

export interface Asked {
  readonly address: bigint;
  readonly write: boolean;
}

const low = (address: bigint): number => Number(address & 0xffff_ffffn);
const high = (address: bigint): number => Number(address >> 32n);
const hex = (hi = 0, lo = 0): string => `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;

/**
 * The answers of a walk, which must be those of a batch, with tables that are not known yet and with known ones:
 * `0x5000` or `write-denied, stage 2, depth 1`.
 */
export function answersOf(space: AddressSpace, asked: readonly Asked[]): string[] {
  const walked = asked.map(({ address, write }) => {
    const { outcome } = walkTables(space, low(address), high(address), write);
    return outcome.ok
      ? hex(outcome.paddrHi, outcome.paddrLo)
      : `${outcome.fault}, stage ${outcome.stage}, depth ${outcome.depth}`;
  });
  const batch = makeBatch(asked.length);
  asked.forEach(({ address, write }, row) => {
    batch.addressLo[row] = low(address);
    batch.addressHi[row] = high(address);
    batch.write[row] = write ? 1 : 0;
  });
  const tables = new BatchTables(space, asked.length);
  for (const known of [false, true]) {
    translateBatch(space, batch, 0, asked.length, tables);
    const batched = asked.map((_, row) => {
      const status = batch.status[row] ?? 0;
      return status === 0
        ? hex(batch.paddrHi[row], batch.paddrLo[row])
        : `${faultOf(status)}, stage ${batch.stage[row]}, depth ${batch.depth[row]}`;
    });
    assert.deepEqual(batched, walked, `the batch, its tables ${known ? '' : 'not '}known`);
  }
  return walked;
}
