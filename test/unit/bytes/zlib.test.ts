import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { decompressZlib } from '../../../src/bytes/zlib';

describe('zlib streams', () => {
  it('of 24 MiB of the largest bytes have the checksum that zlib wrote', () => {
    const bytes = new Uint8Array(24 * 2 ** 20).fill(0xff);
    const output = new Uint8Array(bytes.length);
    decompressZlib(deflateSync(bytes, { level: 1 }), output);
    assert.ok(Buffer.from(output).equals(bytes));
  });

  it('whose content is another are refused by the checksum', () => {
    const packed = deflateSync(new Uint8Array(100_000).fill(7), { level: 0 });
    packed[70_000] = 8;
    assert.throws(() => {
      decompressZlib(packed, new Uint8Array(100_000));
    }, /Adler-32/);
  });
});
