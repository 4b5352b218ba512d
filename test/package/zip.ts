/** The directory of a zip file, as its last records give it (APPNOTE.TXT 4.3.12 and 4.3.16). */
import assert from 'node:assert/strict';

export interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked. */
  readonly size: number;
  /** Unix permission bits; 0 when the packer noted none. */
  readonly mode: number;
}

const END_SIGNATURE = 0x0605_4b50;
const ENTRY_SIGNATURE = 0x0201_4b50;
const END_LENGTH = 22;

/** Reads the central directory. For packages of ours: no zip64, no comment at the end. */
export function zipEntries(bytes: Buffer): ZipEntry[] {
  const end = bytes.length - END_LENGTH;
  assert.equal(bytes.readUInt32LE(end), END_SIGNATURE, 'no end of central directory where it belongs');
  const entries: ZipEntry[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    assert.equal(bytes.readUInt32LE(at), ENTRY_SIGNATURE, `no directory entry at offset ${String(at)}`);
    const nameLength = bytes.readUInt16LE(at + 28);
    entries.push({
      name: bytes.toString('utf8', at + 46, at + 46 + nameLength),
      size: bytes.readUInt32LE(at + 24),
      mode: bytes.readUInt16LE(at + 40) & 0o777,
    });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}
