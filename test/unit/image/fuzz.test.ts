/**
 * Rubbish and lies as images and descriptions. FUZZ_SECONDS (default 3) is the budget of all of them, FUZZ_SEED the seed;
 * fast-check prints the seed of a failure.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { frameNumber } from '../../../src/engine/values';
import { type ByteSource, bytesSource } from '../../../src/bytes/byteSource';
import { checkDescription, parseDescription } from '../../../src/image/description/index';
import { openImage } from '../../../src/image/openImage';
import { buildElf, FIELDS, type Load, withField } from '../../builders/elf';
import { platform, task } from './support';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3);
const SEED = process.env['FUZZ_SEED'];
const budget = {
  numRuns: Infinity,
  interruptAfterTimeLimit: (1000 * SECONDS) / 3,
  markInterruptAsFailure: false,
  ...(SEED !== undefined && { seed: Number(SEED) }),
};
const TIMEOUT = 1000 * SECONDS + 20_000;

/** A source that fails the test when it is read outside itself, or asked for far more than it holds. */
function guarded(bytes: Uint8Array): ByteSource {
  const inner = bytesSource('fuzz', bytes);
  return {
    name: 'fuzz',
    size: bytes.length,
    read(offset, target) {
      assert.ok(Number.isSafeInteger(offset) && offset >= 0, `read at ${offset}`);
      assert.ok(offset <= bytes.length, `read at ${offset} of ${bytes.length}`);
      assert.ok(target.length <= 512 * 1024, `a buffer of ${target.length} bytes`);
      return inner.read(offset, target);
    },
    close: () => undefined,
  };
}

