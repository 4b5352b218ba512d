import { latin1 } from '../../text/lineScanner';
import { type EventField } from './eventFormat';

/** One record of the ring buffer: its bytes, read by fields. What is outside the record is 0. */
export class TraceRecord {
  #view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Uint8Array = new Uint8Array();
  start = 0;
  length = 0;

  constructor(private readonly littleEndian: boolean) {}

  set(bytes: Uint8Array, view: DataView, start: number, length: number): void {
    this.bytes = bytes;
    this.#view = view;
    this.start = start;
    this.length = length;
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  number(offset: number, size: number): number {
    if (offset < 0 || offset + size > this.length) return 0;
    const at = this.start + offset;
    if (size === 1) return this.#view.getUint8(at);
    return size === 2
      ? this.#view.getUint16(at, this.littleEndian)
      : this.#view.getUint32(at, this.littleEndian);
  }

  /** A number of any size up to 8 bytes, with its sign. */
  value(offset: number, size: number, signed: boolean): bigint {
    if (size === 8) {
      if (offset < 0 || offset + 8 > this.length) return 0n;
      const at = this.start + offset;
      return signed
        ? this.#view.getBigInt64(at, this.littleEndian)
        : this.#view.getBigUint64(at, this.littleEndian);
    }
    if (size !== 1 && size !== 2 && size !== 4) return 0n;
    const number = BigInt(this.number(offset, size));
    return signed ? BigInt.asIntN(8 * size, number) : number;
  }

  /** Where a field's data are: of a located one behind the fixed part. Never outside the record. */
  data(field: EventField): { readonly offset: number; readonly length: number } {
    if (field.located === undefined) return this.#inside(field.offset, field.size);
    const word = this.number(field.offset, 4);
    const base = field.located === 'field' ? field.offset + field.size : 0;
    return this.#inside(base + (word & 0xffff), word >>> 16);
  }

  /** A field as text: up to its NUL. */
  text(field: EventField): string {
    const { offset, length } = this.data(field);
    const from = this.start + offset;
    const end = this.bytes.subarray(from, from + length).indexOf(0);
    return latin1(this.bytes, from, from + (end < 0 ? length : end));
  }

  #inside(offset: number, length: number): { readonly offset: number; readonly length: number } {
    const from = Math.min(offset, this.length);
    return { offset: from, length: Math.min(length, this.length - from) };
  }
}
