import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { FLAGS } from '../../model/operation';
import { type LineScanner, literal } from '../../text/lineScanner';

const PAGE = 4096;
/** Pages of 2^64 bytes. */
const ALL_PAGES = 2 ** 52;
/** A device's name is `dev_name()`: bus ids are short, platform devices carry their node's name. */
const LONGEST_NAME = 256;

export const BLANK = literal(' ');

/** An address into the columns of the IOVA. */
export function readIova(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  if (!scanner.address()) return false;
  out.iovaPage[row] = scanner.page;
  out.iovaOffset[row] = scanner.offset;
  return true;
}

/** An address into the columns of the physical address. */
export function readPaddr(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  if (!scanner.address()) return false;
  out.paddrPage[row] = scanner.page;
  out.paddrOffset[row] = scanner.offset;
  return true;
}

/** A number of bytes in decimal. */
export function readSize(scanner: LineScanner, out: RowBuilder, row: number): boolean {
  const size = scanner.decimal();
  if (!(size >= 0)) return false;
  out.size[row] = size;
  return true;
}

/** A decimal 64-bit number into the scanner's page and offset. */
export function readDecimalAddress(scanner: LineScanner): boolean {
  const { bytes, end, at } = scanner;
  let [page, offset, next] = [0, 0, at];
  for (; next < end; next++) {
    const digit = (bytes[next] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    offset = offset * 10 + digit;
    page = page * 10 + Math.floor(offset / PAGE);
    offset %= PAGE;
  }
  if (next === at || page >= ALL_PAGES) return false;
  scanner.page = page;
  scanner.offset = offset;
  scanner.at = next;
  return true;
}

/** The name up to the next space, or to one of `stops`, into the column of the device. */
export function readDevice(
  scanner: LineScanner,
  out: RowBuilder,
  row: number,
  names: TraceNames,
  stops = '',
): boolean {
  const name = scanner.word(stops);
  if (name === '' || name.length > LONGEST_NAME) return false;
  out.device[row] = names.devices.id(name);
  return true;
}

/** True when the row's IOVA and size end at page and offset, modulo 2^64: what the kernel prints as the range's end. */
export function endsAt(out: RowBuilder, row: number, page: number, offset: number): boolean {
  const size = out.size[row] ?? 0;
  const bytes = (out.iovaOffset[row] ?? 0) + (size % PAGE);
  const pages = (out.iovaPage[row] ?? 0) + Math.floor(size / PAGE) + (bytes >= PAGE ? 1 : 0);
  return pages % ALL_PAGES === page && bytes % PAGE === offset;
}

/** Adds bits to the flags of a row. */
export function flag(out: RowBuilder, row: number, bits: number): void {
  const flags = out.flags[row] ?? 0;
  out.flags[row] = (Number.isNaN(flags) ? 0 : flags) | bits;
}

/** The flags of a request: it wrote, or else it read. */
export const accessFlag = (writes: boolean): number => (writes ? FLAGS.write : FLAGS.read);

/** True when nothing but spaces is left. */
export function atEnd(scanner: LineScanner): boolean {
  scanner.spaces();
  return scanner.done;
}
