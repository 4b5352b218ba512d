/** Root, context and PASID tables of VT-d: 4.1 §9.1-§9.6. */
import { addressOf, bit, field, type Frames } from './frames';
import { type Slot } from './tree';

const PRESENT = bit(0);

/** Page-table types of a PASID-table entry (PGTT). */
export const PGTT = { first: 1, second: 2, nested: 3, pass: 4 } as const;

/** Legacy root table: a 16-byte entry a bus, whose context table has a 16-byte entry a device function. */
export class LegacyRoot {
  readonly root: number;
  private readonly tables = new Map<number, number>();

  constructor(private readonly frames: Frames) {
    this.root = frames.add();
  }

  rootSlot(bus: number): Slot {
    return { frame: this.root, index: bus * 2 };
  }

  contextTable(bus: number): number {
    const known = this.tables.get(bus);
    if (known !== undefined) return known;
    const table = this.frames.add();
    this.tables.set(bus, table);
    this.frames.set(this.root, bus * 2, addressOf(table) | PRESENT);
    return table;
  }

  /** Writes both words of the context entry of a source-id. */
  set(requester: number, low: bigint, high: bigint): void {
    const table = this.contextTable(requester >> 8);
    const index = (requester & 0xff) * 2;
    this.frames.set(table, index, low);
    this.frames.set(table, index + 1, high);
  }
}

/** A legacy context entry: translation type, second-stage root, width code and domain. */
export function legacyContext(tt: number, root: number, aw: number, domain: number): [bigint, bigint] {
  return [addressOf(root) | field(2, tt) | PRESENT, field(0, aw) | field(8, domain)];
}

/** Scalable root table: each half of a 16-byte entry leads to 128 context entries of 32 bytes. */
export class ScalableRoot {
  readonly root: number;
  private readonly tables = new Map<number, number>();

  constructor(private readonly frames: Frames) {
    this.root = frames.add();
  }

  /** The half of a root entry that serves a source-id: device functions below 128 use the lower one. */
  rootSlot(requester: number): Slot {
    return { frame: this.root, index: (requester >> 8) * 2 + ((requester & 0xff) >> 7) };
  }

  contextTable(requester: number): number {
    const { index } = this.rootSlot(requester);
    const known = this.tables.get(index);
    if (known !== undefined) return known;
    const table = this.frames.add();
    this.tables.set(index, table);
    this.frames.set(this.root, index, addressOf(table) | PRESENT);
    return table;
  }

  set(requester: number, words: readonly bigint[]): void {
    const table = this.contextTable(requester);
    const first = (requester & 0x7f) * 4;
    words.forEach((word, index) => this.frames.set(table, first + index, word));
  }
}

export interface ContextOptions {
  readonly ridPasid?: number;
  /** PASIDE: requests with PASID are allowed. */
  readonly pasids?: boolean;
}

/** A scalable context entry that leads to `pasids`. */
export function scalableContext(tables: PasidTables, options: ContextOptions = {}): bigint[] {
  const { ridPasid = 0, pasids = true } = options;
  const enable = pasids ? bit(3) : 0n;
  return [addressOf(tables.root) | field(9, tables.pdts) | enable | PRESENT, BigInt(ridPasid), 0n, 0n];
}

/** A PASID directory of 2^(PDTS + 7) entries and its tables of 64 entries of 64 bytes. */
export class PasidTables {
  readonly root: number;
  private readonly tables = new Map<number, number>();

  constructor(
    private readonly frames: Frames,
    readonly pdts: number,
  ) {
    this.root = frames.addRun(Math.max(1, 2 ** (pdts + 7 - 9)));
  }

  directorySlot(pasid: number): Slot {
    const entry = pasid >> 6;
    return { frame: this.root + (entry >> 9), index: entry & 0x1ff };
  }

  table(pasid: number): number {
    const known = this.tables.get(pasid >> 6);
    if (known !== undefined) return known;
    const table = this.frames.add();
    this.tables.set(pasid >> 6, table);
    const { frame, index } = this.directorySlot(pasid);
    this.frames.set(frame, index, addressOf(table) | PRESENT);
    return table;
  }

  set(pasid: number, words: readonly bigint[]): void {
    const table = this.table(pasid);
    const first = (pasid & 63) * 8;
    words.forEach((word, index) => this.frames.set(table, first + index, word));
  }
}

export interface PasidEntry {
  readonly pgtt: number;
  readonly domain: number;
  /** Second-stage root address and width code. */
  readonly second?: bigint;
  readonly aw?: number;
  /** First-stage root address, and FSPM: 0 for four levels, 1 for five. */
  readonly first?: bigint;
  readonly fspm?: number;
}

/**
 * The eight words of a PASID-table entry; NXE is set, so that XD means what it says, and PWSNP, so that A and D can be set
 * (§3.10).
 */
export function pasidEntry(entry: PasidEntry): bigint[] {
  const { pgtt, domain, second = 0n, aw = 0, first = 0n, fspm = 0 } = entry;
  const nxe = pgtt === PGTT.first || pgtt === PGTT.nested ? bit(5) : 0n;
  return [
    second | field(6, pgtt) | field(2, aw) | PRESENT,
    BigInt(domain) | bit(23),
    first | field(2, fspm) | nxe,
    0n,
    0n,
    0n,
    0n,
    0n,
  ];
}
