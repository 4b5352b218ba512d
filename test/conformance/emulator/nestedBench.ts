/** A guest's own tables over the kernel's: what lies in guest memory, and the commands that guests send. */
import assert from 'node:assert/strict';
import { type GuestKind } from '../../../src/engine/driver/guest/guestKind';
import { type Flusher, type FlushRange } from '../../../src/engine/driver/flusher';
import { type KernelDomain, type NestedDomain } from '../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../src/engine/driver/pageTable/domainTables';
import { done } from '../../../src/engine/driver/errno';
import { linuxMarks } from '../../../src/engine/driver/pageTable/linuxChoices';
import { TABLE_CHOICES } from '../../../src/engine/machine/tableChoices';
import { type FrameAllocator } from '../../../src/engine/memory/writableMemory';
import { frameNumber, type FrameNumber } from '../../../src/engine/values';
import { type Conditions, DEVICE, InvalidationBench, valueOf } from './invalidationBench';

/** Guest frames of the guest's tables and structures: two pages of 2M from the second on. */
const GUEST_START = 0x200;
const GUEST_PAGES = 0x400;
const PARENT_ID = 5;
const NESTED_ID = 6;
/** ASID or PSCID that the guest uses. */
const GUEST_SPACE = 9;

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
    const stage = {
      tables: this.guest,
      space: GUEST_SPACE,
      structures: BigInt(structures) << 12n,
      put: (address: bigint, words: readonly bigint[]) => {
        words.forEach((word, index) => {
          const frame = frameNumber(base + Number(address >> 12n) - GUEST_START);
          memory.writeEntry(frame, index, Number(word & 0xffffffffn), Number(word >> 32n));
        });
      },
    };
    const words = kind.describe(stage, bench.capabilities);
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
    const send = function* (self: NestedBench, range: FlushRange | null) {
      const commands = kind.flushes[self.command]?.(range, GUEST_SPACE) ?? [];
      const devices = self.#ats ? kind.devices(range, DEVICE) : [];
      const { handled, outcome } = yield* driver.invalidateNested(self.#nested, [...commands, ...devices]);
      assert.equal(handled, outcome.ok ? commands.length + devices.length : handled);
      return outcome;
    };
    return {
      flush: (range) => send(this, range),
      flushAll: () => send(this, null),
      clean: () => undefined,
      *changeTop() {
        yield { kind: 'software', name: 'the root stays' };
        return done(null);
      },
    };
  }
}
