import { amdV1 } from '../src/engine/formats/amdV1';
import { armFormat } from '../src/engine/formats/arm';
import { compileFormat } from '../src/engine/formats/compile';
import { sv48 } from '../src/engine/formats/riscv';
import { vtdSecondStage } from '../src/engine/formats/vtdSecondStage';
import { vtdFirstStage } from '../src/engine/formats/x8664';
import { type PhysicalMemory } from '../src/engine/memory/physicalMemory';
import { signExtended, zeroExtended, type AddressSpace } from '../src/engine/pageTable/addressSpace';
import { NestedMemory } from '../src/engine/pageTable/nestedMemory';
import { domainId, frameNumber } from '../src/engine/values';
import { below } from './random';

/** Names that the C limit knows formats by. */
export type ShapeName = 'vtd' | 'x86' | 'amd' | 'arm' | 'riscv' | 'nested';

/** An entry as halves. */
export type Halves = readonly [lo: number, hi: number];

/** Tables of 512 entries and pages of 4 KiB, four levels, in one format: how entries are written and how they are read. */
export interface Shape {
  readonly name: ShapeName;
  readonly title: string;
  /** Points to a table of this level (1 = leaf-most). */
  readonly table: (frame: number, level: number) => Halves;
  /** Bits of a leaf but its address: permission, marks and what else varies by run. */
  readonly leafBits: (random: () => number) => Halves;
  readonly leaf: (frame: number, bits: Halves) => Halves;
  /** One entry of a 64K page of 16 entries, where the format has them. */
  readonly part?: (firstFrame: number, index: number, bits: Halves) => Halves;
  /** `below`: frame of the root of the second stage, where there is one. */
  readonly space: (memory: PhysicalMemory, root: number, below: number) => AddressSpace;
}

export const LEVELS = 4;
const PAGES_PER_RUN = 16;

/** Address bits in place: entry bits 51:12. */
const plain = (frame: number, [lo, hi]: Halves): Halves => [
  ((frame % 2 ** 20) * 4096 + lo) >>> 0,
  (Math.floor(frame / 2 ** 20) | hi) >>> 0,
];

/** RISC-V: bits 53:10. */
const moved = (frame: number, [lo, hi]: Halves): Halves => [
  ((frame % 2 ** 22) * 1024 + lo) >>> 0,
  (Math.floor(frame / 2 ** 22) | hi) >>> 0,
];

/** Mostly read and write, sometimes only the one. */
function permissionOf(random: () => number): 1 | 2 | 3 {
  const kind = below(random, 20);
  return kind < 17 ? 3 : kind < 19 ? 1 : 2;
}

const space = (
  memory: PhysicalMemory,
  root: number,
  stage: 1 | 2,
  format: AddressSpace['format'],
): AddressSpace => ({
  stage,
  domainId: domainId(1),
  root: frameNumber(root),
  rootEntry: 0,
  format,
  ...(stage === 1 && !format.deniesAtLeaf ? signExtended(48) : zeroExtended(48)),
  memory,
  stage2: undefined,
});

/** What VT-d may not translate to: VT-d 4.1 section 3.14. */
const FORBIDDEN = { startFrame: 0xfee00, endFrame: 0xfef00 };

const vtdFormat = () => compileFormat(vtdSecondStage, LEVELS, { forbiddenOutput: FORBIDDEN });

const vtd: Shape = {
  name: 'vtd',
  title: 'VT-d second stage',
  table: (frame) => plain(frame, [3, 0]),
  leafBits: (random) => {
    const used = below(random, 4) << 8;
    const snoop = below(random, 8) === 0 ? 1 << 11 : 0;
    return [permissionOf(random) | used | snoop, 0];
  },
  leaf: plain,
  space: (memory, root) => space(memory, root, 2, vtdFormat()),
};

const x86: Shape = {
  name: 'x86',
  title: 'x86-64 (VT-d first stage)',
  table: (frame) => plain(frame, [0x27, 0]),
  leafBits: (random) => {
    const writable = permissionOf(random) === 3 ? 2 : 0;
    const used = below(random, 4) << 5;
    const notExecutable = below(random, 2) === 0 ? 0x80000000 : 0;
    return [5 | writable | used, notExecutable];
  },
  leaf: plain,
  space: (memory, root) => space(memory, root, 1, compileFormat(vtdFirstStage, LEVELS, {})),
};

const amd: Shape = {
  name: 'amd',
  title: 'AMD v1',
  table: (frame, level) => plain(frame, [(level << 9) | 0x21, 0x60000000]),
  leafBits: (random) => {
    const used = below(random, 4) << 5;
    const coherent = below(random, 8) === 0 ? 1 << 28 : 0;
    return [1 | used, (permissionOf(random) << 29) | coherent];
  },
  leaf: plain,
  // Next level 7, address bits 14:12 set and 15 clear: 64K.
  part: (firstFrame, _index, [lo, hi]) => plain(firstFrame + 7, [lo | (7 << 9), hi]),
  space: (memory, root) => space(memory, root, 2, compileFormat(amdV1, LEVELS, {})),
};

const arm: Shape = {
  name: 'arm',
  title: 'Arm stage 1, 4K',
  table: (frame) => plain(frame, [3, 0]),
  leafBits: (random) => {
    const readOnly = permissionOf(random) === 3 ? 0 : 1 << 7;
    const type = below(random, 2) << 2;
    const accessed = below(random, 32) === 0 ? 0 : 1 << 10;
    return [(0xb43 & ~(1 << 10)) | accessed | readOnly | type, 0x00600000];
  },
  leaf: plain,
  // The contiguous bit, 52.
  part: (firstFrame, index, [lo, hi]) => plain(firstFrame + index, [lo, hi | (1 << 20)]),
  space: (memory, root) => space(memory, root, 1, compileFormat(armFormat(1, '4K', '48'), LEVELS, {})),
};

const riscv: Shape = {
  name: 'riscv',
  title: 'RISC-V Sv48',
  table: (frame) => moved(frame, [1, 0]),
  leafBits: (random) => {
    const writable = permissionOf(random) === 3 ? 1 << 2 : 0;
    const accessed = below(random, 32) === 0 ? 0 : 1 << 6;
    const dirty = below(random, 4) === 0 ? 0 : 1 << 7;
    return [0x13 | writable | accessed | dirty, 0];
  },
  leaf: moved,
  // N, bit 63, and 1000 in the lowest address bits.
  part: (firstFrame, _index, [lo, hi]) => moved(firstFrame + 8, [lo, hi | 0x80000000]),
  space: (memory, root) => space(memory, root, 1, compileFormat(sv48, LEVELS, {})),
};

/** Marks are preset, as Linux writes first-stage leaves: where they are not, a batch asks stage 2 whether they may be set. */
const nested: Shape = {
  ...x86,
  name: 'nested',
  title: 'x86-64 over VT-d',
  leafBits: (random) => {
    const [lo, hi] = x86.leafBits(random);
    return [lo | 0x60, hi];
  },
  space: (memory, root, under) => {
    const stage2 = vtd.space(memory, under, 0);
    return { ...x86.space(new NestedMemory(memory, stage2), root, 0), stage2 };
  },
};

export const SHAPES: readonly Shape[] = [vtd, x86, amd, arm, riscv, nested];
export { PAGES_PER_RUN, vtd as secondStage };
