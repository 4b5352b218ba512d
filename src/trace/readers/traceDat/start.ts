import { DatCursor } from './fileBytes';

const MAGIC = [0x17, 0x08, 0x44, ...Array.from('tracing', (letter) => letter.charCodeAt(0))];
/** Names of versions and of algorithms are short. */
export const START_BYTES = 256;

/** What a trace.dat begins with (trace-cmd.dat.v6 and v7, INITIAL FORMAT). */
export interface Start {
  readonly version: number;
  readonly bigEndian: boolean;
  readonly pageSize: number;
  /** Of version 7. */
  readonly compression: string;
  readonly options: number;
  /** Behind the start. */
  readonly end: number;
}

export const isTraceDat = (head: Uint8Array): boolean =>
  head.length > MAGIC.length && MAGIC.every((byte, index) => head[index] === byte);

/** Throws a DatError. */
export function readStart(head: Uint8Array): Start {
  const bytes = head.subarray(0, START_BYTES);
  const names = new DatCursor(bytes, false, 0, 'the start');
  names.take(MAGIC.length);
  const written = names.string();
  const version = Number(written);
  const bigEndian = names.u8() !== 0;
  const cursor = new DatCursor(bytes, bigEndian, 0, 'the start');
  cursor.at = names.at + 1; // behind the size of user space's long
  const pageSize = cursor.u32();
  if (version !== 6 && version !== 7)
    throw cursor.error(`version ${written.slice(0, 16)} is not known (6 and 7 are)`);
  if (version === 6) return { version, bigEndian, pageSize, compression: 'none', options: 0, end: cursor.at };
  const compression = cursor.string();
  cursor.string();
  const options = cursor.u64();
  return { version, bigEndian, pageSize, compression, options, end: cursor.at };
}
