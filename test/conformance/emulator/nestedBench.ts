/** A guest's own tables over the kernel's: what lies in guest memory, and the commands that guests send. */
import assert from 'node:assert/strict';
import { type Flusher, type FlushRange } from '../../../src/engine/driver/flusher';
import { type KernelDomain, type NestedDomain } from '../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { done } from '../../../src/engine/driver/errno';
import { linuxMarks } from '../../../src/engine/driver/pageTable/linuxChoices';
import { amdCommands, AMD_EVERY_PAGE } from '../../../src/engine/iommu/vendors/amd/commands';
import { sizedAddress } from '../../../src/engine/iommu/vendors/ranges';
import { invalidateRequest, riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { smmuCommands } from '../../../src/engine/iommu/vendors/smmuv3/commands';
import { TABLE_CHOICES } from '../../../src/engine/machine/tableChoices';
import { type FrameAllocator } from '../../../src/engine/memory/writableMemory';
import { frameNumber, type FrameNumber } from '../../../src/engine/values';
import { type EmulatedKind } from '../../../src/engine/iommu/vendor';
import { type Conditions, DEVICE, InvalidationBench, valueOf } from './invalidationBench';

/** Guest frames of the guest's tables and structures: two pages of 2M from the second on. */
const GUEST_START = 0x200;
const GUEST_PAGES = 0x400;
const PARENT_ID = 5;
const NESTED_ID = 6;
/** ASID or PSCID that the guest uses. */
const GUEST_SPACE = 9;

type Words = readonly bigint[];

/** Naturally aligned blocks of 2^order pages. */
interface Block {
  readonly startPage: number;
  readonly order: number;
}

/** How one vendor's guests tell the hardware of their tables and of changes. */
export interface GuestKind {
  readonly kind: EmulatedKind;
  readonly parent: string;
  readonly tables: string;
  /** Writes structures, where there are any, through `put` (guest byte address, words), and says the nested domain. */
  readonly attach: (root: bigint, structures: bigint, put: (address: bigint, words: Words) => void) => Words;
  /** Commands by name; each of them removes all that a change of the range made stale. */
  readonly flushes: Readonly<Record<string, (range: FlushRange) => readonly Words[]>>;
  /** What removes it from the TLB of the device, where the kernel does not do that by itself. */
  readonly devices: (range: FlushRange) => readonly Words[];
}

const wholeLeaves = ({
  startPage,
  endPage,
  largestShift,
}: FlushRange): readonly [start: number, end: number] => {
  const unit = 2 ** (largestShift - 12);
  return [Math.floor(startPage / unit) * unit, Math.ceil(endPage / unit) * unit];
};

/** The block around a range, with all of the largest leaves in it. */
function blockAround(range: FlushRange): Block {
  const [start, end] = wholeLeaves(range);
  let order = 0;
  while (Math.floor(start / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order++;
  return { startPage: Math.floor(start / 2 ** order) * 2 ** order, order };
}

const bytes = (page: number): bigint => BigInt(page) << 12n;

/** An address in each leaf that may be cached: the first, the last or one in the middle of it, and never too many. */
function oneInEach(range: FlushRange, where: 'first' | 'last'): bigint[] | undefined {
  const step = 2 ** (range.smallestShift - 12);
  const start = Math.floor(range.startPage / step) * step;
  const count = Math.ceil((range.endPage - start) / step);
  if (count > 512) return undefined;
  return Array.from({ length: count }, (_, index) =>
    bytes(start + index * step + (where === 'last' ? step - 1 : 0)),
  );
}

/** With S = 1 the size stands in the address. */
const amdRange = ({ startPage, order }: Block) =>
  order === 0
    ? { S: false, Address: bytes(startPage) }
    : { S: true, Address: sizedAddress(bytes(startPage), order) };

const smmuEach =
  (
    command: (inputs: { readonly Address: bigint; readonly Leaf: boolean }) => Words,
    where: 'first' | 'last',
  ) =>
  (range: FlushRange): readonly Words[] => {
    const addresses = oneInEach(range, where);
    if (!addresses) return [smmuCommands.tlbiNhAll({})];
    return addresses.map((Address) => command({ Address, Leaf: !range.tables }));
  };

const riscvEach =
  (space: object, where: 'first' | 'last') =>
  (range: FlushRange): readonly Words[] => {
    const addresses = range.tables ? undefined : oneInEach(range, where);
    // By address only leaves are reached (capabilities.NL = 0).
    if (!addresses) return [riscvCommands.invalidateVma({ GV: true, GSCID: PARENT_ID })];
    return addresses.map((ADDR) =>
      riscvCommands.invalidateVma({ GV: true, GSCID: PARENT_ID, AV: true, ADDR, ...space }),
    );
  };

export const GUEST_KINDS: readonly GuestKind[] = [
  {
    kind: 'vt-d',
    parent: 'second-stage',
    tables: 'first-stage',
    attach: (root) => [0n, root, 48n],
    flushes: {
      'range of whole leaves': (range) => {
        const [start, end] = wholeLeaves(range);
        return [[bytes(start), BigInt(end - start), range.tables ? 0n : 1n]];
      },
      everything: () => [[0n, 2n ** 64n - 1n, 0n]],
    },
    devices: () => [],
  },
  {
    kind: 'amd-vi',
    parent: 'v1',
    tables: 'v2',
    attach: (root, structures, put) => {
      // GCR3 table of one level, at a guest address; entry 0 is for requests without a PASID.
      put(structures, [root | 1n]);
      const part = (high: bigint, low: bigint): bigint =>
        (structures >> low) & ((1n << (high - low + 1n)) - 1n);
      return [
        1n | (3n << 54n) | (part(14n, 12n) << 58n),
        (part(30n, 15n) << 16n) | (part(51n, 31n) << 43n),
        0n,
        0n,
      ];
    },
    flushes: {
      'INVALIDATE_IOMMU_PAGES of a range': (range) => [
        amdCommands.invalidateIommuPages({
          DomainID: NESTED_ID,
          GN: true,
          PDE: range.tables,
          ...amdRange(blockAround(range)),
        }),
      ],
      'INVALIDATE_IOMMU_PAGES of everything': () => [
        amdCommands.invalidateIommuPages({
          DomainID: NESTED_ID,
          GN: true,
          PDE: true,
          S: true,
          Address: AMD_EVERY_PAGE,
        }),
      ],
    },
    devices: (range) => [
      amdCommands.invalidateIotlbPages({ DeviceID: DEVICE, ...amdRange(blockAround(range)) }),
    ],
  },
  {
    kind: 'smmuv3',
    parent: 'stage2-4k',
    tables: 'stage1-4k',
    attach: (root, structures, put) => {
      // CD: T0SZ 16, EPD1, V, IPS 48 bits, AA64, HD, HA, R, A, ASET, ASID.
      const marks = (1n << 42n) | (1n << 43n);
      const control = 16n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | marks | (7n << 45n);
      put(structures, [control | (BigInt(GUEST_SPACE) << 48n), root, 0n, 0xffn, 0n, 0n, 0n, 0n]);
      // STE: V, Config 5 (stage 1), S1ContextPtr; word 1: EATS.
      return [1n | (5n << 1n) | structures, 1n << 28n];
    },
    flushes: {
      CMD_TLBI_NH_VA: smmuEach((inputs) => smmuCommands.tlbiNhVa({ ASID: GUEST_SPACE, ...inputs }), 'first'),
      'CMD_TLBI_NH_VA at the end of each leaf': smmuEach(
        (inputs) => smmuCommands.tlbiNhVa({ ASID: GUEST_SPACE, ...inputs }),
        'last',
      ),
      CMD_TLBI_NH_VAA: smmuEach((inputs) => smmuCommands.tlbiNhVaa(inputs), 'first'),
      CMD_TLBI_NH_ASID: () => [smmuCommands.tlbiNhAsid({ ASID: GUEST_SPACE })],
      CMD_TLBI_NH_ALL: () => [smmuCommands.tlbiNhAll({})],
      CMD_TLBI_NSNH_ALL: () => [smmuCommands.tlbiNsnhAll()],
    },
    devices: (range) => {
      const { startPage, order } = blockAround(range);
      return [smmuCommands.atcInv({ StreamID: DEVICE, Address: bytes(startPage), Size: order })];
    },
  },
  {
    kind: 'riscv',
    parent: 'sv48x4',
    tables: 'sv48',
    // DC.fsc and DC.ta: Sv48, PSCID.
    attach: (root) => [(9n << 60n) | (root >> 12n), BigInt(GUEST_SPACE) << 12n],
    flushes: {
      'IOTINVAL.VMA with AV and PSCV': riscvEach({ PSCV: true, PSCID: GUEST_SPACE }, 'first'),
      'IOTINVAL.VMA with AV': riscvEach({}, 'last'),
      'IOTINVAL.VMA with PSCV': () => [
        riscvCommands.invalidateVma({ GV: true, GSCID: PARENT_ID, PSCV: true, PSCID: GUEST_SPACE }),
      ],
      'IOTINVAL.VMA': () => [riscvCommands.invalidateVma({ GV: true, GSCID: PARENT_ID })],
    },
    devices: (range) => {
      const { startPage, order } = blockAround(range);
      const PAYLOAD = invalidateRequest(bytes(startPage), order);
      return [riscvCommands.invalidateDeviceTlb({ RID: DEVICE, PAYLOAD })];
    },
  },
];

/** Frames of guest memory, lowest first; nothing is given twice. */
class GuestFrames implements FrameAllocator {
  allocated = 0;
  readonly #freed = new Set<number>();
  #next = GUEST_START;

  allocate(count = 1): FrameNumber | undefined {
    const first = Math.ceil(this.#next / count) * count;
    this.#next = first + count;
    assert.ok(this.#next <= GUEST_START + GUEST_PAGES, 'guest memory for tables is full');
    this.allocated += count;
    return frameNumber(first);
  }

  free(frame: FrameNumber, count = 1): void {
    for (let each = Number(frame); each < frame + count; each++) this.#freed.add(each);
    this.allocated -= count;
  }

  isFreed(frame: FrameNumber): boolean {
    return this.#freed.has(frame);
  }

  isAllocated(frame: FrameNumber): boolean {
    return frame >= GUEST_START && frame < this.#next && !this.#freed.has(frame);
  }
}

export interface NestedConditions extends Conditions {
  /** Which of the guest's commands it flushes by. */
  readonly flush: number;
  /** Whether the guest's memory of tables is one piece that large pages map. */
  readonly largePages: boolean;
}

/** A device behind a guest's tables (`guest`) over the kernel's (`parent`). */
export class NestedBench {
  readonly bench: InvalidationBench;
  readonly parent: KernelDomain;
  readonly guest: DomainTables;
  /** Name of the guest's command. */
  readonly command: string;
  readonly #kind: GuestKind;
  readonly #ats: boolean;
  readonly #nested: NestedDomain;

  constructor(kind: GuestKind, { flush, largePages, ...conditions }: NestedConditions) {
    this.#kind = kind;
    this.#ats = conditions.ats ?? false;
    const bench = new InvalidationBench(kind.kind, conditions);
    this.bench = bench;
    const { memory, frames, driver } = bench;
    const choiceOf = (id: string) => {
      const choice = TABLE_CHOICES.find((each) => each.vendor === kind.kind && each.id === id);
      assert.ok(choice, id);
      return { ...choice.shape(bench.capabilities), stage: choice.stage };
    };
    this.parent = bench.domain(PARENT_ID, { ...choiceOf(kind.parent), granularity: 'table' });
    const held = frames.allocate(2 * GUEST_PAGES);
    assert.ok(held !== undefined);
    const base = Number(held) + (largePages ? 0 : 1);
    valueOf(bench.run(this.parent.tables.map(GUEST_START, base, GUEST_PAGES, 3)));
    const guestFrames = new GuestFrames();
    const structures = guestFrames.allocate();
    assert.ok(structures !== undefined);
    const names = Object.keys(kind.flushes);
    this.command = names[flush % names.length] ?? '';
    this.guest = valueOf(
      DomainTables.create({
        ...choiceOf(kind.tables),
        memory,
        frames: guestFrames,
        id: GUEST_SPACE,
        locate: (frame) => frameNumber(base + Number(frame) - GUEST_START),
        bbml: 2,
        // Nothing is marked beforehand, so that hardware has to.
        marks: { ...linuxMarks(choiceOf(kind.tables).format), accessed: false, dirty: false },
        granularity: 'table',
        flusher: this.#flusher(),
      }),
    );
    const words = kind.attach(bytes(Number(this.guest.root)), bytes(Number(structures)), (address, put) => {
      put.forEach((word, index) => {
        const frame = frameNumber(base + Number(address >> 12n) - GUEST_START);
        memory.writeEntry(frame, index, Number(word & 0xffffffffn), Number(word >> 32n));
      });
    });
    this.#nested = {
      parent: this.parent,
      id: kind.kind === 'smmuv3' || kind.kind === 'riscv' ? PARENT_ID : NESTED_ID,
      words,
    };
    const attachment = { kind: 'nested', domain: this.#nested } as const;
    valueOf(bench.run(driver.attach(DEVICE, null, attachment, { ats: this.#ats })));
    if (driver.dirtyStages.includes(2)) valueOf(bench.run(driver.setDirtyTracking(this.parent, true)));
  }

  /** What the guest does after it changed its tables. */
  #flusher(): Flusher {
    const { driver } = this.bench;
    const kind = this.#kind;
    const send = function* (self: NestedBench, range: FlushRange) {
      const commands = kind.flushes[self.command]?.(range) ?? [];
      const devices = self.#ats ? kind.devices(range) : [];
      const { handled, outcome } = yield* driver.invalidateNested(self.#nested, [...commands, ...devices]);
      assert.equal(handled, outcome.ok ? commands.length + devices.length : handled);
      return outcome;
    };
    return {
      flush: (range) => send(this, range),
      flushAll: () =>
        send(this, { startPage: 0, endPage: 2 ** 36, smallestShift: 12, largestShift: 48, tables: true }),
      clean: () => undefined,
      *changeTop() {
        yield { kind: 'software', name: 'the root stays' };
        return done(null);
      },
    };
  }
}
