/** Somewhere that tables can be put: physical memory, or what a guest sees of it through a second stage. */
export interface Space {
  /** A zeroed range; its address is a multiple of `alignment` (bytes, a power of two). */
  allocate(bytes: bigint, alignment?: bigint): bigint;
  write(address: bigint, word: bigint): void;
  read(address: bigint): bigint;
}

const FRAME = 4096n;
const WORD = (1n << 64n) - 1n;

const alignUp = (value: bigint, alignment: bigint): bigint => (value + alignment - 1n) & ~(alignment - 1n);

/** Physical frames. Ranges are handed out with gaps, so that no table follows another by accident. */
export class Memory implements Space {
  private next: bigint;
  private count = 0n;

  /** Ranges from `first` on; several memories may share their frames. */
  constructor(
    first = 0x40_0000n,
    readonly frames = new Map<number, BigUint64Array>(),
  ) {
    this.next = first;
  }

  allocate(bytes: bigint, alignment: bigint = FRAME): bigint {
    this.count += 1n;
    const start = alignUp(
      this.next + ((this.count * 5n) % 7n) * FRAME,
      alignment > FRAME ? alignment : FRAME,
    );
    const length = alignUp(bytes, FRAME);
    for (let offset = 0n; offset < length; offset += FRAME) this.populate(start + offset);
    this.next = start + length;
    return start;
  }

  /** An address that no frame of the image holds. */
  absent(): bigint {
    const address = this.next;
    this.next += FRAME * 16n;
    return alignUp(address, FRAME);
  }

  write(address: bigint, word: bigint): void {
    this.frame(address)[Number((address % FRAME) / 8n)] = word & WORD;
  }

  read(address: bigint): bigint {
    return this.frame(address)[Number((address % FRAME) / 8n)] ?? 0n;
  }

  private populate(address: bigint): void {
    this.frames.set(Number(address / FRAME), new BigUint64Array(512));
  }

  private frame(address: bigint): BigUint64Array {
    const frame = this.frames.get(Number(address / FRAME));
    if (!frame || address % 8n !== 0n) throw new Error(`no word at 0x${address.toString(16)}`);
    return frame;
  }
}

/** Guest physical addresses: every page lies elsewhere in memory, and is entered in the second stage by `map`. */
export class GuestSpace implements Space {
  private readonly pages = new Map<bigint, bigint>();
  private next: bigint;

  constructor(
    private readonly memory: Space,
    private readonly map: (guest: bigint, physical: bigint) => void,
    first: bigint,
    private readonly pageSize: bigint = FRAME,
  ) {
    this.next = first;
  }

  allocate(bytes: bigint, alignment: bigint = this.pageSize): bigint {
    const aligned = alignment > this.pageSize ? alignment : this.pageSize;
    const start = alignUp(this.next + this.pageSize, aligned);
    const length = alignUp(bytes, this.pageSize);
    for (let offset = 0n; offset < length; offset += this.pageSize) {
      const physical = this.memory.allocate(this.pageSize, this.pageSize);
      this.pages.set(start + offset, physical);
      this.map(start + offset, physical);
    }
    this.next = start + length;
    return start;
  }

  write(address: bigint, word: bigint): void {
    this.memory.write(this.physical(address), word);
  }

  read(address: bigint): bigint {
    return this.memory.read(this.physical(address));
  }

  /** Where a guest address lies in memory. */
  physical(address: bigint): bigint {
    const offset = address % this.pageSize;
    const page = this.pages.get(address - offset);
    if (page === undefined) throw new Error(`no guest page at 0x${address.toString(16)}`);
    return page + offset;
  }
}

/** The same words, byte by byte in the other order: big-endian tables. */
export class Swapped implements Space {
  constructor(private readonly space: Space) {}

  allocate(bytes: bigint, alignment?: bigint): bigint {
    return this.space.allocate(bytes, alignment);
  }

  write(address: bigint, word: bigint): void {
    this.space.write(address, swapBytes(word));
  }

  read(address: bigint): bigint {
    return swapBytes(this.space.read(address));
  }
}

function swapBytes(word: bigint): bigint {
  let swapped = 0n;
  for (let byte = 0n; byte < 8n; byte++) swapped = (swapped << 8n) | ((word >> (byte * 8n)) & 0xffn);
  return swapped;
}
