import { MappingBlock } from './mappingBlocks';
import { BlockList } from './blockList';

/** A range of pages of 4 KiB, half-open, that leads to neighbouring frames. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** Frame of the first page; NaN when the trace does not say. */
  readonly frame: number;
  /** Row of the trace that mapped it; parts of one map have the same. */
  readonly row: number;
}

/** The mappings of one address space at some time, in little memory beside others of the same space. */
export interface MappingSnapshot {
  readonly list: BlockList;
  readonly count: number;
  readonly pages: number;
}

/**
 * What one address space maps: disjoint ranges in the order of their pages, in blocks that snapshots share until they change
 * (a B-tree of two levels). An operation takes a few dozen comparisons with a million mappings.
 */
export class LiveMappings {
  #list = new BlockList();
  /** A snapshot has the list, too. */
  #shared = false;
  /** Blocks of this owner are ours alone. */
  #owner: object = {};
  #count = 0;
  #pages = 0;
  /** What `snapshot` gave, as long as nothing changed. */
  #taken: MappingSnapshot | undefined;

  /** Costs nothing until it is changed. */
  static of(snapshot: MappingSnapshot): LiveMappings {
    const made = new LiveMappings();
    made.restore(snapshot);
    return made;
  }

  get count(): number {
    return this.#count;
  }

  /** Pages mapped in all. */
  get pages(): number {
    return this.#pages;
  }

  /** The page behind the last that is mapped; 0 when nothing is. */
  get end(): number {
    return this.#list.end;
  }

  /** What is mapped now; changes of the live mappings do not change it. */
  snapshot(): MappingSnapshot {
    if (this.#taken) return this.#taken;
    this.#owner = {};
    this.#shared = true;
    this.#taken = { list: this.#list, count: this.#count, pages: this.#pages };
    return this.#taken;
  }

  restore(snapshot: MappingSnapshot): void {
    const { list, count, pages } = snapshot;
    this.#owner = {};
    this.#shared = true;
    this.#list = list;
    this.#count = count;
    this.#pages = pages;
    this.#taken = snapshot;
  }

  /** All mappings that meet [start, end), by their pages, whole. */
  *within(start = 0, end = Infinity): Generator<Mapping> {
    let at = this.#list.find(start);
    let slot = this.#list.blocks[at]?.firstEndingAfter(start) ?? 0;
    for (let block = this.#list.blocks[at]; block; block = this.#list.blocks[++at], slot = 0) {
      for (; slot < block.count; slot++) {
        if (block.start(slot) >= end) return;
        yield mappingAt(block, slot);
      }
    }
  }

  /** The first mapping that meets [start, end). */
  first(start: number, end: number): Mapping | undefined {
    const block = this.#list.blocks[this.#list.find(start)];
    if (!block) return undefined;
    const slot = block.firstEndingAfter(start);
    return block.start(slot) < end ? mappingAt(block, slot) : undefined;
  }

  /** True when a page of [start, end) is mapped. */
  meets(start: number, end: number): boolean {
    const block = this.#list.blocks[this.#list.find(start)];
    return block !== undefined && block.start(block.firstEndingAfter(start)) < end;
  }

  /** Maps [start, end); what was mapped there goes first. */
  map(start: number, end: number, frame: number, row: number): void {
    if (this.meets(start, end)) this.unmap(start, end);
    this.#pages += end - start;
    this.#insert(start, end, frame, row);
  }

  /** Unmaps [start, end), also parts of mappings; returns how many pages went. */
  unmap(start: number, end: number): number {
    // Nowhere inside a mapping: it would be cut in two there.
    if (end <= start) return 0;
    let gone = 0;
    let at = this.#list.find(start);
    for (let block = this.#list.blocks[at]; block; block = this.#list.blocks[at]) {
      const from = block.firstEndingAfter(start);
      if (from === block.count) {
        at++;
        continue;
      }
      if (block.start(from) >= end) break;
      const own = this.#own(at);
      if (own.start(from) < start) {
        gone += this.#cut(at, own, from, start, end);
        // The block may have been split, and what is left of this mapping ends at `start` now.
        at = this.#list.find(start);
        continue;
      }
      let to = from;
      while (to < own.count && own.end(to) <= end) {
        gone += own.end(to) - own.start(to);
        to++;
      }
      if (to < own.count && own.start(to) < end) {
        const first = own.start(to);
        own.set(to, end, own.end(to), own.frame(to) + end - first, own.row(to));
        gone += end - first;
      }
      this.#count -= to - from;
      own.close(from, to);
      if (own.count === 0) this.#list.remove(at);
      else this.#list.changed(at++);
    }
    this.#pages -= gone;
    if (gone > 0) this.#join(start);
    return gone;
  }

  /** Cuts [start, end) off a mapping that begins before it; what is left behind it becomes a mapping of its own. */
  #cut(at: number, block: MappingBlock, slot: number, start: number, end: number): number {
    const first = block.start(slot);
    const last = block.end(slot);
    const frame = block.frame(slot);
    const row = block.row(slot);
    block.set(slot, first, start, frame, row);
    this.#list.changed(at);
    if (last <= end) return last - start;
    this.#insert(end, last, frame + end - first, row);
    return end - start;
  }

