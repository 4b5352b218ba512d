import assert from 'node:assert/strict';
import { frameNumber } from '../../../src/engine/values';
import { buildElf, frames, PHDR, withField } from '../../builders/elf';
import { openBytes, refusal, value, whyMissing, wordAt } from './support';

const word = (seed: number, index: number): number => seed * 2 ** 20 + index;

describe('ELF core: what is read', () => {
  it('places each PT_LOAD at its physical address and ignores other program headers', async () => {
    const file = buildElf({
      loads: [
        { type: 4, paddr: 0, bytes: new Uint8Array(100) },
        { paddr: 0x1000, bytes: frames(2, 1) },
        { paddr: 0xffff_ffff_f000, bytes: frames(1, 2), vaddr: 0xffff_8000_0000_0000n },
      ],
    });
    const { memory, format, problems } = value(await openBytes(file));
    assert.equal(format, 'ELF64 core');
    assert.deepEqual(problems, []);
    assert.equal(wordAt(memory, 0x1000), word(1, 0));
    assert.equal(wordAt(memory, 0x2ffc), word(1, 2047));
    assert.equal(wordAt(memory, 0xffff_ffff_f004), word(2, 1));
    assert.equal(wordAt(memory, 0), undefined);
    assert.equal(wordAt(memory, 0x3000), undefined);
    assert.equal(memory.bytesHeld, 3 * 4096);
    assert.equal(memory.segments, 2);
    assert.equal(memory.highestAddress, 0xffff_ffff_ffff);
  });

  for (const machine of [62, 183, 243, 0]) {
    it(`reads e_machine ${machine}`, async () => {
      const file = withField(buildElf({ loads: [{ paddr: 0, bytes: frames(1, 1) }] }), 'machine', machine);
      assert.equal(wordAt(value(await openBytes(file)).memory, 4), word(1, 1));
    });
  }

  it('reads p_memsz beyond p_filesz as zeros, and says so', async () => {
    const file = buildElf({ loads: [{ paddr: 0x1000, bytes: frames(1, 1), memoryBytes: 3 * 4096 }] });
    const { memory, problems } = value(await openBytes(file));
    assert.deepEqual(
      [wordAt(memory, 0x1004), wordAt(memory, 0x2000), wordAt(memory, 0x3ffc)],
      [word(1, 1), 0, 0],
    );
    assert.equal(wordAt(memory, 0x4000), undefined);
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['info', 'image/elf-zeros']],
    );
  });

  it('reads a whole frame that two neighbouring segments make up', async () => {
    const bytes = frames(1, 7);
    const file = buildElf({
      loads: [
        { paddr: 0x1800, bytes: bytes.slice(0x800) },
        { paddr: 0x1000, bytes: bytes.slice(0, 0x800) },
      ],
    });
    const { memory } = value(await openBytes(file));
    assert.deepEqual(memory.readFrame(frameNumber(1)), new Uint32Array(bytes.buffer));
  });

  it('does not give a frame that is held in part', async () => {
    const file = buildElf({
      loads: [
        { paddr: 0x1800, bytes: frames(1, 1) },
        { paddr: 0x8000, bytes: frames(2, 2) },
      ],
    });
    const { memory } = value(await openBytes(file));
    assert.equal(wordAt(memory, 0x1000), undefined);
    assert.equal(wordAt(memory, 0x2000), undefined);
    assert.match(whyMissing(memory, 0x2000), /0x2000 is only partly in the image/);
  });

  for (const alignment of [1, 2, 3, 4, 8, 4096]) {
    it(`reads data at file offsets of alignment ${alignment}`, async () => {
      const pad = { type: 4, paddr: 0, bytes: new Uint8Array(alignment) };
      const file = buildElf({ loads: [pad, { paddr: 0x5000, bytes: frames(3, 3) }], alignment });
      const { memory } = value(await openBytes(file));
      assert.deepEqual(
        [0x5000, 0x6004, 0x7ffc].map((address) => wordAt(memory, address)),
        [word(3, 0), word(3, 1025), word(3, 3071)],
      );
    });
  }

  it('gives views into the file instead of copies when the words are aligned', async () => {
    const file = buildElf({ loads: [{ paddr: 0x1000, bytes: frames(1, 1) }] });
    const { memory } = value(await openBytes(file));
    assert.equal(memory.readFrame(frameNumber(1))?.buffer, file.buffer);
  });

  it('takes the count of program headers from section header 0 when e_phnum is 0xffff', async () => {
    const loads = Array.from({ length: 70_000 }, (_, i) => ({
      paddr: 0x1000 * (i % 3),
      offset: 64 + 64 + 70_000 * PHDR + 4096 * (i % 3),
      fileBytes: 4096,
      vaddr: 0x1_0000_0000 + i * 0x1000,
    }));
    const table = buildElf({ loads, extendedCount: true });
    const file = new Uint8Array(table.length + 3 * 4096);
    file.set(table);
    file.set(frames(3, 9), table.length);
    const { memory, problems } = value(await openBytes(file));
    assert.equal(memory.segments, 1);
    assert.equal(wordAt(memory, 0x2008), word(9, 2050));
    assert.deepEqual(problems, []);
  });
});

