import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { frameNumber } from '../../../src/engine/values';
import { openImage, recogniseImage } from '../../../src/image/openImage';
import { frames } from '../../builders/elf';
import {
  buildKdump,
  COMPRESS,
  flatten,
  type Kdump,
  type KdumpOptions,
  type Method,
} from '../../builders/kdump';
import { countingSource, openBytes, platform, refusal, value, whyMissing, wordAt } from './support';

const METHODS: readonly Method[] = ['none', 'zlib', 'lzo', 'snappy', 'zstd'];
const CORPUS = path.join(__dirname, '../../fixtures/corpus');

const word = (seed: number, index: number): number => seed * 2 ** 20 + index;
const dump = (options: Partial<KdumpOptions> = {}): Kdump =>
  buildKdump({
    pages: new Map([
      [1, frames(1, 1)],
      [2, frames(1, 2)],
      [5, new Uint8Array(4096)],
      [0x10_0000, frames(1, 3)],
    ]),
    ...options,
  });
const packed = (method: Method, options: Partial<KdumpOptions> = {}): Kdump =>
  dump({ method, compress: COMPRESS[method], ...options });
const open = async (file: Uint8Array, name = 'vmcore') => value(await openBytes(file, {}, name));

/** A copy with one number overwritten, little-endian. */
function withNumber(file: Uint8Array, at: number, size: 1 | 4 | 8, number: number | bigint): Uint8Array {
  const copy = file.slice();
  for (let i = 0; i < size; i++) copy[at + i] = Number((BigInt(number) >> BigInt(8 * i)) & 0xffn);
  return copy;
}

/** The frames of a real guest, by frame number. */
function realPages(name: string): Map<number, Uint8Array> {
  const bytes = new Uint8Array(gunzipSync(readFileSync(path.join(CORPUS, `${name}.raw.gz`))));
  const { segments } = JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as {
    segments: { paddr: string; offset: number; length: number }[];
  };
  return new Map(
    segments.flatMap(({ paddr, offset, length }) =>
      Array.from({ length: length / 4096 }, (_, i): [number, Uint8Array] => [
        Number(paddr) / 4096 + i,
        bytes.slice(offset + 4096 * i, offset + 4096 * (i + 1)),
      ]),
    ),
  );
}

