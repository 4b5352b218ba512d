import { failure, type Failure, type Result, success } from '../../engine/result';
import { elfCore } from './elfCore';
import { flattened } from './flattened';
import { kdump } from './kdump';
import { raw } from './raw';
import { type ImageReader, startsWith } from './reader';
import { textDump } from './textDump';

/** Asked in this order; the first that recognises the file reads it. Raw recognises everything. */
const READERS: readonly ImageReader[] = [elfCore, kdump, flattened([kdump, elfCore]), textDump, raw];

/** Bytes of a file that `chooseReader` wants to see. */
export const HEAD_BYTES = 4096;

/** Formats that are known and not read, so that they are not taken for raw memory. */
const UNREAD: readonly { readonly magic: string; readonly what: string; readonly hint: string }[] = [
  { magic: 'DISKDUMP', what: 'a diskdump file', hint: 'Dump as ELF, with makedumpfile -E.' },
  { magic: 'EMiL', what: 'a LiME memory dump', hint: 'Make the dump with format=raw or format=padded.' },
  {
    magic: 'QEVM',
    what: 'a QEMU savevm stream',
    hint: 'Load it in QEMU and write the memory with dump-guest-memory or pmemsave.',
  },
  { magic: 'PAGEDU64', what: 'a Windows crash dump', hint: 'Make a raw or an ELF dump of the memory.' },
  { magic: 'PAGEDUMP', what: 'a Windows crash dump', hint: 'Make a raw or an ELF dump of the memory.' },
  { magic: '\xfd7zXZ\0', what: 'an xz file', hint: 'Unpack it with xz -d, or pack it with gzip.' },
  { magic: '\x28\xb5\x2f\xfd', what: 'a zstd file', hint: 'Unpack it with zstd -d, or pack it with gzip.' },
  { magic: 'BZh', what: 'a bzip2 file', hint: 'Unpack it with bunzip2, or pack it with gzip.' },
  { magic: '\x1f\x8b', what: 'packed with gzip twice', hint: 'Unpack it once with gunzip.' },
  { magic: 'PK\x03\x04', what: 'a zip file', hint: 'Unpack it first.' },
];

/** Why a file that begins so is not read, when its format is known. */
function refuseKnown(head: Uint8Array, name: string): Failure | undefined {
  const known = UNREAD.find(({ magic }) => startsWith(head, magic));
  return known && { code: 'image/format-not-read', message: `${name} is ${known.what}.`, hint: known.hint };
}

/**
 * The reader for a file.
 *
 * @param head The first bytes, up to `HEAD_BYTES`.
 * @param described True when the user said where the bytes stand: then the file is raw, whatever it looks like.
 */
export function chooseReader(head: Uint8Array, name: string, described: boolean): Result<ImageReader> {
  if (described) return success(raw);
  if (head.length === 0) {
    return failure('image/empty', `${name} is empty.`, 'Choose another file, or copy it again.');
  }
  const refused = refuseKnown(head, name);
  if (refused) return { ok: false, failure: refused };
  return success(READERS.find((reader) => reader.recognise(head, name)) ?? raw);
}
