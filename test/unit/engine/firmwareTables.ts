import { type PhysicalMemory } from '../../../src/engine/memory/physicalMemory';

/**
 * ACPI tables for tests, written field by field from the specifications: ACPI 6.5 §5.2, Intel VT-d §8, AMD I/O
 * Virtualization §5.2, Arm DEN 0049.
 */

const le = (value: number | bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
export const u16 = (value: number): number[] => le(value, 2);
export const u32 = (value: number): number[] => le(value, 4);
export const u64 = (value: number | bigint): number[] => le(value, 8);
export const ascii = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));
const zeros = (count: number): number[] => new Array<number>(count).fill(0);

/** Makes all bytes add up to zero by the byte at `at`. */
export function seal(bytes: number[], at = 9, length = bytes.length): number[] {
  bytes[at] = 0;
  bytes[at] = -bytes.slice(0, length).reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

/** A table: the header of 36 bytes, then `body`. */
export const table = (signature: string, body: readonly number[]): number[] =>
  seal([
    ...ascii(signature),
    ...u32(36 + body.length),
    ...[1, 0],
    ...ascii('OEMID '),
    ...ascii('OEMTABLE'),
    ...u32(1),
    ...ascii('TEST'),
    ...u32(1),
    ...body,
  ]);

/** A structure whose 16-bit length stands at `lengthAt`. */
const sized = (lengthAt: number, bytes: number[]): number[] => {
  [bytes[lengthAt], bytes[lengthAt + 1]] = [bytes.length & 0xff, bytes.length >> 8];
  return bytes;
};

/** 00:02.0 -> 0x10 */
export const bdf = (bus: number, device: number, fn: number): number => (bus << 8) | (device << 3) | fn;

// Intel VT-d
export const dmar = (...structures: readonly number[][]): number[] =>
  table('DMAR', [38, 1, ...zeros(10), ...structures.flat()]);
export const scope = (
  type: number,
  enumeration: number,
  bus: number,
  ...path: [number, number][]
): number[] => [...[type, 6 + 2 * path.length, 0, 0, enumeration, bus], ...path.flat()];
export const drhd = (
  base: number | bigint,
  segment: number,
  flags: number,
  ...scopes: number[][]
): number[] => sized(2, [...u16(0), ...u16(0), flags, 0, ...u16(segment), ...u64(base), ...scopes.flat()]);
export const rmrr = (base: number, limit: number, segment: number, ...scopes: number[][]): number[] =>
  sized(2, [...u16(1), ...u16(0), ...u16(0), ...u16(segment), ...u64(base), ...u64(limit), ...scopes.flat()]);
export const atsr = (segment: number, ...scopes: number[][]): number[] =>
  sized(2, [...u16(2), ...u16(0), 0, 0, ...u16(segment), ...scopes.flat()]);

// AMD I/O Virtualization
export const ivrs = (...blocks: readonly number[][]): number[] =>
  table('IVRS', [...u32(0x203040), ...zeros(8), ...blocks.flat()]);
export const ivhd = (
  type: 0x10 | 0x11 | 0x40,
  deviceId: number,
  base: number | bigint,
  segment: number,
  ...entries: readonly number[][]
): number[] =>
  sized(2, [
    ...[type, 0xb0, 0, 0],
    ...u16(deviceId),
    ...u16(0x40),
    ...u64(base),
    ...u16(segment),
    ...u16(0),
    ...u32(0),
    // The image of the extended feature register, which must not be read as entries.
    ...new Array<number>(type === 0x10 ? 0 : 16).fill(1),
    ...entries.flat(),
  ]);
export const device4 = (type: number, id: number): number[] => [type, ...u16(id), 0];
export const alias8 = (type: number, id: number, alias: number): number[] => [
  type,
  ...u16(id),
  ...[0, 0],
  ...u16(alias),
  0,
];
export const special8 = (handle: number, id: number, variety: number): number[] => [
  ...[72, 0, 0, 0, handle],
  ...u16(id),
  variety,
];
export const acpiDevice = (id: number, hid: string, uid: string): number[] => [
  240,
  ...u16(id),
  0,
  ...ascii(hid.padEnd(8, '\0')),
  ...zeros(8),
  ...[2, uid.length],
  ...ascii(uid),
];
export const ivmd = (start: number, length: number, segment: number): number[] =>
  sized(2, [...[0x20, 0x08, 0, 0], ...zeros(4), ...u16(segment), ...zeros(6), ...u64(start), ...u64(length)]);

// Arm IO Remapping Table
export type Mapping = readonly [input: number, more: number, output: number, target: number, flags?: number];
export const node = (type: number, data: readonly number[], ...mappings: readonly Mapping[]): number[] => {
  const offset = 16 + data.length;
  return sized(1, [
    ...[type, 0, 0, 1],
    ...u32(0),
    ...u32(mappings.length),
    ...u32(mappings.length === 0 ? 0 : offset),
    ...data,
    ...mappings.flatMap(([input, more, output, target, flags = 0]) =>
      [input, more, output, target, flags].flatMap(u32),
    ),
  ]);
};
export const itsGroup = (): number[] => node(0, [...u32(1), ...u32(0)]);
export const rootComplex = (segment: number, ...mappings: readonly Mapping[]): number[] =>
  node(2, [...u64(1), ...u32(0), ...u32(segment), ...[48, 0, 0, 0]], ...mappings);
export const smmuV3 = (base: number | bigint, ...mappings: readonly Mapping[]): number[] =>
  node(4, [...u64(base), ...zeros(44)], ...mappings);
export const namedComponent = (name: string, ...mappings: readonly Mapping[]): number[] => {
  const data = [...u32(0), ...u64(1), 48, ...ascii(name), 0];
  return node(1, [...data, ...zeros((4 - (data.length % 4)) % 4)], ...mappings);
};
/** Nodes begin at offset 48. */
export const iort = (...nodes: readonly number[][]): number[] =>
  table('IORT', [...u32(nodes.length), ...u32(48), ...u32(0), ...nodes.flat()]);

// Roots
/** ACPI 6.5 §5.2.5.3, revision 2. */
export function rsdp(rsdt: number, xsdt: number): number[] {
  const bytes = [...ascii('RSD PTR '), 0, ...ascii('OEMID '), 2, ...u32(rsdt)];
  bytes.push(...u32(36), ...u64(xsdt), 0, ...zeros(3));
  return seal(seal(bytes, 8, 20), 32);
}
/** Revision 0: 20 bytes. */
export const rsdpOfAcpi1 = (rsdt: number): number[] =>
  seal([...ascii('RSD PTR '), 0, ...ascii('OEMID '), 0, ...u32(rsdt)], 8);
export const xsdt = (...addresses: readonly number[]): number[] => table('XSDT', addresses.flatMap(u64));
export const rsdt = (...addresses: readonly number[]): number[] => table('RSDT', addresses.flatMap(u32));

/** A memory that holds the frames that something was put in, and frame 0. */
export function memoryOf(
  ...pieces: readonly (readonly [address: number, bytes: readonly number[]])[]
): PhysicalMemory & {
  readonly frames: ReadonlyMap<number, Uint32Array>;
} {
  const bytes = new Map<number, Uint8Array>([[0, new Uint8Array(4096)]]);
  for (const [address, content] of pieces) {
    content.forEach((byte, i) => {
      const number = Math.floor((address + i) / 4096);
      const frame = bytes.get(number) ?? new Uint8Array(4096);
      bytes.set(number, frame);
      frame[(address + i) % 4096] = byte;
    });
  }
  const frames = new Map([...bytes].map(([number, frame]) => [number, new Uint32Array(frame.buffer)]));
  return {
    frames,
    generation: 0,
    readFrame: (frame) => frames.get(frame),
    explainMissing: () => 'not there',
  };
}
