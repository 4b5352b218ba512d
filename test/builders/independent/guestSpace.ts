import { type Frames } from './frames';

/** Guest physical memory: tables and pages get guest addresses far from, and in another order than, their real ones. */
export class GuestSpace {
  private readonly known = new Map<number, bigint>();

  /** `map` writes the second-stage leaf of one 4K page. */
  constructor(
    private readonly frames: Frames,
    private readonly map: (guest: bigint, real: bigint) => void,
  ) {}

  /** The guest address of a frame; mapped at first use. */
  addressOf(frame: number): bigint {
    const known = this.known.get(frame);
    if (known !== undefined) return known;
    const guest = 0x80_0000_0000n - BigInt(this.known.size + 1) * 0x5000n;
    this.known.set(frame, guest);
    this.map(guest, BigInt(frame) << 12n);
    return guest;
  }

  /** A new frame that is mapped in the guest. */
  table(): number {
    const frame = this.frames.add();
    this.addressOf(frame);
    return frame;
  }
}
