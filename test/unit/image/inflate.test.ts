import assert from 'node:assert/strict';
import { constants, gzipSync } from 'node:zlib';
import { type ByteSource, bytesSource } from '../../../src/bytes/byteSource';
import { GzipMembers } from '../../../src/image/gzip';
import { inflateProblem } from '../../../src/image/inflating';
import { type ImagePlatform } from '../../../src/image/platform';
import { type CancelSignal, type Progress } from '../../../src/bytes/task';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { webImagePlatform } from '../../../src/inspection/web/inflate';
import { countingSource, refusal, task, value } from './support';

const MIB = 2 ** 20;

/** Bytes that do not compress, always the same. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

const pack = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));

/** `bytes` packed, then a block of the type that RFC 1951 §3.2.3 reserves as an error, then more. */
const damaged = (bytes: Uint8Array): Uint8Array =>
  join(
    new Uint8Array(gzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })),
    new Uint8Array(1000).fill(0xff),
  );

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

function bytesOf(source: ByteSource): Uint8Array {
  const bytes = new Uint8Array(source.size);
  assert.equal(source.read(0, bytes), bytes.length);
  return bytes;
}

const platforms: [string, (limit?: number) => ImagePlatform][] = [
  ['Node', (limit) => nodeImagePlatform(limit === undefined ? {} : { memoryBytes: limit })],
  [
    'web',
    (limit) =>
      webImagePlatform({ pause: () => task.pause(), ...(limit !== undefined && { storedBytes: limit }) }),
  ],
];

for (const [where, platform] of platforms) {
  describe(`inflating, ${where}`, () => {
    it('gives back what was packed, over block borders and to the last byte', async () => {
      const bytes = join(noise(100_000), new Uint8Array(200_000), noise(77));
      const { source, problem } = value(await platform().inflate(bytesSource('a.gz', pack(bytes)), task));
      assert.equal(problem, undefined);
      assert.equal(source.size, bytes.length);
      assert.deepEqual(bytesOf(source), bytes);
      const part = new Uint8Array(70_000);
      assert.equal(source.read(65_000, part), 70_000);
      assert.deepEqual(part, bytes.slice(65_000, 135_000));
      assert.equal(source.read(bytes.length - 10, part), 10);
      assert.equal(source.read(bytes.length + 10, part), 0);
    });

    it('takes an image of 1000:1 under a limit far below its size', async () => {
      const bytes = new Uint8Array(64 * MIB);
      bytes.set(noise(500), 50 * MIB);
      const packed = pack(bytes);
      assert.ok(bytes.length / packed.length > 950, `${bytes.length / packed.length}:1`);
      const { source, problem } = value(await platform(MIB).inflate(bytesSource('zeros.gz', packed), task));
      assert.equal(problem, undefined);
      assert.equal(source.size, bytes.length);
      const there = new Uint8Array(500);
      source.read(50 * MIB, there);
      assert.deepEqual(there, noise(500));
    });

    it('stops at the limit of stored bytes, keeps what was read, and says so', async () => {
      const bytes = join(new Uint8Array(MIB), noise(2 * MIB));
      const { source, problem } = value(
        await platform(MIB).inflate(bytesSource('big.gz', pack(bytes)), task),
      );
      assert.equal(problem?.code, 'image/gzip-limit');
      assert.match(problem.message, /room for 1M .* 2097152 bytes before that are read/);
      assert.ok(problem.hint);
      assert.equal(source.size, 2 * MIB, 'no byte that was thrown away reads as zero');
      assert.deepEqual(bytesOf(source), bytes.slice(0, 2 * MIB));
    });

    it('keeps what came before a cut, and says that it was cut', async () => {
      const bytes = noise(300_000);
      const packed = pack(bytes);
      const { source, problem } = value(
        await platform().inflate(bytesSource('cut.gz', packed.slice(0, 200_000)), task),
      );
      assert.match(problem?.code ?? '', /^image\/gzip-(truncated|corrupt)$/);
      assert.match(problem?.message ?? '', /cut\.gz/);
      assert.ok(source.size > 100_000 && source.size < 200_100, String(source.size));
      assert.deepEqual(bytesOf(source), bytes.slice(0, source.size));
    });

    it('keeps what came before damage, and says where it is', async () => {
      const bytes = noise(300_000);
      const { source, problem } = value(
        await platform().inflate(bytesSource('bad.gz', damaged(bytes)), task),
      );
      assert.equal(problem?.code, 'image/gzip-corrupt');
      const at = Number(/offset (\d+)/.exec(problem.message)?.[1]);
      assert.ok(Math.abs(at - damaged(bytes).length) < 17 * 1024, problem.message);
      assert.ok(source.size > 150_000 && source.size <= bytes.length, `${source.size} of ${bytes.length}`);
      assert.deepEqual(bytesOf(source), bytes.slice(0, source.size));
    });

    it('refuses a file from which nothing comes', async () => {
      const packed = pack(noise(1000)).slice(0, 12);
      const failure = refusal(await platform().inflate(bytesSource('tiny.gz', packed), task));
      assert.match(failure.code, /^image\/gzip-/);
      assert.match(failure.message, /tiny\.gz/);
      assert.ok(failure.hint);
    });

    it('is cancelled half-way', async () => {
      const packed = countingSource(pack(join(noise(4 * MIB), new Uint8Array(16 * MIB), noise(2 * MIB))));
      const signal = {
        aborted: false,
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
      };
      const onProgress = ({ fraction = 0 }: Progress): void => {
        if (fraction > 0) signal.aborted = true;
      };
      const result = await platform().inflate(packed, {
        ...task,
        signal: signal satisfies CancelSignal,
        onProgress,
      });
      assert.equal(refusal(result).code, 'cancelled');
      assert.ok(packed.bytesRead < packed.size, `${packed.bytesRead} of ${packed.size}`);
    });

    it('reports progress from 0 to 1, and lets the event loop run', async () => {
      const seen: number[] = [];
      let turns = 0;
      const timer = setInterval(() => turns++, 0);
      const bytes = pack(join(noise(4 * MIB), new Uint8Array(16 * MIB), noise(4 * MIB)));
      await platform().inflate(bytesSource('x.gz', bytes), {
        ...task,
        onProgress: ({ message, fraction = -1 }) => {
          assert.equal(message, 'Inflating x.gz');
          seen.push(fraction);
        },
      });
      clearInterval(timer);
      assert.ok(
        seen.length > 0 && seen.every((fraction, i) => fraction >= (seen[i - 1] ?? 0) && fraction <= 1),
      );
      assert.ok(turns > 1, `${turns} turns of the event loop`);
    });

    it('shows the first bytes without inflating the rest', async () => {
      const packed = countingSource(pack(join(noise(5000), new Uint8Array(20 * MIB))));
      assert.deepEqual(await platform().inflateHead(packed, 4096), noise(4096));
      assert.ok(packed.bytesRead <= 16 * 1024);
      const damaged = bytesSource('x.gz', new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff]));
      assert.equal((await platform().inflateHead(damaged, 4096)).length, 0);
    });
  });
}

