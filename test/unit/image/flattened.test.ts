import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesSource } from '../../../src/bytes/byteSource';
import { ProblemList } from '../../../src/image/problems';
import { placeRecords, RearrangedSource } from '../../../src/image/readers/flattened/rearranged';
import { readRecords } from '../../../src/image/readers/flattened/records';
import { buildElf, frames } from '../../builders/elf';
import { buildKdump, COMPRESS, type FlatRecord, flatten, inRecords } from '../../builders/kdump';
import { openBytes, refusal, task, value, whyMissing, wordAt } from './support';

const { file } = buildKdump({
  pages: new Map([
    [1, frames(1, 1)],
    [2, frames(1, 2)],
    [9, frames(1, 3)],
  ]),
  method: 'zlib',
  compress: COMPRESS.zlib,
});
const word = (seed: number, index: number): number => seed * 2 ** 20 + index;

async function rearranged(flat: Uint8Array): Promise<RearrangedSource> {
  const source = bytesSource('flat', flat);
  const records = value(await readRecords(source, new ProblemList(), task));
  return new RearrangedSource(source, value(await placeRecords(records, 'flat', task)));
}

describe('flattened dumps', () => {
  for (const size of [100, 4096, 16_384, 10 ** 6]) {
    it(`are read where they stand, in records of ${size} bytes`, async () => {
      const { memory, format, problems } = value(await openBytes(flatten(inRecords(file, size)), {}, 'flat'));
      assert.deepEqual(problems, []);
      assert.equal(format, 'kdump-compressed (zlib), flattened');
      assert.deepEqual(
        [0x1004, 0x2008, 0x9ffc].map((address) => wordAt(memory, address)),
        [word(1, 1), word(2, 2), word(3, 1023)],
      );
    });
  }

  it('may hold an ELF core', async () => {
    const elf = buildElf({ loads: [{ paddr: 0x1000, bytes: frames(2, 1) }] });
    const { memory, format } = value(await openBytes(flatten(inRecords(elf, 1000)), {}, 'flat'));
    assert.equal(format, 'ELF64 core, flattened');
    assert.equal(wordAt(memory, 0x2004), word(1, 1025));
  });

  it('are put together as by writing the records one after the other', async () => {
    const record: fc.Arbitrary<FlatRecord> = fc.record(
      { offset: fc.nat(500), bytes: fc.uint8Array({ maxLength: 200 }) },
      { noNullPrototype: true },
    );
    const property = fc.asyncProperty(
      fc.array(record, { maxLength: 30 }),
      fc.nat(600),
      async (records, from) => {
        const flat = flatten(records);
        const expected = new Uint8Array(1000);
        let size = 0;
        for (const { offset, bytes } of records) {
          expected.set(bytes, Number(offset));
          if (bytes.length > 0) size = Math.max(size, Number(offset) + bytes.length);
        }
        const source = await rearranged(flat);
        assert.equal(source.size, size);
        const given = new Uint8Array(300).fill(0xa5);
        const got = source.read(from, given);
        assert.equal(got, Math.max(0, Math.min(300, size - from)));
        assert.deepEqual(given.subarray(0, got), expected.subarray(from, from + got));
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });

  it('take the later record where two overlap: the writer went back to it', async () => {
    const status = { offset: 424, bytes: Uint8Array.from([9]) };
    const { problems } = value(await openBytes(flatten([{ offset: 0, bytes: file }, status]), {}, 'flat'));
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['image/kdump-incomplete'],
    );
  });

  it('without the mark of their end are read, with a problem', async () => {
    const records = [{ offset: 0, bytes: file }];
    const { memory, problems } = value(await openBytes(flatten(records, { endless: true }), {}, 'flat'));
    assert.equal(wordAt(memory, 0x9004), word(3, 1));
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [['error', 'image/flattened-truncated']],
    );
  });

  it('cut in a record are read as far as they go', async () => {
    const flat = flatten([{ offset: 0, bytes: file }]);
    const { memory, problems } = value(await openBytes(flat.slice(0, flat.length - 116), {}, 'flat'));
    assert.equal(wordAt(memory, 0x1004), word(1, 1));
    assert.match(whyMissing(memory, 0x9000), /past the end of the file/);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['image/flattened-truncated', 'image/kdump-truncated'],
    );
    assert.match(problems[0]?.message ?? '', /ends 100 bytes before the end of its record 0/);
  });

  for (const [what, lie] of [
    ['an offset', { offset: 2n ** 60n, bytes: new Uint8Array(4) }],
    ['a size', { offset: 0, bytes: new Uint8Array(4), size: 2n ** 62n }],
  ] as const) {
    it(`with ${what} that cannot be are read up to there`, async () => {
      const { memory, problems } = value(
        await openBytes(flatten([{ offset: 0, bytes: file }, lie]), {}, 'flat'),
      );
      assert.equal(wordAt(memory, 0x1004), word(1, 1));
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['image/flattened-corrupt'],
      );
    });
  }

  const refusals: [string, Uint8Array, string, RegExp][] = [
    ['of another type', flatten([], { type: 2n }), 'image/flattened-version', /makedumpfile -R/],
    ['of another version', flatten([], { version: 3n }), 'image/flattened-version', /makedumpfile -R/],
    ['without records', flatten([]), 'image/flattened-unknown', /makedumpfile -R/],
    [
      'of something else',
      flatten([{ offset: 0, bytes: frames(2, 1) }]),
      'image/flattened-unknown',
      /makedumpfile -R/,
    ],
    ['of a header alone', flatten([]).slice(0, 100), 'image/flattened-truncated', /copy it again/],
  ];
  for (const [what, bytes, code, hint] of refusals) {
    it(`${what} are refused, with the reason and what to do`, async () => {
      const failure = refusal(await openBytes(bytes, {}, 'flat'));
      assert.equal(failure.code, code);
      assert.match(failure.hint ?? '', hint);
    });
  }
});
