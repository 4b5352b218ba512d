import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { COMPRESSIONS } from '../../../src/image/readers/kdump/compression';
import { COMPRESS, type Method } from '../../builders/kdump';

/** Pages of real tables and of text, packed by the libraries that makedumpfile and QEMU use. */
interface Packed {
  readonly pages: readonly Readonly<Record<'page' | 'lzo' | 'snappy' | 'zstd' | 'zstd19', string>>[];
}
const PACKED = JSON.parse(
  readFileSync(path.join(__dirname, '../../fixtures/kdump/pages.json'), 'utf8'),
) as Packed;
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

function decompress(name: string, bytes: Uint8Array, size: number): Uint8Array {
  const method = COMPRESSIONS.find((candidate) => candidate.name === name);
  assert.ok(method, name);
  const output = new Uint8Array(size).fill(0xa5);
  method.decompress(bytes, output);
  return output;
}

const METHODS = ['zlib', 'lzo', 'snappy', 'zstd'] as const satisfies readonly Method[];

/** Pages that compress: words that come again, runs, and noise. */
const page = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc
        .record({ byte: fc.nat(255), count: fc.integer({ min: 1, max: 3000 }) })
        .map(({ byte, count }) => new Uint8Array(count).fill(byte)),
      fc.constantFrom('page table ', 'entry').map((text) => new TextEncoder().encode(text)),
    ),
    { maxLength: 40 },
  )
  .chain((parts) =>
    fc.constantFrom(4096, 65_536).map((size) => {
      const bytes = new Uint8Array(size);
      let at = 0;
      for (let i = 0; parts.length > 0 && at < size && i < 4000; i++) {
        const part = (parts[i % parts.length] ?? bytes).subarray(0, size - at);
        bytes.set(part, at);
        at += part.length;
      }
      return bytes;
    }),
  );