describe('inflating gzip in Node', () => {
  const [first, second] = [noise(100_000), noise(50_000)];

  it('joins several members', async () => {
    const packed = bytesSource('two.gz', join(pack(first), pack(second)));
    const { source, problem } = value(await nodeImagePlatform().inflate(packed, task));
    assert.equal(problem, undefined);
    assert.deepEqual(bytesOf(source), join(first, second));
  });

  it('keeps every byte before damage', async () => {
    const bytes = join(first, new Uint8Array(MIB), second);
    const packed = bytesSource('bad.gz', damaged(bytes));
    assert.deepEqual(bytesOf(value(await nodeImagePlatform().inflate(packed, task)).source), bytes);
  });

  it('keeps the last byte before damage at the very end', async () => {
    const packed = pack(first);
    packed[packed.length - 5] = (packed[packed.length - 5] ?? 0) ^ 1; // CRC-32
    const { source, problem } = value(await nodeImagePlatform().inflate(bytesSource('crc.gz', packed), task));
    assert.equal(problem?.code, 'image/gzip-corrupt');
    assert.deepEqual(bytesOf(source), first);
  });
});

describe('inflating gzip in a browser', () => {
  it('says when a file has several members and only the first came out', () => {
    const packed = bytesSource('two.gz', join(pack(noise(100_000)), pack(noise(10))));
    const members = new GzipMembers(packed);
    assert.equal(members.memberEndsAfter(100_000), true);
    assert.equal(members.memberEndsAfter(99_999), false);
    const problem = inflateProblem('two.gz', { kind: 'members' }, 100_000, { limit: MIB });
    assert.match(problem.message, /several gzip members/);
    assert.match(problem.hint ?? '', /gunzip/);
  });

  it('has no files by path', () => {
    const failure = refusal(webImagePlatform({ pause: () => task.pause() }).openPath('/x.elf'));
    assert.equal(failure.code, 'image/no-paths');
  });
});