describe('ELF core: the same memory twice', () => {
  it('takes aliases (same file offset, other p_vaddr) as one', async () => {
    const bytes = frames(4, 1);
    const file = buildElf({
      loads: [
        { paddr: 0x1000, bytes },
        { paddr: 0x2000, offset: 64 + 3 * PHDR + 4096, fileBytes: 4096, vaddr: 0x1234_5000 },
        { paddr: 0x1000, offset: 64 + 3 * PHDR, fileBytes: 8192, vaddr: 0x5678_9000 },
      ],
    });
    const { memory, problems } = value(await openBytes(file));
    assert.deepEqual(problems, []);
    assert.equal(memory.segments, 1);
    assert.equal(memory.bytesHeld, bytes.length);
  });

  it('takes a second copy with the same bytes as no conflict', async () => {
    const bytes = frames(2, 1);
    const file = buildElf({
      loads: [
        { paddr: 0x1000, bytes },
        { paddr: 0x2000, bytes: bytes.slice(4096) },
      ],
    });
    const { memory, problems } = value(await openBytes(file));
    assert.deepEqual(problems, []);
    assert.equal(wordAt(memory, 0x2000), word(1, 1024));
  });

  it('reports overlapping segments with different bytes; the lower one wins', async () => {
    const file = buildElf({
      loads: [
        { paddr: 0x2000, bytes: frames(2, 2) },
        { paddr: 0x1000, bytes: frames(2, 1) },
      ],
    });
    const { memory, problems } = value(await openBytes(file));
    assert.equal(wordAt(memory, 0x2000), word(1, 1024));
    assert.equal(wordAt(memory, 0x3000), word(2, 1024));
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['warning', 'image/overlap']],
    );
    assert.match(
      problems.map(({ message }) => message).join('\n'),
      /0x2000-0x3000 .* different bytes \(first at 0x2001\)/,
    );
  });
});