/** Opens the bytes and reads at the borders of what is held. */
async function openAndRead(bytes: Uint8Array, options: { assumeFromZero?: boolean } = {}): Promise<void> {
  const guardedPlatform = {
    ...platform,
    openPath: () => ({ ok: true as const, value: guarded(bytes) }),
  };
  const opened = await openImage({ kind: 'path', path: 'fuzz' }, { platform: guardedPlatform, ...options });
  if (!opened.ok) {
    assert.match(opened.failure.code, /^image\//);
    assert.ok(opened.failure.message.length < 1000 && opened.failure.hint);
    return;
  }
  const { memory, problems } = opened.value;
  assert.ok(problems.length < 100);
  for (const { start, end } of memory.ranges(20)) {
    assert.ok(start >= 0 && start < end && end <= 2 ** 52, `${start}-${end}`);
    for (const address of [start, end - 1, (start + end) / 2, end]) {
      const frame = frameNumber(Math.floor(address / 4096));
      const words = memory.readFrame(frame);
      assert.ok(words === undefined || words.length === 1024);
      if (!words) assert.match(memory.explainMissing(frame), /^physical address 0x/);
    }
  }
  memory.close();
}

const SMALL = fc.integer({ min: 0, max: 20_000 }).map(BigInt);
const HUGE = fc.constantFrom(
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 40n,
  2n ** 52n - 4096n,
  2n ** 52n,
  2n ** 53n - 1n,
  2n ** 63n,
  2n ** 64n - 4096n,
  2n ** 64n - 1n,
);
const number = fc.oneof({ weight: 4, arbitrary: SMALL }, HUGE);
const load: fc.Arbitrary<Load> = fc.record(
  {
    paddr: number,
    vaddr: number,
    bytes: fc.uint8Array({ maxLength: 9000 }),
    offset: number,
    fileBytes: number,
    memoryBytes: number,
    type: fc.constantFrom(1, 1, 1, 4, 0),
  },
  { requiredKeys: ['paddr'], noNullPrototype: true },
);
const elf = fc
  .record({
    loads: fc.array(load, { maxLength: 6 }),
    extendedCount: fc.boolean(),
    lie: fc.option(
      fc.record({
        field: fc.constantFrom(...(Object.keys(FIELDS) as (keyof typeof FIELDS)[])),
        value: number,
      }),
      { freq: 2 },
    ),
    cut: fc.option(fc.nat(1000), { freq: 3 }),
  })
  .map(({ loads, extendedCount, lie, cut }) => {
    const file = buildElf({ loads, extendedCount });
    const lying = lie ? withField(file, lie.field, lie.value) : file;
    return cut === null ? lying : lying.slice(0, cut);
  });

describe('hostile images', () => {
  it('of lying ELF headers are read inside the file or refused', async () => {
    await fc.assert(
      fc.asyncProperty(elf, (bytes) => openAndRead(bytes)),
      budget,
    );
  }).timeout(TIMEOUT);

  it('of rubbish, packed or not, cut or damaged, are read or refused', async () => {
    const rubbish = fc
      .record({
        bytes: fc.oneof(fc.uint8Array({ maxLength: 5000 }), elf),
        packed: fc.boolean(),
        flips: fc.array(fc.record({ at: fc.nat(5000), bit: fc.nat(7) }), { maxLength: 3 }),
        cut: fc.option(fc.nat(5000), { freq: 3 }),
      })
      .map(({ bytes, packed, flips, cut }) => {
        const file = packed ? new Uint8Array(gzipSync(bytes)) : bytes.slice();
        for (const { at, bit } of flips) if (at < file.length) file[at] = (file[at] ?? 0) ^ (1 << bit);
        return cut === null ? file : file.slice(0, cut);
      });
    await fc.assert(
      fc.asyncProperty(rubbish, (bytes) => openAndRead(bytes, { assumeFromZero: true })),
      budget,
    );
  }).timeout(TIMEOUT);
});

describe('hostile descriptions', () => {
  const word = fc.constantFrom(
    ...['"version"', '"image"', '"iommus"', '"kind"', '"vt-d"', '"registers"', '"RTADDR"', '"segments"'],
    ...[
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '1',
      '-1',
      '1e99',
      '"0x"',
      '"0xffffffffffffffffff"',
      'null',
      '"',
      '\\',
      '\n',
    ],
    ...['"__proto__"', '"constructor"', '18446744073709551616', '/*', '//', '\u2028', '\ud800', '\0'],
  );
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.array(word, { maxLength: 60 }).map((words) => words.join('')),
    fc.json({ maxDepth: 6 }),
    fc.jsonValue().map((image) => JSON.stringify({ version: 1, image, iommus: [image] })),
  );

  it('give problems inside their text, and never an exception', () => {
    const property = fc.property(text, (description) => {
      const problems = checkDescription(description);
      for (const { start, end, message, code } of problems) {
        assert.ok(start >= 0 && start <= end && end <= description.length + 1, `${code} ${start}-${end}`);
        assert.ok(message.length > 0 && message.length < 2000);
      }
      const errors = problems.filter(({ severity }) => severity === 'error');
      assert.equal(parseDescription(description).ok, errors.length === 0);
    });
    fc.assert(property, { ...budget, interruptAfterTimeLimit: (1000 * SECONDS) / 6 });
  }).timeout(TIMEOUT);
});

describe('hostile segments', () => {
  const segment = fc.record(
    {
      paddr: fc.oneof(fc.nat(100_000), fc.double(), fc.maxSafeInteger()),
      offset: fc.oneof(fc.nat(20_000), fc.double(), fc.maxSafeInteger()),
      length: fc.oneof(fc.nat(20_000), fc.double(), fc.maxSafeInteger()),
    },
    { requiredKeys: ['paddr', 'offset'], noNullPrototype: true },
  );

  it('are read inside the file or refused', async () => {
    const property = fc.asyncProperty(
      fc.array(segment, { maxLength: 5 }),
      fc.uint8Array({ maxLength: 20_000 }),
      async (segments, bytes) => {
        const file = { kind: 'bytes', name: 'fuzz', bytes } as const;
        const opened = await openImage(file, { platform, ...task, segments });
        if (!opened.ok) return;
        const { memory } = opened.value;
        for (const { start, end } of memory.ranges(10)) {
          memory.readFrame(frameNumber(Math.floor(start / 4096)));
          memory.readFrame(frameNumber(Math.floor(end / 4096)));
        }
      },
    );
    await fc.assert(property, { ...budget, interruptAfterTimeLimit: (1000 * SECONDS) / 6 });
  }).timeout(TIMEOUT);
});
