import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { recogniseImage } from '../../../src/image/openImage';
import { buildElf, frames } from '../../builders/elf';
import { openBytes, platform, refusal, value, whyMissing, wordAt } from './support';

const word = (seed: number, index: number): number => seed * 2 ** 20 + index;
const elf = buildElf({ loads: [{ paddr: 0x1000, bytes: frames(2, 1) }] });
const raw = frames(3, 4);

describe('opening an image: format by content', () => {
  it('reads ELF, raw with segments, and gzip of both, whatever their names', async () => {
    const segments = [{ paddr: 0x8000, offset: 4096, length: 8192 }];
    for (const name of ['x.elf.gz', 'x.raw', 'x']) {
      for (const pack of [
        (bytes: Uint8Array) => bytes,
        (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
      ]) {
        const fromElf = value(await openBytes(pack(elf), {}, name));
        assert.equal(wordAt(fromElf.memory, 0x1004), word(1, 1));
        const fromRaw = value(await openBytes(pack(raw), { segments }, name));
        assert.equal(wordAt(fromRaw.memory, 0x9000), word(4, 2048));
        assert.deepEqual([...fromElf.problems, ...fromRaw.problems], []);
      }
    }
    assert.equal(value(await openBytes(new Uint8Array(gzipSync(elf)))).format, 'ELF64 core, gzip');
  });

  it('recognises them without reading them whole', async () => {
    const text = new TextEncoder().encode('$ cat x\nDevice 0000:00:02.0 @0x1000\n');
    const expected: [Uint8Array, string, boolean][] = [
      [elf, 'elf-core', false],
      [raw, 'raw', true],
      [new Uint8Array(gzipSync(elf)), 'gzip of elf-core', false],
      [new Uint8Array(gzipSync(new Uint8Array(50_000_000))), 'gzip of raw', true],
      [text, 'text-dump', false],
      [new Uint8Array(gzipSync(text)), 'gzip of text-dump', false],
    ];
    for (const [bytes, format, needsSegments] of expected) {
      const recognised = await recogniseImage({ kind: 'bytes', name: 'x', bytes }, platform);
      const describesItself = format.endsWith('text-dump');
      assert.deepEqual(value(recognised), { format, needsSegments, describesItself });
    }
  });

  const known: [string, string][] = [
    ['DISKDUMP', 'a diskdump file'],
    ['EMiL', 'a LiME memory dump'],
    ['QEVM', 'a QEMU savevm stream'],
    ['PAGEDU64', 'a Windows crash dump'],
    ['\xfd7zXZ\0', 'an xz file'],
    ['\x28\xb5\x2f\xfd', 'a zstd file'],
  ];
  for (const [magic, what] of known) {
    it(`does not take ${what} for raw memory, and says what to do`, async () => {
      const bytes = new Uint8Array(8192);
      bytes.set(Buffer.from(magic, 'latin1'));
      const failure = refusal(await openBytes(bytes));
      assert.equal(failure.code, 'image/format-not-read');
      assert.ok(failure.message.includes(what), failure.message);
      assert.ok(failure.hint);
    });
  }

  it('refuses an empty file and gzip in gzip', async () => {
    assert.equal(refusal(await openBytes(new Uint8Array())).code, 'image/empty');
    const twice = new Uint8Array(gzipSync(gzipSync(elf)));
    assert.match(refusal(await openBytes(twice)).message, /packed with gzip twice/);
  });
});

describe('opening raw memory', () => {
  it('refuses it without segments, and says how to describe it', async () => {
    const failure = refusal(await openBytes(raw));
    assert.equal(failure.code, 'image/needs-segments');
    assert.match(failure.hint ?? '', /segments/);
  });

  it('takes physical address = file offset only when asked', async () => {
    const { memory } = value(await openBytes(raw, { assumeFromZero: true }));
    assert.equal(wordAt(memory, 0x2ffc), word(4, 3071));
    assert.equal(wordAt(memory, 0x3000), undefined);
  });

  it('reads an ELF file as raw bytes where segments say so', async () => {
    const segments = [{ paddr: 0x4000_0000, offset: 120, length: 4096 }];
    const { memory, format } = value(await openBytes(elf, { segments }));
    assert.equal(format, 'raw memory');
    assert.equal(wordAt(memory, 0x4000_0000), word(1, 0));
  });

  it('takes a segment without a length to the end of the file', async () => {
    const { memory } = value(await openBytes(raw, { segments: [{ paddr: 0x1000, offset: 4096 }] }));
    assert.equal(memory.bytesHeld, 8192);
    assert.equal(wordAt(memory, 0x1000), word(4, 1024));
  });

  it('reads the part of a segment that is there, and says what is missing', async () => {
    const segments = [{ paddr: 0, offset: 0, length: 16384 }];
    const { memory, problems } = value(await openBytes(raw, { segments }));
    assert.equal(wordAt(memory, 0x2000), word(4, 2048));
    assert.match(problems[0]?.message ?? '', /4096 bytes past the end of test\.elf \(12288 bytes\)/);
    assert.match(whyMissing(memory, 0x3000), /truncated and lacks 0x3000-0x4000/);
  });

  it('refuses segments of which nothing is there, and impossible ones', async () => {
    const past = await openBytes(raw, { segments: [{ paddr: 0, offset: 99_999, length: 4096 }] });
    assert.equal(refusal(past).code, 'image/empty');
    for (const segment of [
      { paddr: -4096, offset: 0, length: 4096 },
      { paddr: 0, offset: -1, length: 4096 },
      { paddr: 0, offset: 0, length: -1 },
      { paddr: 2 ** 52, offset: 0 },
      { paddr: 2 ** 52 - 4096, offset: 0, length: 8192 },
      { paddr: NaN, offset: 0, length: 4096 },
      { paddr: 0, offset: 2 ** 53 - 1, length: 4096 },
    ]) {
      const failure = refusal(await openBytes(raw, { segments: [segment] }));
      assert.equal(failure.code, 'image/bad-segment', JSON.stringify(segment));
    }
  });
});
