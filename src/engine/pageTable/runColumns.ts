const ROW_BYTES = 44;

/** Bits of `marks`. */
export const ACCESSED = 1;
export const DIRTY = 2;

/** Depth, log2 of the page's bytes, permission and marks of a run in one number. */
export function packFacts(depth: number, pageShift: number, permission: number, marks: number): number {
  return depth | (pageShift << 8) | (permission << 16) | (marks << 24);
}

/** Runs of like neighbours, struct of arrays; row i of each array belongs to run i. Grows as it is filled. */
export class RunColumns {
  length = 0;
  /** IOVA / 4096 of the first leaf. */
  page: Float64Array;
  /** Pages merged. */
  count: Float64Array;
  /** Physical address / 4096 of the first leaf. */
  frame: Float64Array;
  /** Physical byte address of the first entry. */
  entryAddress: Float64Array;
  /** The first entry's word. */
  lo: Uint32Array;
  hi: Uint32Array;
  /** `packFacts` of the run: one number, since writing four costs more than all the rest of a short run. */
  facts: Uint32Array;

  constructor(capacity: number) {
    // One buffer for all: seven small ones cost more than what a page of a list writes to them.
    const buffer = new ArrayBuffer(ROW_BYTES * capacity);
    this.page = new Float64Array(buffer, 0, capacity);
    this.count = new Float64Array(buffer, 8 * capacity, capacity);
    this.frame = new Float64Array(buffer, 16 * capacity, capacity);
    this.entryAddress = new Float64Array(buffer, 24 * capacity, capacity);
    this.lo = new Uint32Array(buffer, 32 * capacity, capacity);
    this.hi = new Uint32Array(buffer, 36 * capacity, capacity);
    this.facts = new Uint32Array(buffer, 40 * capacity, capacity);
  }

  /** Of the leaf: 1 = leaf-most. */
  depthOf(row: number): number {
    return (this.facts[row] ?? 0) & 0xff;
  }

  /** log2 of the bytes of a page. */
  pageShiftOf(row: number): number {
    return ((this.facts[row] ?? 0) >>> 8) & 0xff;
  }

  /** READ | WRITE, effective. */
  permissionOf(row: number): number {
    return ((this.facts[row] ?? 0) >>> 16) & 0xff;
  }

  /** ACCESSED | DIRTY, of any entry of the page. */
  marksOf(row: number): number {
    return (this.facts[row] ?? 0) >>> 24;
  }

  /** Room for one more run; the caller fills row `length` and raises it. */
  reserve(): number {
    if (this.length === this.page.length) this.#grow();
    return this.length;
  }

  #grow(): void {
    const capacity = 2 * this.page.length + 16;
    const larger = <T extends Float64Array | Uint32Array>(make: new (length: number) => T, old: T): T => {
      const grown = new make(capacity);
      grown.set(old);
      return grown;
    };
    this.page = larger(Float64Array, this.page);
    this.count = larger(Float64Array, this.count);
    this.frame = larger(Float64Array, this.frame);
    this.entryAddress = larger(Float64Array, this.entryAddress);
    this.lo = larger(Uint32Array, this.lo);
    this.hi = larger(Uint32Array, this.hi);
    this.facts = larger(Uint32Array, this.facts);
  }
}