describe('ELF core: truncated and lying headers', () => {
  const good = buildElf({
    loads: [
      { paddr: 0x1000, bytes: frames(2, 1) },
      { paddr: 0x8000, bytes: frames(2, 2) },
    ],
  });

  it('reads the part of a PT_LOAD that is there, and says what is missing', async () => {
    const { memory, problems } = value(await openBytes(good.slice(0, good.length - 5000)));
    assert.equal(wordAt(memory, 0x2000), word(1, 1024));
    assert.equal(wordAt(memory, 0x8000), undefined, 'the first frame lacks 904 bytes');
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['image/elf-truncated'],
    );
    assert.match(
      problems.map(({ message }) => message).join('\n'),
      /PT_LOAD 1 \(0x8000\).* 5000 bytes past the end/,
    );
    assert.match(whyMissing(memory, 0x9000), /past the end of the file: test\.elf is truncated/);
  });

  const refusals: [string, Uint8Array, string][] = [
    ['32-bit', withField(good, 'fileClass', 1), 'image/elf-class32'],
    ['big-endian', withField(good, 'data', 2), 'image/elf-big-endian'],
    ['unknown class', withField(good, 'fileClass', 7), 'image/elf-bad-header'],
    ['unknown version', withField(good, 'version', 0), 'image/elf-bad-header'],
    ['an executable', withField(good, 'type', 2), 'image/elf-not-core'],
    ['e_phentsize 0', withField(good, 'programHeaderBytes', 0), 'image/elf-bad-header'],
    ['e_phentsize 32', withField(good, 'programHeaderBytes', 32), 'image/elf-bad-header'],
    ['no program headers', withField(good, 'programHeaderCount', 0), 'image/elf-no-memory'],
    [
      'more program headers than the file holds',
      withField(good, 'programHeaderCount', 0xfffe),
      'image/elf-truncated',
    ],
    ['program headers past the end', withField(good, 'programHeaders', good.length), 'image/elf-truncated'],
    ['program headers at 2^64 - 1', withField(good, 'programHeaders', 2n ** 64n - 1n), 'image/elf-truncated'],
    [
      'e_phnum 0xffff without section headers',
      withField(good, 'programHeaderCount', 0xffff),
      'image/elf-bad-header',
    ],
    [
      'e_phnum 0xffff with section headers past the end',
      withField(withField(good, 'programHeaderCount', 0xffff), 'sectionHeaders', 2n ** 63n),
      'image/elf-truncated',
    ],
    ['a header alone', good.slice(0, 64), 'image/elf-truncated'],
    ['headers alone', good.slice(0, 64 + 2 * PHDR), 'image/elf-truncated'],
    ['the magic alone', good.slice(0, 4), 'image/elf-truncated'],
    [
      'the core of a process',
      buildElf({
        loads: [
          { paddr: 0, vaddr: 0x400000, bytes: frames(1, 1) },
          { paddr: 0, vaddr: 0x600000, bytes: frames(1, 2) },
        ],
      }),
      'image/elf-process-core',
    ],
    ['notes alone', buildElf({ loads: [{ type: 4, paddr: 0, bytes: frames(1, 1) }] }), 'image/elf-no-memory'],
  ];
  for (const [what, bytes, code] of refusals) {
    it(`refuses ${what}, with the reason and what to do`, async () => {
      const failure = refusal(await openBytes(bytes));
      assert.equal(failure.code, code);
      assert.match(failure.message, /test\.elf/);
      assert.ok(failure.hint, 'a hint');
    });
  }

  it('refuses a count beyond its bound before it takes memory', async () => {
    const file = buildElf({ loads: [{ paddr: 0, bytes: frames(1, 1) }], extendedCount: true });
    for (const count of [2 ** 20 + 1, 0xffff_ffff]) {
      new DataView(file.buffer).setUint32(64 + 44, count, true);
      const failure = refusal(await openBytes(file));
      assert.equal(failure.code, 'image/elf-too-many-headers');
      assert.match(failure.message, new RegExp(`has ${count} program headers; at most 1048576 are read`));
    }
  });

  it('leaves out ranges without a physical address, as /proc/kcore has them', async () => {
    const file = buildElf({
      loads: [
        { paddr: 2n ** 64n - 1n, bytes: frames(1, 1) },
        { paddr: 0x1000, bytes: frames(1, 2) },
      ],
    });
    const { memory, problems } = value(await openBytes(file));
    assert.equal(memory.bytesHeld, 4096);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['image/elf-not-physical'],
    );
  });

  const lies: [string, Partial<Record<'offset' | 'fileBytes' | 'memoryBytes', bigint>>][] = [
    ['an offset beyond the file', { offset: 1n << 40n }],
    ['an offset of 2^64 - 1', { offset: 2n ** 64n - 1n }],
    ['a size that overflows', { fileBytes: 2n ** 64n - 1n }],
    ['offset and size whose sum overflows', { offset: 2n ** 63n, fileBytes: 2n ** 63n }],
    ['a memory size that overflows', { memoryBytes: 2n ** 64n - 1n }],
    ['more bytes in the file than in memory', { memoryBytes: 100n }],
  ];
  for (const [what, lie] of lies) {
    it(`reports ${what} and reads the rest`, async () => {
      const file = buildElf({
        loads: [
          { paddr: 0x10_0000, bytes: frames(1, 1), ...lie },
          { paddr: 0x1000, bytes: frames(1, 2) },
        ],
      });
      const { memory, problems } = value(await openBytes(file));
      assert.equal(wordAt(memory, 0x1004), word(2, 1));
      assert.ok(problems.length > 0);
      assert.ok(memory.bytesHeld <= 3 * 4096 || lie.fileBytes !== undefined);
    });
  }

  it('opens or refuses a file cut at every byte of its headers, without throwing', async () => {
    const headers = 64 + 2 * PHDR;
    for (let length = 0; length <= headers + 16; length++) {
      const result = await openBytes(good.slice(0, length));
      assert.equal(result.ok, length > headers, `cut at ${length}`);
      if (!result.ok) assert.ok(result.failure.hint);
    }
  });

  it('survives every bit flip in its headers, and then reads inside the file only', async () => {
    for (let bit = 0; bit < 8 * (64 + 2 * PHDR); bit++) {
      const file = good.slice();
      file[bit >> 3] = (file[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = await openBytes(file, { assumeFromZero: true });
      if (!result.ok) {
        assert.ok(result.failure.hint, result.failure.message);
        continue;
      }
      const { memory } = result.value;
      for (const { start, end } of memory.ranges(10)) {
        memory.readFrame(frameNumber(Math.floor(start / 4096)));
        memory.readFrame(frameNumber(Math.floor((end - 1) / 4096)));
      }
    }
  });
});
