import { armFormat, stage1Start, stage2Start, type ArmGranule } from '../../../src/engine/formats/arm';
import { amdV1 } from '../../../src/engine/formats/amdV1';
import { compileFormat, type CompiledFormat } from '../../../src/engine/formats/compile';
import { ept } from '../../../src/engine/formats/ept';
import { type FormatHardware, type PageTableFormat } from '../../../src/engine/formats/pageTableFormat';
import * as riscv from '../../../src/engine/formats/riscv';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { amdV2, vtdFirstStage } from '../../../src/engine/formats/x8664';
import { type PhysicalMemory } from '../../../src/engine/memory/physicalMemory';
import {
  interruptPages,
  signExtended,
  upperEnd,
  zeroExtended,
  type AddressSpace,
} from '../../../src/engine/pageTable/addressSpace';
import { domainId, frameNumber } from '../../../src/engine/values';
import { tableFrame } from './randomTables';

/** An address space of one stage whose root is table 0 of `randomTables`. */
export interface SpaceKind {
  readonly title: string;
  readonly over: (memory: PhysicalMemory) => AddressSpace;
}

type Ends = Pick<AddressSpace, 'lowEnd' | 'highStart'>;

function kind(
  title: string,
  stage: 1 | 2,
  format: CompiledFormat,
  ends: Ends = zeroExtended(format.addressBits),
  more: Partial<AddressSpace> = {},
): SpaceKind {
  const over = (memory: PhysicalMemory): AddressSpace => ({
    stage,
    domainId: domainId(1),
    root: frameNumber(tableFrame(0)),
    rootEntry: 0,
    format,
    ...ends,
    memory,
    stage2: undefined,
    ...more,
  });
  return { title, over };
}

const levelsOf = (format: PageTableFormat, from: number, to: number, hardware: FormatHardware = {}) =>
  Array.from({ length: to - from + 1 }, (_, index) =>
    kind(`${format.title}, ${from + index} levels`, 2, compileFormat(format, from + index, hardware)),
  );

const MARKS: FormatHardware = { setsAccessed: true, setsDirty: true };

function armStage1(
  granule: ArmGranule,
  inputBits: number,
  form: '48' | 'ds' | 'lpa',
  hardware: FormatHardware,
  upper = false,
  rootEntry = 0,
): SpaceKind {
  const { levels, rootIndexBits } = stage1Start(granule, inputBits);
  const format = compileFormat(armFormat(1, granule, form), levels, hardware, rootIndexBits);
  const title = `Arm stage 1, ${granule} ${form}, ${inputBits} bits${upper ? ', upper region' : ''}, root at entry ${rootEntry}`;
  return kind(title, 1, format, upper ? upperEnd(inputBits) : zeroExtended(inputBits), { rootEntry });
}

function armStage2(granule: ArmGranule, inputBits: number, sl0: number): SpaceKind {
  const start = stage2Start(granule, '48', inputBits, { sl0, sl2: 0 });
  if (!start) throw new Error('no such start level');
  const format = compileFormat(armFormat(2, granule, '48'), start.levels, MARKS, start.rootIndexBits);
  return kind(`Arm stage 2, ${granule}, ${inputBits} bits, root of 2^${start.rootIndexBits}`, 2, format);
}

const FORBIDDEN = { startFrame: 0xffff8, endFrame: 0x100008 };

export const VTD_SECOND: readonly SpaceKind[] = [
  ...levelsOf(vtdSecondStage, 3, 5),
  kind(
    'VT-d second stage, 31 bits of 39, a range that no output may be in',
    2,
    compileFormat(vtdSecondStage, 3, { forbiddenOutput: FORBIDDEN }),
    zeroExtended(31),
  ),
  ...levelsOf(vtdSecondStage, 4, 4, MARKS),
  ...levelsOf(vtdSecondStage, 3, 3, { ...MARKS, refusesMarks: true }),
  ...levelsOf(ept, 4, 4, { outputBits: 46, features: { executeOnly: false } }),
];

export const X86: readonly SpaceKind[] = [
  kind(
    'VT-d first stage, 4 levels',
    1,
    compileFormat(vtdFirstStage, 4, { ...MARKS, outputBits: 46 }),
    signExtended(48),
  ),
  kind('VT-d first stage, 5 levels', 1, compileFormat(vtdFirstStage, 5, {}), signExtended(57)),
  kind(
    'AMD v2 guest, 4 levels, privileged',
    1,
    compileFormat(amdV2, 4, { ...MARKS, privileged: true, features: { writeProtect: false } }),
    signExtended(48),
  ),
];

export const AMD: readonly SpaceKind[] = levelsOf(amdV1, 1, 6);

export const ARM: readonly SpaceKind[] = [
  armStage1('4K', 48, '48', MARKS),
  armStage1('4K', 39, '48', {}),
  armStage1('4K', 32, '48', { ignoresAccessed: true, outputBits: 40 }, false, 8),
  armStage1('4K', 33, '48', MARKS, true, 16),
  armStage1('4K', 52, 'ds', MARKS, true),
  armStage1('16K', 47, '48', MARKS),
  armStage1('16K', 36, '48', { setsAccessed: true, outputBits: 44 }, true),
  armStage1('16K', 52, 'ds', {}),
  armStage1('64K', 42, '48', MARKS),
  armStage1('64K', 48, '48', MARKS, true),
  armStage1('64K', 52, 'lpa', { setsAccessed: true, features: { hierarchicalPermissions: false } }),
  armStage2('4K', 40, 1),
  armStage2('16K', 40, 2),
  armStage2('64K', 42, 1),
];

const interruptPattern = interruptPages(0x3n, 0x40n);

export const RISCV: readonly SpaceKind[] = [
  kind('RISC-V Sv39', 1, compileFormat(riscv.sv39, 3, MARKS), signExtended(39)),
  kind('RISC-V Sv48', 1, compileFormat(riscv.sv48, 4, {}), signExtended(48)),
  kind('RISC-V Sv57', 1, compileFormat(riscv.sv57, 5, { ...MARKS, outputBits: 50 }), signExtended(57)),
  kind('RISC-V Sv39x4', 2, compileFormat(riscv.sv39x4, 3, MARKS)),
  kind('RISC-V Sv48x4', 2, compileFormat(riscv.sv48x4, 4, {})),
  kind(
    'RISC-V Sv39x4 with an interrupt pattern',
    2,
    compileFormat(riscv.sv39x4, 3, MARKS),
    zeroExtended(41),
    { interruptPattern },
  ),
];

/** A first stage, and the second one below it. */
export interface NestedKind {
  readonly title: string;
  readonly first: SpaceKind;
  readonly second: SpaceKind;
}

const nested = (first: SpaceKind | undefined, second: SpaceKind | undefined): NestedKind => {
  if (!first || !second) throw new Error('no such kind');
  return { title: `${first.title} over ${second.title}`, first, second };
};

export const NESTED: readonly NestedKind[] = [
  nested(X86[0], VTD_SECOND[1]),
  nested(X86[2], AMD[2]),
  nested(ARM[0], ARM[11]),
  nested(ARM[8], ARM[12]),
  nested(ARM[3], ARM[13]),
  nested(RISCV[0], RISCV[3]),
  nested(RISCV[1], RISCV[4]),
];
