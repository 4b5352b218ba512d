import assert from 'node:assert/strict';
import { amdV1 } from '../../../../../src/engine/formats/amdV1';
import { armFormat, stage1Start, type ArmGranule } from '../../../../../src/engine/formats/arm';
import { type FormatHardware, type PageTableFormat } from '../../../../../src/engine/formats/pageTableFormat';
import * as riscv from '../../../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../../../src/engine/formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../../../../../src/engine/formats/x8664';
import {
  DomainTables,
  type DomainTablesOptions,
} from '../../../../../src/engine/driver/pageTable/domainTables';
import { type Outcome } from '../../../../../src/engine/driver/errno';
import { Arena } from '../../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { signExtended } from '../../../../../src/engine/pageTable/addressSpace';
import { walkTables } from '../../../../../src/engine/pageTable/walk';
import { frameHalves } from '../../../../../src/engine/values';

/** A format as the tests of Linux configure it. */
export interface DomainKind {
  readonly title: string;
  readonly options: Omit<DomainTablesOptions, 'memory' | 'frames'>;
}

const MARKS: FormatHardware = { setsAccessed: true, setsDirty: true };

function kind(
  title: string,
  format: PageTableFormat,
  rootDepth: number,
  more: Partial<DomainTablesOptions> = {},
): DomainKind {
  return { title, options: { format, hardware: MARKS, rootDepth, ...more } };
}

export function armKind(stage: 1 | 2, granule: ArmGranule, inputBits: number): DomainKind {
  const { levels, rootIndexBits } = stage1Start(granule, inputBits);
  return kind(`Arm stage ${stage} ${granule}, ${inputBits} bits`, armFormat(stage, granule, '48'), levels, {
    rootIndexBits,
    stage,
  });
}

/** Of each configuration of generic_pt, and Arm's tables and both stages of RISC-V besides. */
export const KINDS: readonly DomainKind[] = [
  kind('AMD v1', amdV1, 3),
  kind('AMD v1, 32 bits', amdV1, 3, { mostAddressBits: 32 }),
  kind('VT-d second stage, 3 levels', vtdSecondStage, 3),
  kind('VT-d second stage, 4 levels', vtdSecondStage, 4),
  kind('VT-d second stage, 5 levels', vtdSecondStage, 5),
  kind('VT-d first stage, 4 levels', vtdFirstStage, 4, { ends: signExtended(48), stage: 1 }),
  kind('VT-d first stage, 5 levels', vtdFirstStage, 5, { ends: signExtended(57), stage: 1 }),
  kind('AMD v2, 47 bits', amdV2, 4, { ends: { lowEnd: 2 ** 35, highStart: 2 ** 52 }, stage: 1 }),
  kind('AMD v2, 48 bits', amdV2, 4, { ends: signExtended(48), stage: 1 }),
  kind('AMD v2, 56 bits', amdV2, 5, { ends: { lowEnd: 2 ** 44, highStart: 2 ** 52 }, stage: 1 }),
  kind('RISC-V Sv39', riscv.sv39, 3, { ends: signExtended(39), stage: 1 }),
  kind('RISC-V Sv48', riscv.sv48, 4, { ends: signExtended(48), stage: 1 }),
  kind('RISC-V Sv57', riscv.sv57, 5, { ends: signExtended(57), stage: 1 }),
  kind('RISC-V Sv39x4', riscv.sv39x4, 3),
  kind('RISC-V Sv48x4', riscv.sv48x4, 4),
  armKind(1, '4K', 48),
  armKind(1, '4K', 39),
  armKind(1, '16K', 47),
  armKind(1, '64K', 48),
  armKind(2, '4K', 40),
  armKind(2, '64K', 42),
];

/** Where the frames of tables begin: no test maps memory there. */
export const TABLES_START = 0x8_0000;
export const TABLES_END = 0xc_0000;

/** Empty tables in memory of their own. */
export function makeTables(
  { options }: DomainKind,
  more: Partial<DomainTablesOptions> = {},
): { readonly tables: DomainTables; readonly arena: Arena; readonly frames: RangeAllocator } {
  const arena = new Arena();
  const frames = new RangeAllocator(arena, TABLES_START, TABLES_END);
  const tables = valueOf(DomainTables.create({ ...options, memory: arena, frames, ...more }));
  return { tables, arena, frames };
}

export function valueOf<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

/** The errno of an operation that must be refused. */
export function errnoOf(outcome: Outcome<unknown>): string {
  assert.ok(!outcome.ok, 'refused');
  return outcome.errno;
}

/** The frame that hardware reaches by a page; undefined when it faults. */
export function walked(tables: DomainTables, page: number, write = false): number | undefined {
  const { lo, hi } = frameHalves(page);
  const { outcome } = walkTables(tables.space, lo, hi, write);
  if (!outcome.ok) return undefined;
  return (outcome.paddrHi >>> 0) * 0x100000 + (outcome.paddrLo >>> 12);
}