describe('kdump: pages by compression', () => {
  for (const name of ['lzo', 'snappy', 'zstd', 'zstd19'] as const) {
    it(`gives the pages that the original library packed with ${name}`, () => {
      assert.ok(PACKED.pages.length >= 15);
      for (const packed of PACKED.pages) {
        const expected = new Uint8Array(gunzipSync(bytesOf(packed.page)));
        const given = decompress(name.replace('19', ''), bytesOf(packed[name]), expected.length);
        assert.deepEqual(given, expected);
      }
    });
  }

  for (const name of METHODS) {
    it(`gives any page that was packed with ${name}`, () => {
      fc.assert(
        fc.property(page, (bytes) => {
          const packed = COMPRESS[name](bytes);
          assert.ok(packed);
          assert.deepEqual(decompress(name, packed, bytes.length), bytes);
        }),
        { numRuns: 40 },
      );
    });

    it(`takes damaged ${name} data as damaged, never as a reason to hang`, () => {
      const sources = PACKED.pages.slice(0, 14).map((packed) => {
        const bytes = new Uint8Array(gunzipSync(bytesOf(packed.page)));
        return name === 'zlib' ? COMPRESS.zlib(bytes) : bytesOf(packed[name]);
      });
      const flips = fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { maxLength: 4 });
      const property = fc.property(
        fc.constantFrom(...sources),
        flips,
        fc.option(fc.nat(), { freq: 3 }),
        fc.option(fc.uint8Array({ maxLength: 300 }), { freq: 5 }),
        (source, changes, cut, rubbish) => {
          const bytes = rubbish ?? source?.slice() ?? new Uint8Array(0);
          for (const { at, bit } of changes) {
            const index = at % Math.max(1, bytes.length);
            if (index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
          }
          const given = cut === null ? bytes : bytes.slice(0, cut % (bytes.length + 1));
          try {
            decompress(name, given, 4096);
          } catch (error) {
            assert.ok(error instanceof Error && error.message.length > 0 && error.message.length < 200);
          }
        },
      );
      fc.assert(property, { numRuns: 3000, interruptAfterTimeLimit: 2000, markInterruptAsFailure: false });
    }).timeout(20_000);

    it(`refuses ${name} data that give too little or too much for a page`, () => {
      const bytes = COMPRESS[name](new Uint8Array(4096).fill(7));
      assert.ok(bytes);
      for (const size of [4095, 4097, 8192, 64]) {
        assert.throws(() => decompress(name, bytes, size), Error, `${name} ${size}`);
      }
      assert.throws(() => decompress(name, bytes.subarray(0, bytes.length - 1), 4096));
      assert.throws(() => decompress(name, new Uint8Array(0), 4096));
    });
  }

  it('finds damage in zlib data by the checksum', () => {
    const bytes = COMPRESS.zlib(new Uint8Array(4096).fill(7));
    assert.ok(bytes);
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    assert.throws(() => decompress('zlib', bytes, 4096), /checksum/);
  });

  // By the description of the format, byte by byte: 17 + n literals first, then what each instruction copies.
  const lzo: [string, number[], string][] = [
    ['four literals and the end', [21, 97, 98, 99, 100, 17, 0, 0], 'abcd'],
    ['2 bytes from 1 back, after a literal (0000DDSS)', [18, 97, 0x00, 0, 17, 0, 0], 'aaa'],
    ['2 bytes from 2 back, after two literals', [19, 97, 98, 0x04, 0, 17, 0, 0], 'abab'],
    ['3 bytes from 3 back (01LDDDSS)', [20, 97, 98, 99, 0x48, 0, 17, 0, 0], 'abcabc'],
    ['4 bytes, and then one literal', [20, 97, 98, 99, 0x69, 0, 100, 17, 0, 0], 'abcabcad'],
    ['8 bytes over themselves (1LLDDDSS)', [18, 97, 0xe0, 0, 17, 0, 0], 'aaaaaaaaa'],
    ['a long copy (001LLLLL, length after it)', [18, 97, 0x20, 1, 0, 0, 17, 0, 0], 'a'.repeat(35)],
    [
      'a long literal run (0000LLLL in state 0)',
      [18, 97, 0xe0, 0, 0x01, 98, 99, 100, 101, 17, 0, 0],
      `${'a'.repeat(9)}bcde`,
    ],
  ];
  for (const [what, bytes, expected] of lzo) {
    it(`LZO: ${what}`, () => {
      const given = decompress('lzo', Uint8Array.from(bytes), expected.length);
      assert.equal(new TextDecoder().decode(given), expected);
    });
  }

  it('LZO: 3 bytes from 2149 back after many literals (0000DDSS in state 4)', () => {
    const literals = Array.from({ length: 238 }, (_, i) => i);
    // A copy from 1 back repeats the last literal.
    const run = [0x20, ...new Array<number>(7).fill(0), 255 - 31 + 7, 0, 0];
    const copied = 2 + 31 + 7 * 255 + (255 - 31 + 7);
    // After a copy without literals 0001 is a run of 4 literals: state 4, in which 0000DDSS reaches 2049 and more back.
    const stream = [255, ...literals, ...run, 0x01, 1, 2, 3, 4, 0x00, 25, 17, 0, 0];
    const size = 238 + copied + 4 + 3;
    const given = decompress('lzo', Uint8Array.from(stream), size);
    const before = [...literals, ...new Array<number>(copied).fill(237), 1, 2, 3, 4];
    assert.deepEqual([...given], [...before, ...before.slice(before.length - 2149, before.length - 2146)]);
  });

  // By the description of the format: tag, then what it says.
  const snappy: [string, number[], string][] = [
    ['a literal and a copy with one byte of offset', [8, 0x0c, 97, 98, 99, 100, 0x01, 4], 'abcdabcd'],
    ['a copy with two bytes of offset over itself', [5, 0x00, 97, 0x0e, 1, 0], 'aaaaa'],
    ['a copy with four bytes of offset', [3, 0x04, 97, 98, 0x03, 2, 0, 0, 0], 'aba'],
    ['a literal whose length stands in four bytes', [2, 0xfc, 1, 0, 0, 0, 97, 98], 'ab'],
  ];
  for (const [what, bytes, expected] of snappy) {
    it(`Snappy: ${what}`, () => {
      const given = decompress('snappy', Uint8Array.from(bytes), expected.length);
      assert.equal(new TextDecoder().decode(given), expected);
    });
  }

  const hostile: [string, string, number[]][] = [
    ['snappy', 'a literal of 2^32 bytes', [0x80, 0x20, 0xfc, 255, 255, 255, 255, 1]],
    ['snappy', 'a length that never ends', [255, 255, 255, 255, 255, 255]],
    ['snappy', 'a copy of what is not there', [0x80, 0x20, 0x01, 1]],
    ['snappy', 'a copy from 0 back', [0x80, 0x20, 0x00, 97, 0x01, 0]],
    ['lzo', 'a copy of what is not there', [0x40, 0, 17, 0, 0]],
    ['lzo', 'a length of zeros', [18, 97, 0x20, ...new Array<number>(4000).fill(0)]],
    [
      'zstd',
      'more sequences than a page has room for',
      [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0x0f, 0x4d, 0, 0, 0, 255, 255, 255, 0x54, 52, 0, 0, 1],
    ],
    ['zstd', 'a dictionary', [0x28, 0xb5, 0x2f, 0xfd, 0x21, 1, 0, 1, 0, 0]],
  ];
  for (const [name, what, bytes] of hostile) {
    it(`refuses ${what} (${name})`, () => {
      assert.throws(() => decompress(name, Uint8Array.from(bytes), 4096), Error);
    });
  }
});
