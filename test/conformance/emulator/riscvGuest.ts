/** A guest of the riscv-iommu reference model's tests, with a process directory. */
import assert from 'node:assert/strict';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { pasid } from '../../../src/engine/values';
import { DEVICE, RiscvBench, bit, pointer, type RequestKind } from './riscvBench';
import { FRESH, RiscvTables, V, leaf, pageOf } from './riscvTables';

export const EN_ATS = bit(1);
export const T2GPA = bit(3);
const PDTV = bit(5);
const GADE = bit(7);
const SADE = bit(8);
export const DPE = bit(9);
export const ENS = bit(1);
export const SUM = bit(2);
const SV48 = 9n << 60n;
export const PD8 = 1n << 60n;
export const PD17 = 2n << 60n;
const PD20 = 3n << 60n;
const GUEST_ID = 0x1234;
export const PROCESS = 0xbabec;
const PSCID = 10;
export const GVA = 0x10_0000n;

/** The blocks' requests are made with privilege, for process 0xbabec. */
export const PRIVILEGED: RequestKind = { pasid: pasid(PROCESS), privileged: true };
export const USER: RequestKind = { pasid: pasid(PROCESS) };

/** A guest: its memory by pages of 4 KiB, its process directory, and one first stage for each process. */
export class Guest {
  /** Caches of the size that the model has. */
  readonly bench = new RiscvBench({ iotlb: { sets: 1, ways: 2 }, contextEntries: 2, processEntries: 2 });
  readonly #places = new Map<number, number>();
  #next = 0x8_0000;
  readonly memory = new RiscvTables(this.bench, 4, 2);
  /** Guest frame of the process directory's root. */
  readonly directory: number;
  readonly control = V | PDTV | GADE | SADE;

  constructor() {
    this.directory = this.frame();
    this.context();
  }

  /** A new guest page, mapped; its guest frame. */
  frame(): number {
    // Each in a table of its own, so that one can be out of reach alone.
    const guest = this.#next;
    this.#next += 0x200;
    const place = this.bench.frames();
    this.#places.set(guest, place);
    this.memory.put(BigInt(guest) << 12n, 0, leaf(BigInt(place)));
    return guest;
  }

  place(guest: number): number {
    const place = this.#places.get(guest);
    assert.ok(place !== undefined);
    return place;
  }

  guestOf(place: number): number {
    const found = [...this.#places].find(([, each]) => each === place);
    assert.ok(found);
    return found[0];
  }

  /** Where the second stage's leaf of a guest page is. */
  entryOf(guest: number): number {
    return this.memory.put(BigInt(guest) << 12n, 0, leaf(BigInt(this.place(guest))));
  }

  /** Writes the device context, and makes it be read again. */
  context({ set = 0n, mode = PD20 }: { set?: bigint; mode?: bigint } = {}): void {
    const second = SV48 | (BigInt(GUEST_ID) << 44n) | BigInt(this.memory.root);
    this.bench.context(this.control | set, second, 0n, mode | BigInt(this.directory));
    this.command(riscvCommands.invalidateDevice({ DV: 1, DID: DEVICE }));
  }

  command(words: readonly bigint[]): void {
    this.bench.command(words);
    assert.equal(this.bench.left, 0);
  }

  /** Where the entry of a process is in the directory's root: PDI[2]. */
  rootEntry(process = PROCESS): number {
    return this.place(this.directory) * 4096 + Math.floor(process / 2 ** 17) * 8;
  }

  /** The context of a process, whose directories are made; its physical address, and the first stage. */
  process(process = PROCESS, id = PSCID): Process {
    let table = this.directory;
    for (const [shift, bits] of [
      [17, 3],
      [8, 9],
    ] as const) {
      const entry = this.place(table) * 4096 + (Math.floor(process / 2 ** shift) % 2 ** bits) * 8;
      const above = this.bench.word(entry);
      if ((above & V) !== 0n) table = Number(pageOf(above));
      else {
        table = this.frame();
        this.bench.put(entry, pointer(table));
      }
    }
    const tables = new RiscvTables(this.bench, 4, 1, {
      make: () => this.frame(),
      place: (frame) => this.place(frame),
    });
    const address = this.place(table) * 4096 + (process % 256) * 16;
    const attributes = V | ENS | SUM | (BigInt(id) << 12n);
    const fsc = SV48 | BigInt(tables.root);
    this.bench.put(address, attributes, fsc);
    return { address, tables, attributes, fsc };
  }

  /** A page of a process, in guest memory; where both of its leaves are, and its addresses. */
  page({ tables }: Process, gva = GVA, flags = FRESH): Page {
    const guest = this.frame();
    const entry = tables.put(gva, 0, leaf(BigInt(guest), flags));
    return {
      entry,
      under: this.entryOf(guest),
      gpa: BigInt(guest) << 12n,
      spa: BigInt(this.place(guest)) << 12n,
    };
  }

  invalidateProcess(process = PROCESS): void {
    this.command(riscvCommands.invalidateProcess({ DV: 1, DID: DEVICE, PID: process }));
  }

  invalidatePage(gva = GVA): void {
    const tags = { GV: 1, AV: 1, PSCV: 1, GSCID: GUEST_ID, PSCID } as const;
    this.command(riscvCommands.invalidateVma({ ...tags, ADDR: gva }));
  }

  invalidateGuest(): void {
    this.command(riscvCommands.invalidateGvma({ GV: 1, GSCID: GUEST_ID }));
  }
}

export interface Process {
  readonly address: number;
  readonly tables: RiscvTables;
  readonly attributes: bigint;
  readonly fsc: bigint;
}

export interface Page {
  readonly entry: number;
  readonly under: number;
  readonly gpa: bigint;
  readonly spa: bigint;
}