describe('kdump-compressed dumps: what is read', () => {
  for (const version of [1, 2, 3, 4, 5, 6]) {
    it(`reads version ${version}`, async () => {
      const { memory, format, problems } = await open(packed('zlib', { version }).file);
      assert.deepEqual(problems, []);
      assert.equal(format, 'kdump-compressed (zlib)');
      assert.deepEqual(
        [0x1004, 0x2ffc, 0x5000, 0x1_0000_0008].map((address) => wordAt(memory, address)),
        [word(1, 1), word(2, 1023), 0, word(3, 2)],
      );
      assert.equal(memory.bytesHeld, 4 * 4096);
      assert.equal(memory.highestAddress, 0x1_0000_0fff);
      assert.deepEqual(memory.ranges(9), [
        { start: 0x1000, end: 0x3000 },
        { start: 0x5000, end: 0x6000 },
        { start: 0x1_0000_0000, end: 0x1_0000_1000 },
      ]);
      assert.equal(wordAt(memory, 0x3000), undefined);
    });
  }

  for (const method of METHODS) {
    for (const name of ['vtd-small-share', 'smmuv3-pt-share']) {
      it(`gives every frame of ${name} from ${method === 'none' ? 'plain pages' : method}, flattened too`, async () => {
        const pages = realPages(name);
        const { file } = buildKdump({ pages, method, compress: COMPRESS[method], sharedZero: true });
        const flat = flatten(
          Array.from({ length: Math.ceil(file.length / 5000) }, (_, i) => ({
            offset: 5000 * i,
            bytes: file.subarray(5000 * i, 5000 * (i + 1)),
          })).reverse(),
        );
        for (const bytes of [file, flat]) {
          const { memory, problems } = await open(bytes);
          assert.deepEqual(problems, []);
          assert.equal(memory.bytesHeld, 4096 * pages.size);
          for (const [frame, page] of pages) {
            const words = memory.readFrame(frameNumber(frame));
            assert.ok(words, memory.explainMissing(frameNumber(frame)));
            assert.deepEqual(new Uint8Array(words.buffer, words.byteOffset, 4096), page);
          }
        }
      });
    }
  }

  for (const pageBytes of [16_384, 65_536]) {
    it(`reads dumps of machines with pages of ${pageBytes} bytes`, async () => {
      const perPage = pageBytes / 4096;
      const pages = new Map([
        [2, frames(perPage, 1)],
        [3, new Uint8Array(pageBytes)],
        [7, frames(perPage, 2)],
      ]);
      const { file } = buildKdump({
        pages,
        pageBytes,
        method: 'lzo',
        compress: COMPRESS.lzo,
        sharedZero: true,
      });
      const { memory, problems } = await open(file);
      assert.deepEqual(problems, []);
      for (let i = perPage - 1; i >= 0; i--) {
        assert.equal(wordAt(memory, 2 * pageBytes + 4096 * i + 4), word(1, 1024 * i + 1));
        assert.equal(wordAt(memory, 3 * pageBytes + 4096 * i), 0);
        assert.equal(wordAt(memory, 7 * pageBytes + 4096 * i + 8), word(2, 1024 * i + 2));
      }
      assert.equal(wordAt(memory, 4 * pageBytes), undefined);
    });
  }

  it('reads across pages with and without a gap', async () => {
    const { memory } = await open(packed('snappy').file);
    const bytes = new Uint8Array(0x4000);
    assert.equal(memory.read(0x1800, bytes), 0x1800);
    assert.deepEqual(bytes.subarray(0, 0x800), frames(1, 1).subarray(0x800));
    assert.deepEqual(bytes.subarray(0x800, 0x1800), frames(1, 2));
  });

  it('reads a gzip of it, and tells both by their content', async () => {
    const { file } = packed('zlib');
    const gz = new Uint8Array(gzipSync(file));
    const { memory, format } = await open(gz, 'anything');
    assert.equal(format, 'kdump-compressed (zlib), gzip');
    assert.equal(wordAt(memory, 0x2000), word(2, 0));
    const flat = flatten([{ offset: 0, bytes: file }]);
    for (const [bytes, id] of [
      [file, 'kdump'],
      [flat, 'flattened'],
      [gz, 'gzip of kdump'],
    ] as const) {
      const recognised = value(await recogniseImage({ kind: 'bytes', name: 'x', bytes }, platform));
      assert.deepEqual(recognised, { format: id, needsSegments: false, describesItself: false });
    }
  });

  it('tells pages that makedumpfile left out from pages of zeros and from holes', async () => {
    const options = { excluded: [3, 0x9000], dumpLevel: 31, sharedZero: true };
    const { memory, problems } = await open(packed('zlib', options).file);
    assert.equal(wordAt(memory, 0x5000), 0);
    assert.equal(wordAt(memory, 0x3000), undefined);
    assert.match(
      whyMissing(memory, 0x3000),
      /^physical address 0x3000 was RAM, but excluded by makedumpfile, dump level 31$/,
    );
    assert.match(whyMissing(memory, 0x900_0000), /excluded by makedumpfile, dump level 31/);
    assert.match(
      whyMissing(memory, 0x4000),
      /0x4000 is not in the image \(nearest: 0x1000-0x3000 and 0x5000-0x6000\)/,
    );
    assert.match(whyMissing(memory, 0x5_0000_0000), /is not in the image/);
    assert.equal(memory.bytesHeld, 4 * 4096);
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['info', 'image/kdump-excluded']],
    );
  });
});

