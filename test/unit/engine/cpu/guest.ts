import assert from 'node:assert/strict';
import { CpuSecondStage, type CpuSecondStageOptions } from '../../../../src/engine/driver/cpu/secondStage';
import { Ledger } from '../../../../src/engine/ledger/ledger';
import { Arena } from '../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../src/engine/memory/frameAllocator';
import { SeededRandom } from '../../../../src/engine/random';
import { type Outcome } from '../../../../src/engine/driver/errno';

/** 8 MiB of guest memory from 0, and 2 MiB from 1 GiB. */
export const GUEST = [
  { startPage: 0, endPage: 2048, startFrame: 0x10000 },
  { startPage: 0x40000, endPage: 0x40200, startFrame: 0x20000 },
];
export const ZERO_FRAME = 0x8000;
export const CAREFUL = { logsHostWriters: true, harvestsOnZap: true };
export const CARELESS = { logsHostWriters: false, harvestsOnZap: false };

export function guest(options: Partial<CpuSecondStageOptions> = {}): { cpu: CpuSecondStage; ledger: Ledger } {
  const arena = new Arena(2 ** 24);
  const frames = new RangeAllocator(arena, 0x100, 0x800);
  const ledger = new Ledger({ guestMemory: GUEST, frames });
  const cpu = value(
    CpuSecondStage.create({
      kind: 'ept',
      memory: arena,
      frames,
      guestMemory: GUEST,
      ledger,
      random: new SeededRandom(1),
      policy: CAREFUL,
      ...options,
    }),
  );
  return { cpu, ledger };
}

export function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

export const range = (startPage: number, endPage = startPage + 1) => ({ startPage, endPage });
