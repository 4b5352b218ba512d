const GROW = 16_384;

/** Mappings of physical memory, struct of arrays; row i of each array belongs to mapping i. */
export class MappingColumns {
  length = 0;
  /** First physical frame. */
  frame = new Float64Array(GROW);
  /** 4 KiB pages. */
  pages = new Float64Array(GROW);
  /** IOVA / 4096. */
  page = new Float64Array(GROW);
  /** Whose mapping it is. */
  space = new Uint32Array(GROW);
  /** READ | WRITE, effective. */
  permission = new Uint8Array(GROW);

  /** Adds a mapping; one that goes on where the last one ends becomes part of it. */
  add(space: number, page: number, frame: number, pages: number, permission: number): void {
    const last = this.length - 1;
    const before = last < 0 ? -1 : (this.pages[last] ?? 0);
    if (
      last >= 0 &&
      this.space[last] === space &&
      this.permission[last] === permission &&
      (this.page[last] ?? 0) + before === page &&
      (this.frame[last] ?? 0) + before === frame
    ) {
      this.pages[last] = before + pages;
      return;
    }
    if (this.length === this.frame.length) this.#grow();
    const row = this.length++;
    this.frame[row] = frame;
    this.pages[row] = pages;
    this.page[row] = page;
    this.space[row] = space;
    this.permission[row] = permission;
  }

  #grow(): void {
    const size = 2 * this.frame.length;
    const larger = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(size);
      grown.set(old);
      return grown;
    };
    this.frame = larger(this.frame);
    this.pages = larger(this.pages);
    this.page = larger(this.page);
    const space = new Uint32Array(size);
    space.set(this.space);
    this.space = space;
    const permission = new Uint8Array(size);
    permission.set(this.permission);
    this.permission = permission;
  }
}