  #insert(start: number, end: number, frame: number, row: number): void {
    this.#unshare();
    this.#count++;
    const { blocks } = this.#list;
    if (blocks.length === 0) this.#list.insert(0, new MappingBlock(this.#owner));
    let at = Math.min(this.#list.find(start), blocks.length - 1);
    if (blocks[at]?.full === true) at = this.#room(at, start);
    const own = this.#own(at);
    const slot = own.firstEndingAfter(start);
    own.open(slot);
    own.set(slot, start, end, frame, row);
    this.#list.changed(at);
  }

  /**
   * Makes room for a mapping that belongs to the full block at `at`; returns the block that it goes to now. Mappings at the edges of
   * a block go to its neighbours, so that IOVAs that only rise, or fall, leave full blocks behind.
   */
  #room(at: number, start: number): number {
    const own = this.#own(at);
    const slot = own.firstEndingAfter(start);
    if (slot === 0) return this.#roomBefore(at);
    if (slot === own.count) return this.#roomBehind(at);
    if (slot === 1) {
      const before = this.#roomBefore(at);
      this.#own(before).append(own, 1);
      own.close(0, 1);
      this.#list.changed(before);
      return before + 1;
    }
    if (slot === own.count - 1) {
      const behind = this.#own(this.#roomBehind(at));
      behind.open(0);
      behind.set(0, own.start(slot), own.end(slot), own.frame(slot), own.row(slot));
      own.close(slot, own.count);
      this.#list.changed(at);
      this.#list.changed(at + 1);
      return at;
    }
    const upper = own.split(this.#owner);
    this.#list.changed(at);
    this.#list.insert(at + 1, upper);
    return upper.start(0) <= start ? at + 1 : at;
  }

  /** The block before another, if it has room; else a new one. */
  #roomBefore(at: number): number {
    if (this.#list.blocks[at - 1]?.full === false) return at - 1;
    this.#list.insert(at, new MappingBlock(this.#owner));
    return at;
  }

  #roomBehind(at: number): number {
    if (this.#list.blocks[at + 1]?.full !== false) this.#list.insert(at + 1, new MappingBlock(this.#owner));
    return at + 1;
  }

  /** Makes one block of two neighbours around a page that few mappings are left in. */
  #join(page: number): void {
    const behind = this.#list.find(page);
    for (const at of [behind, behind - 1]) {
      const [block, next] = [this.#list.blocks[at], this.#list.blocks[at + 1]];
      if (!block || !next || !block.fewWith(next)) continue;
      this.#own(at).append(next);
      this.#list.remove(at + 1);
      this.#list.changed(at);
    }
  }

  /** The block at a place, to be changed. */
  #own(at: number): MappingBlock {
    this.#unshare();
    const block = this.#list.blocks[at];
    if (!block) throw new Error(`internal error: no block ${at}`);
    if (block.owner === this.#owner) return block;
    const copy = block.copy(this.#owner);
    this.#list.blocks[at] = copy;
    return copy;
  }

  #unshare(): void {
    this.#taken = undefined;
    if (!this.#shared) return;
    this.#shared = false;
    this.#list = this.#list.copy();
  }
}

const mappingAt = (block: MappingBlock, slot: number): Mapping => ({
  start: block.start(slot),
  end: block.end(slot),
  frame: block.frame(slot),
  row: block.row(slot),
});
