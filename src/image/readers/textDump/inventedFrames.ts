import { FRAME_BYTES } from '../../../engine/values';
import { PHYSICAL_END } from '../../segments';

/** Frames of the top 4 GiB of physical addresses, where no machine has memory. */
const COUNT = 2 ** 20;

/** Places for entries whose address a text does not say: they must stand somewhere, and whoever shows them says so. */
export class InventedFrames {
  static readonly first = PHYSICAL_END / FRAME_BYTES - COUNT;
  private readonly known = new Map<string, number>();
  private next = InventedFrames.first;

  get used(): boolean {
    return this.next !== InventedFrames.first;
  }

  /** The frame of this name; a new one the first time. When there are no more it is one that no text speaks of, either. */
  frame(name: string): number {
    const found = this.known.get(name);
    if (found !== undefined) return found;
    const frame = this.take(1);
    this.known.set(name, frame);
    return frame;
  }

  /** The first of `count` new neighbours. */
  take(count: number): number {
    const frame = this.next;
    this.next = Math.min(frame + count, InventedFrames.first + COUNT - count);
    return frame;
  }
}
