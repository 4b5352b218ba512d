import { decompressLzo } from './lzo';
import { decompressSnappy } from './snappy';
import { decompressZlib } from '../../../bytes/zlib';
import { decompressZstd } from '../../../bytes/zstd';

/** One way to compress a page. */
export interface PageCompression {
  /** Bit in the flags of a page descriptor, and in the status of the header for the dump as a whole. */
  readonly flag: number;
  readonly name: string;
  /** Fills `output` with the page; throws an `Error` whose message says what is wrong with `bytes`. */
  decompress(bytes: Uint8Array, output: Uint8Array): void;
}

/** DUMP_DH_COMPRESSED_* of makedumpfile and crash. */
export const COMPRESSIONS: readonly PageCompression[] = [
  { flag: 0x01, name: 'zlib', decompress: decompressZlib },
  { flag: 0x02, name: 'lzo', decompress: decompressLzo },
  { flag: 0x04, name: 'snappy', decompress: decompressSnappy },
  { flag: 0x20, name: 'zstd', decompress: decompressZstd },
];
