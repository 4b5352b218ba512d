/** Numbers of one mapping: first page, page behind the last, first frame (NaN: not known), row that made it. */
const STRIDE = 4;
const [START, END, FRAME, ROW] = [0, 1, 2, 3];
/** Mappings of a block: 4 KiB of them. */
const CAPACITY = 128;

/** Neighbouring mappings by their first page. Who has another owner's block copies it before a change. */
export class MappingBlock {
  readonly numbers = new Float64Array(CAPACITY * STRIDE);
  count = 0;
  readonly owner: object;

  constructor(owner: object) {
    this.owner = owner;
  }

  get full(): boolean {
    return this.count === CAPACITY;
  }

  /** Of a slot behind the last: anything. */
  start(slot: number): number {
    return this.numbers[slot * STRIDE + START] ?? Number.NaN;
  }

  end(slot: number): number {
    return this.numbers[slot * STRIDE + END] ?? Number.NaN;
  }

  frame(slot: number): number {
    return this.numbers[slot * STRIDE + FRAME] ?? Number.NaN;
  }

  row(slot: number): number {
    return this.numbers[slot * STRIDE + ROW] ?? Number.NaN;
  }

  /** The first slot that ends behind this page; `count` when none does. */
  firstEndingAfter(page: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.end(middle) > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  set(slot: number, start: number, end: number, frame: number, row: number): void {
    const at = slot * STRIDE;
    this.numbers[at + START] = start;
    this.numbers[at + END] = end;
    this.numbers[at + FRAME] = frame;
    this.numbers[at + ROW] = row;
  }

  /** Makes room at a slot; only when not full. */
  open(slot: number): void {
    this.numbers.copyWithin((slot + 1) * STRIDE, slot * STRIDE, this.count * STRIDE);
    this.count++;
  }

  /** Takes out the slots [from, to). */
  close(from: number, to: number): void {
    this.numbers.copyWithin(from * STRIDE, to * STRIDE, this.count * STRIDE);
    this.count -= to - from;
  }

  copy(owner: object): MappingBlock {
    const made = new MappingBlock(owner);
    made.numbers.set(this.numbers);
    made.count = this.count;
    return made;
  }

  /** True when both together have room in half a block. */
  fewWith(next: MappingBlock): boolean {
    return this.count + next.count <= CAPACITY / 2;
  }

  /** Has the first mappings of a block behind it, too; only when there is room. */
  append(next: MappingBlock, count = next.count): void {
    this.numbers.set(next.numbers.subarray(0, count * STRIDE), this.count * STRIDE);
    this.count += count;
  }

  /** The upper half as a block of its own. */
  split(owner: object): MappingBlock {
    const half = this.count >> 1;
    const upper = new MappingBlock(owner);
    upper.numbers.set(this.numbers.subarray(half * STRIDE, this.count * STRIDE));
    upper.count = this.count - half;
    this.count = half;
    return upper;
  }
}

/** Bytes that a block takes, its object included. */
export const BLOCK_BYTES = CAPACITY * STRIDE * 8 + 200;
