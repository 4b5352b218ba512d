/**
 * The values of the house. Inside the engine addresses are no bigints: a page or frame number fits a JS number exactly (at
 * most 52 bits); so does the byte address of an entry, of 52 bits, or of RISC-V's 56 as a multiple of 8; other addresses
 * and entries are lo/hi pairs of 32-bit words. bigint appears at the edges (protocol, command line, files) and in words of
 * structures, which are few.
 */
declare const brand: unique symbol;
/** A value that only its constructor below may make. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Number of a 4 KiB physical frame: physical address / 4096, below 2^44 (RISC-V: 56 bits of address). */
export type FrameNumber = Brand<number, 'FrameNumber'>;
/**
 * What a request names its device by: VT-d source-id and AMD DeviceID are the PCI requester id (bus << 8 | device << 3 |
 * function); Arm StreamIDs have up to 32 bits and RISC-V device_ids 24, of which the lowest 16 mostly are that id.
 */
export type RequesterId = Brand<number, 'RequesterId'>;
/** Process address space id, 20 bits. */
export type Pasid = Brand<number, 'Pasid'>;
/** What caches know an address space by: DID, DomainID, ASID, VMID, PSCID or GSCID; at most 20 bits. */
export type DomainId = Brand<number, 'DomainId'>;

export const frameNumber = (value: number): FrameNumber => value as FrameNumber;
export const requesterId = (value: number): RequesterId => (value >>> 0) as RequesterId;
export const pasid = (value: number): Pasid => value as Pasid;
export const domainId = (value: number): DomainId => value as DomainId;

export const FRAME_SHIFT = 12;
export const FRAME_BYTES = 4096;
/** 32-bit words in a frame. */
export const FRAME_WORDS = 1024;

/** Halves of the byte address of a frame. */
export function frameHalves(frame: number): { readonly lo: number; readonly hi: number } {
  return { lo: (frame % 0x100000) * FRAME_BYTES, hi: Math.floor(frame / 0x100000) };
}

/** A device as someone names it. */
export interface NamedDevice {
  readonly requester: RequesterId;
  /** PCI segment, when the text has one. */
  readonly segment: number | undefined;
}

/** A device as `00:02.0`, with or without a PCI segment before it, or as a requester id of at most 32 bits: `0x10`, `16`. */
export function parseDevice(text: string): NamedDevice | undefined {
  const bdf = /^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i.exec(text.trim());
  if (bdf) {
    const [, segment, bus = '0', device = '0', fn = '0'] = bdf;
    const dev = parseInt(device, 16);
    if (dev > 31) return undefined;
    return {
      requester: requesterId((parseInt(bus, 16) << 8) | (dev << 3) | Number(fn)),
      segment: segment === undefined ? undefined : parseInt(segment, 16),
    };
  }
  const value = parseInteger(text);
  if (value === undefined || value > 0xffff_ffffn) return undefined;
  return { requester: requesterId(Number(value)), segment: undefined };
}

/** A device without its segment. */
export function parseRequester(text: string): RequesterId | undefined {
  return parseDevice(text)?.requester;
}

/** Bus:device.function as lspci writes it; ids of more than 16 bits in hexadecimal. */
export function formatRequester(id: RequesterId): string {
  if (id > 0xffff) return hex(id);
  const digits = (value: number): string => value.toString(16).padStart(2, '0');
  return `${digits(id >> 8)}:${digits((id >> 3) & 31)}.${id & 7}`;
}

/** Units of 1024, as `4K`, `2M`, `1G`, `1T`, `1P`, `1E`. */
const UNITS = 'KMGTPE';

/** Non-negative integer: decimal, `0x` hexadecimal, `_` between digits, with a unit of 1024 (`2M`, `2MiB`). At most 64 bits. */
export function parseInteger(text: string): bigint | undefined {
  const match = /^(0x[0-9a-f](?:_?[0-9a-f])*|[0-9](?:_?[0-9])*)(?:([KMGTPE])(?:i?B)?)?$/i.exec(text.trim());
  if (!match) return undefined;
  const [, digits = '', unit] = match;
  const value = BigInt(digits.replaceAll('_', ''));
  const scaled = unit ? value << BigInt(10 * (UNITS.indexOf(unit.toUpperCase()) + 1)) : value;
  return scaled < 1n << 64n ? scaled : undefined;
}

/** `0x` and lower-case hexadecimal digits. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** A byte count in the largest unit that divides it: 4096 -> `4K`, 2 MiB -> `2M`. */
export function formatSize(bytes: bigint | number): string {
  let value = BigInt(bytes);
  let unit = '';
  for (let next = 0; next < UNITS.length && value !== 0n && value % 1024n === 0n; next++) {
    value /= 1024n;
    unit = UNITS[next] ?? '';
  }
  return `${value}${unit}`;
}
