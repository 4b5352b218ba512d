import { type Steps } from '../../steps';
import { FRAME_BYTES } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { Gather } from '../pageTable/gather';
import { type SoftwareStep } from '../softwareStep';
import { type IommufdContext } from './context';
import { type BitmapPlace, DirtyBitmap } from './dirtyBitmap';
import { type PagingHwpt } from './hwpt';
import { ADDRESS_END, type AddressRange, hexRange } from './ranges';

export const DIRTY_TRACKING_ENABLE = 1;
export const GET_DIRTY_BITMAP_NO_CLEAR = 1;

/** IOMMU_HWPT_GET_DIRTY_BITMAP. */
export interface GetDirtyBitmap {
  readonly hwptId: number;
  readonly flags?: number;
  readonly iova: bigint;
  readonly length: bigint;
  /** Bytes of a bit: a power of two. */
  readonly pageSize: bigint;
  /** Null: a bad pointer. */
  readonly data: BitmapPlace | null;
}

/** IOMMU_HWPT_SET_DIRTY_TRACKING: to enable, all marks are cleared and flushed for before hardware begins to set them. */
export function* setDirtyTracking(
  context: IommufdContext,
  hwptId: number,
  flags: number,
): Steps<SoftwareStep, Outcome<null>> {
  if (flags & ~DIRTY_TRACKING_ENABLE) return refused('EOPNOTSUPP', `flags ${flags} are not known`);
  const found = trackingOf(context, hwptId);
  if (!found.ok) return found;
  const { ioas, domain } = found.value;
  const enable = (flags & DIRTY_TRACKING_ENABLE) !== 0;
  return yield* ioas.lock.read(
    (function* () {
      if (enable) {
        const cleared = yield* clearAll(found.value);
        if (!cleared.ok) return cleared;
      }
      return yield* domain.setDirtyTracking(enable);
    })(),
  );
}

function* clearAll({ ioas, domain }: PagingHwpt): Steps<SoftwareStep, Outcome<null>> {
  const gather = new Gather();
  for (const area of [...ioas.areas]) {
    if (area.state !== 'ready') continue;
    const read = yield* domain.readDirty(
      pageOf(area.start),
      pageOf(area.end),
      { clear: true, bitmap: false },
      () => undefined,
    );
    if (!read.ok) return read;
    if (read.value) gather.addRange(read.value);
  }
  return gather.range ? yield* domain.flush(gather.range) : done(null);
}

/** Sets the bits of dirty pages and, without NO_CLEAR, makes them clean and flushes once. */
export function* getDirtyBitmap(
  context: IommufdContext,
  command: GetDirtyBitmap,
): Steps<SoftwareStep, Outcome<null>> {
  const { hwptId, flags = 0, iova, length, pageSize, data } = command;
  if (flags & ~GET_DIRTY_BITMAP_NO_CLEAR) return refused('EOPNOTSUPP', `flags ${flags} are not known`);
  const found = trackingOf(context, hwptId);
  if (!found.ok) return found;
  const checked = checkRange(command, found.value.ioas.alignment);
  if (!checked.ok) return checked;
  const bits = Number(length / pageSize);
  if (!data || data.offset + Math.ceil(bits / 8) > data.bytes.length)
    return refused('EFAULT', `the bitmap has no room for ${bits} bits`);
  const pagesPerBit = Number(pageSize) / FRAME_BYTES;
  const bitmap = new DirtyBitmap(data, Number(iova) / FRAME_BYTES, pagesPerBit, bits, context.bitmap);
  const clear = (flags & GET_DIRTY_BITMAP_NO_CLEAR) === 0;
  return yield* found.value.ioas.lock.read(readRange(found.value, checked.value, clear, bitmap));
}

function* readRange(
  { ioas, domain }: PagingHwpt,
  range: AddressRange,
  clear: boolean,
  bitmap: DirtyBitmap,
): Steps<SoftwareStep, Outcome<null>> {
  const gather = new Gather();
  let at = range.start;
  let outcome: Outcome<null> = done(null);
  for (const area of ioas.areas.allIn(range)) {
    if (area.start > at || area.state !== 'ready') break;
    const end = area.end < range.end ? area.end : range.end;
    const read = yield* domain.readDirty(
      pageOf(at),
      pageOf(end),
      { clear, bitmap: true },
      (startPage, endPage) => {
        bitmap.set(startPage, endPage);
      },
    );
    if (!read.ok) {
      outcome = read;
      break;
    }
    if (read.value) gather.addRange(read.value);
    at = end;
  }
  if (outcome.ok && at < range.end) outcome = refused('EINVAL', `not all of ${hexRange(range)} is mapped`);
  // What was cleared is flushed for, whatever came after.
  const flushed: Outcome<null> = gather.range ? yield* domain.flush(gather.range) : done(null);
  return outcome.ok ? flushed : outcome;
}

function trackingOf(context: IommufdContext, hwptId: number): Outcome<PagingHwpt> {
  const hwpt = context.objects.get(hwptId, 'hwpt');
  if (!hwpt.ok || hwpt.value.dirtyTracking) return hwpt;
  return refused('EOPNOTSUPP', `page table ${hwptId} was made without dirty tracking`);
}

function checkRange({ iova, length, pageSize }: GetDirtyBitmap, alignment: bigint): Outcome<AddressRange> {
  const range = { start: iova, end: iova + length };
  if (range.end > ADDRESS_END || (length === 0n && iova > 0n))
    return refused('EOVERFLOW', 'the range ends beyond 64 bits, or is empty');
  if (length === 0n) return refused('EINVAL', 'the range is empty');
  const misaligned = (unit: bigint) => iova % unit !== 0n || range.end % unit !== 0n;
  if (misaligned(alignment))
    return refused('EINVAL', `${hexRange(range)} is not aligned to ${alignment} bytes`);
  if (pageSize === 0n || (pageSize & (pageSize - 1n)) !== 0n)
    return refused('EINVAL', `a page size of ${pageSize} is no power of two`);
  if (misaligned(pageSize))
    return refused('EINVAL', `${hexRange(range)} is not aligned to the page size ${pageSize}`);
  return done(range);
}

const pageOf = (address: bigint): number => Number(address / BigInt(FRAME_BYTES));
