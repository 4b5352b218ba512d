import { decompressZlib } from '../../../bytes/zlib';
import { decompressZstd } from '../../../bytes/zstd';
import { DatError } from './fileBytes';

/** What one section may have unpacked: symbols and event formats of a large kernel are a tenth of it. */
export const SECTION_LIMIT = 256 * 2 ** 20;
/** More than any of the algorithms can pack. */
const MOST_RATIO = 70_000;

/** Unpacks `bytes` into exactly `output`; throws an Error when they are damaged. */
export type Unpack = (bytes: Uint8Array, output: Uint8Array) => void;

const UNPACKERS: ReadonlyMap<string, Unpack> = new Map([
  ['zstd', decompressZstd],
  ['zlib', decompressZlib],
]);

/** The algorithm of a version 7 file's header; undefined is `none`. */
export function unpacker(name: string): Unpack | undefined {
  if (name === 'none' || name === '') return undefined;
  const found = UNPACKERS.get(name);
  if (found) return found;
  const known = [...UNPACKERS.keys()].join(' or ');
  throw new DatError(`it is packed with ${name.slice(0, 32)}, which is not known (${known} are)`, 0);
}

/** Unpacks one piece that says how large it will be. `offset`: where it stands in the file. */
export function unpackPiece(unpack: Unpack, bytes: Uint8Array, size: number, offset: number): Uint8Array {
  if (size > SECTION_LIMIT || size > bytes.length * MOST_RATIO) {
    throw new DatError(`${bytes.length} packed bytes say that they are ${size}`, offset);
  }
  const output = new Uint8Array(size);
  try {
    unpack(bytes, output);
  } catch (error) {
    throw new DatError(
      `packed data are damaged: ${error instanceof Error ? error.message : String(error)}`,
      offset,
    );
  }
  return output;
}