describe('kdump-compressed dumps: large ones', () => {
  /** A source of 1 TiB's bitmaps, in which `held` says which pages there are, without their bytes. */
  async function openLarge(
    held: (byte: number) => number,
  ): Promise<{ bytes: number; image: Awaited<ReturnType<typeof open>> }> {
    const { file, bitmap1, bitmap2, descriptors } = buildKdump({
      pages: new Map([[0, frames(1, 1)]]),
      maxMapnr: 2 ** 28,
    });
    for (let i = 0; i < 2 ** 25; i++) {
      const byte = held(i);
      file[bitmap1 + i] = byte;
      file[bitmap2 + i] = byte;
    }
    const table = file.subarray(descriptors, descriptors + 24).slice();
    const counted = countingSource(file, 'vmcore');
    const source = {
      ...counted,
      // All pages stand where the first does: the table goes on for ever.
      size: 2 ** 45,
      read(offset: number, target: Uint8Array): number {
        if (offset < descriptors) return counted.read(offset, target);
        for (let i = 0; i < target.length; i++) {
          const at = offset + i - descriptors;
          target[i] =
            (offset >= 2 ** 40 ? file.subarray(descriptors + 24)[(offset + i) % 4096] : table[at % 24]) ?? 0;
        }
        return target.length;
      },
    };
    new DataView(table.buffer).setBigUint64(0, 2n ** 40n, true);
    const opened = value(
      await openImage(
        { kind: 'path', path: 'vmcore' },
        { platform: { ...platform, openPath: () => ({ ok: true, value: source }) } },
      ),
    );
    return { bytes: counted.bytesRead, image: opened };
  }

  it('opens 1 TiB of pages by reading one bitmap', async () => {
    const { image, bytes } = await openLarge((i) => (i < 2 ** 24 ? 0xff : 0));
    assert.equal(image.memory.bytesHeld, 2 ** 39);
    assert.equal(image.memory.segments, 1);
    assert.ok(bytes < 2 ** 25 + 65_536, `${bytes} bytes`);
    assert.equal(wordAt(image.memory, 2 ** 39 - 4096 + 8), word(1, 2));
    assert.equal(wordAt(image.memory, 2 ** 39), undefined);
  }).timeout(60_000);

  it('opens 1 TiB in which every other page is missing, in bounded memory', async () => {
    const before = process.memoryUsage();
    const { image } = await openLarge(() => 0x55);
    const after = process.memoryUsage();
    assert.equal(image.memory.bytesHeld, 2 ** 39);
    assert.ok(image.memory.segments <= 2 ** 18, `${image.memory.segments} segments`);
    assert.ok(
      after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers < 256 * 2 ** 20,
      'the source itself has 64 MiB',
    );
    assert.equal(wordAt(image.memory, 2 ** 39 + 8), word(1, 2));
    assert.equal(wordAt(image.memory, 2 ** 39 + 4096), undefined);
    assert.equal(wordAt(image.memory, 2 ** 40 - 8192 + 8), word(1, 2));
  }).timeout(60_000);
});

describe('kdump-compressed dumps: what is refused', () => {
  const good = dump();
  const { file } = good;
  const swapped = withNumber(file, 8, 4, 0x0600_0000);
  const class32 = withNumber(withNumber(withNumber(file, 428, 4, 70_000), 432, 4, 0), 416, 4, 4096);
  const refusals: [string, Uint8Array, string, RegExp][] = [
    ['a part of a split dump', dump({ split: 1 }).file, 'image/kdump-split', /makedumpfile --reassemble/],
    ['a split dump of version 2', dump({ split: 1, version: 2 }).file, 'image/kdump-split', /--reassemble/],
    ['a big-endian machine', swapped, 'image/kdump-big-endian', /little-endian/],
    ['a 32-bit machine', class32, 'image/kdump-class32', /pmemsave/],
    ['a version to come', withNumber(file, 8, 4, 7), 'image/kdump-version', /makedumpfile -E/],
    ['a block size that is none', withNumber(file, 428, 4, 4097), 'image/kdump-bad-header', /copy it again/],
    ['no sub header', withNumber(file, 432, 4, 0), 'image/kdump-bad-header', /copy it again/],
    [
      'a sub header of 2^31 blocks',
      withNumber(file, 432, 4, 2 ** 31),
      'image/kdump-bad-header',
      /copy it again/,
    ],
    ['more bitmap than file', withNumber(file, 436, 4, 2 ** 31), 'image/kdump-truncated', /copy it again/],
    ['no bitmap', withNumber(file, 436, 4, 0), 'image/kdump-bad-header', /copy it again/],
    [
      'max_mapnr beyond the bitmaps',
      withNumber(file, 4096 + 96, 8, 2n ** 40n),
      'image/kdump-bad-header',
      /copy it again/,
    ],
    [
      'max_mapnr beyond 53 bits',
      withNumber(file, 4096 + 96, 8, 2n ** 63n),
      'image/kdump-bad-header',
      /copy it again/,
    ],
    ['max_mapnr 0', withNumber(file, 4096 + 96, 8, 0), 'image/kdump-no-memory', /./],
    ['no pages', buildKdump({ pages: new Map(), excluded: [1, 2] }).file, 'image/kdump-no-memory', /-d/],
    ['a header alone', file.slice(0, 464), 'image/kdump-truncated', /copy it again/],
    ['the signature alone', file.slice(0, 8), 'image/kdump-truncated', /copy it again/],
    ['headers alone', file.slice(0, good.descriptors), 'image/kdump-truncated', /copy it again/],
  ];
  for (const [what, bytes, code, hint] of refusals) {
    it(`refuses ${what}, with the reason and what to do`, async () => {
      const failure = refusal(await openBytes(bytes, {}, 'vmcore'));
      assert.equal(failure.code, code);
      assert.match(failure.message, /vmcore/);
      assert.match(failure.hint ?? '', hint);
    });
  }
});

