import { FLAGS, type FlagName } from '../../model/operation';
import { type LineScanner } from '../../text/lineScanner';
import { accessFlag, flag, readIova, readPaddr } from '../kernel/fields';
import { type Part } from './printFormat';

const PAGE = 4096;
/** Devices of QEMU have PCI addresses, or paths of a few parts. */
const LONGEST_NAME = 256;
/** What a size column cannot say: all 2^64 bytes. */
const EVERYTHING = 2 ** 64;
const ZERO = 0x30;

/** A number as QEMU prints it: `0x` in front of hexadecimal digits, or decimal. NaN when there is none. */
function number(scanner: LineScanner): number {
  const { bytes, at } = scanner;
  const prefixed = bytes[at] === ZERO && ((bytes[at + 1] ?? 0) | 0x20) === 0x78;
  return prefixed ? scanner.hex() : scanner.decimal();
}

/** Reads a number and hands it on. */
const numbered =
  (take: (value: number, ...rest: Parameters<Part>) => void): Part =>
  (scanner, out, row, names) => {
    const value = number(scanner);
    if (Number.isNaN(value)) return false;
    take(value, scanner, out, row, names);
    return true;
  };

export const iova: Part = readIova;
export const paddr: Part = readPaddr;

/** A device by its name, up to the next blank or closing bracket. */
export const device: Part = (scanner, out, row, names) => {
  const name = scanner.word('),');
  if (name === '' || name.length > LONGEST_NAME) return false;
  out.device[row] = names.devices.id(name);
  return true;
};
/** A requester, or an Arm stream, by its number. */
export const sid = numbered((value, _scanner, out, row, names) => {
  out.device[row] = names.devices.id(`sid 0x${value.toString(16)}`);
});

/** Bytes. */
export const size = numbered((value, _scanner, out, row) => {
  setSize(out, row, value);
});
/** The last address of a range whose first is the IOVA. */
export const lastIova: Part = (scanner, out, row) => {
  if (!scanner.address()) return false;
  const pages = scanner.page - (out.iovaPage[row] ?? 0);
  const bytes = pages * PAGE + scanner.offset - (out.iovaOffset[row] ?? 0) + 1;
  if (!(bytes > 0)) return false;
  setSize(out, row, bytes);
  return true;
};
/** The bits of an address within its page: one less than the page's size. */
export const pageMask: Part = (scanner, out, row) => {
  if (!scanner.address()) return false;
  setSize(out, row, scanner.page * PAGE + scanner.offset + 1);
  return true;
};
/** log2 of a number of pages of 4 KiB: the naturally aligned block of them around the IOVA. */
export const pageOrder = numbered((order, _scanner, out, row) => {
  if (order < 0 || order >= 52) {
    setSize(out, row, EVERYTHING);
    return;
  }
  const pages = 2 ** order;
  const page = out.iovaPage[row] ?? 0;
  out.iovaPage[row] = page - (page % pages);
  out.iovaOffset[row] = 0;
  setSize(out, row, PAGE * pages);
});
/** A page size in MiB, which the IOVA is anywhere in: kept as the size alone. */
export const mebibytes = numbered((value, _scanner, out, row) => {
  setSize(out, row, value * 2 ** 20);
});
/** Arm's TG of a range: 1, 2, 3 for 4, 16, 64 KiB; 0: not a range, of which one page of 4 KiB is known. Then `pages` follows. */
export const granule = numbered((tg, _scanner, out, row) => {
  out.size[row] = tg > 0 && tg < 4 ? 2 ** (10 + 2 * tg) : PAGE;
});
export const pages = numbered((count, _scanner, out, row) => {
  setSize(out, row, (out.size[row] ?? PAGE) * count);
});

function setSize(out: Parameters<Part>[1], row: number, bytes: number): void {
  if (bytes < EVERYTHING) out.size[row] = bytes;
  else {
    out.size[row] = Number.NaN;
    flag(out, row, FLAGS.domainWide);
  }
}

export const domain = numbered((value, _scanner, out, row) => {
  if (value >= 0) out.domain[row] = value;
});
/** The number that tells domains apart where there is no ASID. */
export const vmid = numbered((value, _scanner, out, row) => {
  if (value >= 0 && Number.isNaN(out.domain[row])) out.domain[row] = value;
});
export const pasid = numbered((value, _scanner, out, row) => {
  out.pasid[row] = value;
});
export const count = numbered((value, _scanner, out, row) => {
  out.count[row] = value;
});

/** 1 for a write, 0 for a read. */
export const isWrite = numbered((value, _scanner, out, row) => {
  flag(out, row, accessFlag(value !== 0));
});
/** QEMU's IOMMU_RO (1) and IOMMU_WO (2). */
export const permissions = numbered((value, _scanner, out, row) => {
  flag(out, row, (value & 1 ? FLAGS.read : 0) | (value & 2 ? FLAGS.write : 0));
});
/** 1 for what may only be read. */
export const isReadOnly = numbered((value, _scanner, out, row) => {
  flag(out, row, value === 0 ? FLAGS.read | FLAGS.write : FLAGS.read);
});
export const isOn = numbered((value, _scanner, out, row) => {
  if (value !== 0) flag(out, row, FLAGS.on);
});
/** What a system call returned: all but 0 is a failure. */
export const returned = numbered((value, _scanner, out, row) => {
  if (value !== 0) flag(out, row, FLAGS.failed);
});
/** Of the first (1), the second (2), or both (3) stages. */
export const stage = numbered((value, _scanner, out, row) => {
  flag(out, row, (value & 1 ? FLAGS.stage1 : 0) | (value & 2 ? FLAGS.stage2 : 0));
});

/** A number that no column holds. */
export const unused = numbered(() => undefined);
/** Blanks that some versions print. */
export const blanks: Part = (scanner) => {
  scanner.spaces();
  return true;
};
/** A word that no column holds, without the punctuation behind it. */
export const word: Part = (scanner) => scanner.word('],)') !== '';
/** An address of QEMU's own, which may be `(nil)`. */
export const pointer: Part = (scanner) => scanner.word() !== '';
/** All that is left. */
export const rest: Part = (scanner) => {
  scanner.at = scanner.end;
  return true;
};
/** Sets flags that the event always has. */
export const always =
  (...flags: readonly FlagName[]): Part =>
  (_scanner, out, row) => {
    for (const name of flags) flag(out, row, FLAGS[name]);
    return true;
  };
