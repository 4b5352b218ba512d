import { type GuestRegion } from '../ledger/guestMemory';
import { failure, success, type Result } from '../result';
import { FRAME_BYTES, formatSize, parseInteger } from '../values';

/** Guest memory below 4 GiB ends here, as QEMU's q35 machine has it for large guests; the rest begins at 4 GiB. */
const LOW_END = 2 ** 31;
const HIGH_START = 2 ** 32;

/** Physical memory of the host: tables, queues and structures first, guests' memory behind them. */
export const TABLES_START_FRAME = 2 ** 32 / FRAME_BYTES;
export const GUEST_START_FRAME = 2 ** 37 / FRAME_BYTES;

/** Frames of 4 KiB that one machine's guest may have: of 16 TB. */
const MOST_GUEST_BYTES = 2n ** 44n;

/** Where a guest's memory lies: pages as the guest sees them, and the frames behind them. */
export interface GuestLayout {
  readonly bytes: number;
  /** With the hole below 4 GiB left out. */
  readonly regions: readonly GuestRegion[];
}

/** Lays a guest's memory out. `granule`: bytes of the smallest page, of which its size is a multiple. */
export function layoutOf(memory: string, granule: number): Result<GuestLayout> {
  const size = parseInteger(memory);
  if (size === undefined || size === 0n) {
    return failure('machine/memory', `"${memory}" is not a size of memory.`, 'Write it as 512M, 64G or 2T.');
  }
  if (size > MOST_GUEST_BYTES) {
    const most = formatSize(MOST_GUEST_BYTES);
    return failure('machine/memory', `A machine has at most ${most} of memory, not ${formatSize(size)}.`);
  }
  if (size % BigInt(granule) !== 0n) {
    const unit = formatSize(granule);
    return failure('machine/memory', `${formatSize(size)} is not a multiple of the granule, ${unit}.`);
  }
  const bytes = Number(size);
  const low = Math.min(bytes, LOW_END);
  const regions = [region(0, low, 0)];
  if (bytes > low) regions.push(region(HIGH_START, bytes - low, HIGH_START));
  return success({ bytes, regions });
}

/** `offset`: bytes from the start of the guest's memory in the host's: holes stay, so that large pages fit. */
function region(start: number, length: number, offset: number): GuestRegion {
  const startPage = start / FRAME_BYTES;
  const pages = length / FRAME_BYTES;
  return {
    startPage,
    endPage: startPage + pages,
    startFrame: GUEST_START_FRAME + offset / FRAME_BYTES,
  };
}