describe('kdump-compressed dumps: damage', () => {
  it('reads what a cut file still has, and says what is missing', async () => {
    const { file } = packed('zlib');
    const { memory, problems } = await open(file.slice(0, file.length - 10));
    assert.equal(wordAt(memory, 0x1004), word(1, 1));
    assert.equal(wordAt(memory, 0x1_0000_0000), undefined);
    assert.match(whyMissing(memory, 0x1_0000_0000), /past the end of the file: vmcore is truncated/);
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['error', 'image/kdump-truncated']],
    );
  });

  it('says so when the table of descriptors is cut', async () => {
    const { file, descriptors } = packed('zlib');
    const { memory, problems } = await open(file.slice(0, descriptors + 50));
    assert.match(whyMissing(memory, 0x1_0000_0000), /descriptor \(number 3\) is past the end of the file/);
    assert.equal(problems[0]?.code, 'image/kdump-truncated');
  });

  it('says so when the writer marked the dump as incomplete', async () => {
    const { problems } = await open(dump({ incomplete: true }).file);
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['warning', 'image/kdump-incomplete']],
    );
  });

  const lies: [string, number, 4 | 8, number | bigint, RegExp][] = [
    ['an offset beyond the file', 0, 8, 2n ** 40n, /past the end of the file/],
    ['an offset of 2^64 - 1', 0, 8, 2n ** 64n - 1n, /impossible offset/],
    ['a size of 0', 8, 4, 0, /damaged: 0 bytes for a page of 4096/],
    ['a size of 4 GiB', 8, 4, 0xffff_ffff, /damaged: 4294967295 bytes/],
    ['two compressions', 12, 4, 3, /names 2 compressions \(flags 0x3\)/],
    ['no compression for packed bytes', 12, 4, 0, /damaged: \d+ bytes for a page of 4096/],
    ['another compression', 12, 4, 2, /are damaged \(lzo: /],
  ];
  for (const [what, field, size, lie, why] of lies) {
    it(`explains a descriptor with ${what}, and reads the other pages`, async () => {
      const { file, descriptors } = packed('zlib');
      const { memory } = await open(withNumber(file, descriptors + 24 + field, size, lie));
      assert.equal(wordAt(memory, 0x2000), undefined);
      assert.match(whyMissing(memory, 0x2000), /^physical address 0x2000 cannot be read: /);
      assert.match(whyMissing(memory, 0x2000), why);
      assert.equal(wordAt(memory, 0x1004), word(1, 1));
      assert.equal(wordAt(memory, 0x1_0000_0004), word(3, 1));
    });
  }

  it('names the compression and the place of a damaged page', async () => {
    const { file, data } = packed('zlib');
    const { memory } = await open(withNumber(file, data + 2, 8, 0xffff_ffff_ffff_ffffn));
    assert.match(whyMissing(memory, 0x1000), new RegExp(`file offset ${data} are damaged \\(zlib: .+\\)$`));
  });

  for (const method of METHODS) {
    it(`cut and damaged anywhere is read or refused, never hangs (${method})`, async () => {
      const sources = [packed(method).file, flatten([{ offset: 0, bytes: packed(method).file }])];
      const damage = fc.record({
        source: fc.constantFrom(...sources),
        flips: fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7), early: fc.boolean() }), { maxLength: 6 }),
        cut: fc.option(fc.nat(), { freq: 3 }),
      });
      const property = fc.asyncProperty(damage, async ({ source, flips, cut }) => {
        const file = source.slice(0, cut === null ? source.length : cut % source.length);
        for (const { at, bit, early } of flips) {
          const index = at % Math.max(1, early ? Math.min(file.length, 600) : file.length);
          if (index < file.length) file[index] = (file[index] ?? 0) ^ (1 << bit);
        }
        const opened = await openBytes(file, { assumeFromZero: true }, 'vmcore');
        if (!opened.ok) {
          assert.match(opened.failure.code, /^image\//);
          assert.ok(opened.failure.hint && opened.failure.message.length < 1000);
          return;
        }
        const { memory } = opened.value;
        for (const { start, end } of memory.ranges(10)) {
          for (const address of [start, end - 1, end]) {
            const frame = frameNumber(Math.floor(address / 4096));
            if (!memory.readFrame(frame)) assert.match(memory.explainMissing(frame), /^physical address 0x/);
          }
        }
        memory.close();
      });
      await fc.assert(property, {
        numRuns: 400,
        interruptAfterTimeLimit: 2000,
        markInterruptAsFailure: false,
      });
    }).timeout(30_000);
  }
});
