import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { type ByteSource } from '../../../src/bytes/byteSource';
import { type ImageProblem } from '../../../src/image/problems';
import { InflateCache } from '../../../src/inspection/node/cache';
import { openFileSource } from '../../../src/inspection/node/fileSource';
import { type NodeImageOptions, nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { refusal, task, value } from './support';

const BLOCK = 64 * 1024;
/** `count` blocks, none of them zeros, with as many zero blocks between them. */
function sparseBytes(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(2 * count * BLOCK);
  for (let i = 0; i < count; i++) bytes.fill(((seed + i) % 255) + 1, 2 * i * BLOCK, (2 * i + 1) * BLOCK);
  return bytes;
}

describe('cache of inflated images', () => {
  let folder = '';
  let cacheDirectory = '';
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), 'iopte-cache-'));
    cacheDirectory = path.join(folder, 'cache');
  });
  afterEach(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function write(name: string, bytes: Uint8Array): string {
    const file = path.join(folder, name);
    fs.writeFileSync(file, gzipSync(bytes, { level: 1 }));
    return file;
  }

  /** Inflates a file; `packedRead`: bytes read of it. */
  async function inflate(
    file: string,
    options: NodeImageOptions = {},
  ): Promise<{ source: ByteSource; problem?: ImageProblem; packedRead: number }> {
    const inner = value(openFileSource(file));
    let packedRead = 0;
    const packed: ByteSource = {
      name: inner.name,
      size: inner.size,
      ...(inner.identity && { identity: inner.identity }),
      read: (offset, target) => {
        const got = inner.read(offset, target);
        packedRead += got;
        return got;
      },
      close: () => undefined,
    };
    const platform = nodeImagePlatform({ cacheDirectory, cachedFrom: 0, ...options });
    const inflated = value(await platform.inflate(packed, task));
    inner.close();
    return { ...inflated, packedRead };
  }

  function check(source: ByteSource, bytes: Uint8Array): void {
    const read = new Uint8Array(source.size);
    assert.equal(source.read(0, read), bytes.length, source.fault?.());
    assert.ok(Buffer.from(read).equals(bytes), 'the bytes are the same');
    source.close();
  }

  const cached = (): string[] => (fs.existsSync(cacheDirectory) ? fs.readdirSync(cacheDirectory) : []);

  for (const [how, memoryBytes] of [
    ['held in memory', 100 * BLOCK],
    ['spilled to the disk', 3 * BLOCK],
  ] as const) {
    it(`gives an image ${how} a second time without reading the packed file`, async () => {
      const bytes = sparseBytes(10, 1);
      const file = write('a.gz', bytes);
      const first = await inflate(file, { memoryBytes });
      assert.ok(first.packedRead > 0);
      check(first.source, bytes);
      assert.equal(cached().length, 1);
      const second = await inflate(file, { memoryBytes });
      assert.equal(second.packedRead, 0);
      check(second.source, bytes);
    });
  }

  it('stores no zeros, and is not readable by others', async () => {
    await inflate(write('a.gz', sparseBytes(10, 1)));
    const [name = ''] = cached();
    const stat = fs.statSync(path.join(cacheDirectory, name));
    assert.ok(stat.size < 10.1 * BLOCK, `${stat.size} bytes`);
    if (process.platform !== 'win32') {
      assert.equal(stat.mode & 0o077, 0);
      assert.equal(fs.statSync(cacheDirectory).mode & 0o077, 0);
    }
  });

  it('keeps memory small: what exceeds the bound is read back from the disk', async () => {
    const bytes = sparseBytes(40, 1);
    const { source } = await inflate(write('a.gz', bytes), { memoryBytes: 3 * BLOCK });
    assert.ok(!('words' in source), 'not in memory');
    check(source, bytes);
  });

  it('inflates again when the file changed, and drops the old copy', async () => {
    const file = write('a.gz', sparseBytes(4, 1));
    await inflate(file);
    const changed = sparseBytes(4, 9);
    write('a.gz', changed);
    fs.utimesSync(file, 1, 1);
    const again = await inflate(file);
    assert.ok(again.packedRead > 0);
    check(again.source, changed);
    assert.equal(cached().length, 1);
  });

  it('inflates again when a file of the same size and time took its place', async () => {
    const file = path.join(folder, 'a.gz');
    const gz = (seed: number): Uint8Array => gzipSync(sparseBytes(1, seed), { level: 0 });
    fs.writeFileSync(file, gz(1));
    fs.utimesSync(file, 1, 1);
    (await inflate(file)).source.close();
    fs.writeFileSync(path.join(folder, 'new'), gz(9));
    fs.utimesSync(path.join(folder, 'new'), 1, 1);
    fs.renameSync(path.join(folder, 'new'), file);
    const again = await inflate(file);
    assert.ok(again.packedRead > 0);
    check(again.source, sparseBytes(1, 9));
  });

  it('throws out what was used least recently when the cap is reached', async () => {
    const cacheBytes = 25 * BLOCK;
    const [a, b, c] = ['a.gz', 'b.gz', 'c.gz'].map((name, i) => write(name, sparseBytes(10, 50 * i)));
    const used = async (file = ''): Promise<boolean> => {
      const { source, packedRead } = await inflate(file, { cacheBytes });
      source.close();
      return packedRead === 0;
    };
    assert.deepEqual([await used(a), await used(b)], [false, false]);
    for (const name of cached()) fs.utimesSync(path.join(cacheDirectory, name), 1000, 1000);
    assert.equal(await used(a), true, 'a is used again');
    assert.equal(await used(c), false);
    assert.equal(cached().length, 2);
    assert.equal(await used(a), true, 'a stayed');
    assert.equal(await used(b), false, 'b went');
  });

  it('does not use a copy that is cut, changed in its index, or of another version', async () => {
    const bytes = sparseBytes(4, 1);
    const file = write('a.gz', bytes);
    const damages: ((copy: Buffer) => Buffer)[] = [
      (copy) => copy.subarray(0, copy.length - 1),
      (copy) => copy.subarray(0, 20),
      (copy) => Buffer.alloc(copy.length),
      (copy) => Buffer.concat([copy.subarray(0, -1), Buffer.from([(copy.at(-1) ?? 0) ^ 1])]),
      (copy) => Buffer.concat([Buffer.from('IOPTESP9'), copy.subarray(8)]),
      (copy) =>
        Buffer.concat([copy.subarray(0, 16), Buffer.from([0xff, 0xff, 0xff, 0x7f]), copy.subarray(20)]),
    ];
    for (const [i, damage] of damages.entries()) {
      const before = await inflate(file);
      before.source.close();
      const copy = path.join(cacheDirectory, cached()[0] ?? '');
      fs.writeFileSync(copy, damage(fs.readFileSync(copy)));
      const again = await inflate(file);
      assert.ok(again.packedRead > 0, `damage ${i} was noticed`);
      check(again.source, bytes);
    }
  });

  it('does not use a copy of another size, or with blocks that lie beyond it or out of order', async () => {
    const bytes = sparseBytes(4, 1);
    const file = write('a.gz', bytes);
    const index = 64 + 4 * BLOCK;
    const changes: ((copy: Buffer) => void)[] = [
      (copy) => copy.writeBigUInt64LE(BigInt(bytes.length) + 1n, 8),
      (copy) => copy.writeBigUInt64LE(BigInt(bytes.length) - 1n, 8),
      (copy) => copy.writeUInt32LE(8, index + 3 * 8),
      (copy) => copy.writeUInt32LE(4, index + 3 * 8),
    ];
    for (const [i, change] of changes.entries()) {
      (await inflate(file)).source.close();
      const name = path.join(cacheDirectory, cached()[0] ?? '');
      const copy = fs.readFileSync(name);
      change(copy);
      // All but the first two with the right checksum: header with zeros in its place, then the index.
      if (i > 1) {
        copy.writeUInt32LE(0, 24);
        copy.writeUInt32LE(crc32(copy.subarray(index), crc32(copy.subarray(0, 64))), 24);
      }
      fs.writeFileSync(name, copy);
      const again = await inflate(file);
      assert.ok(again.packedRead > 0, `change ${i} was noticed`);
      check(again.source, bytes);
    }
  });

  it('never gives a damaged block: says so, and inflates again next time', async () => {
    const bytes = sparseBytes(4, 1);
    const file = write('a.gz', bytes);
    (await inflate(file)).source.close();
    const copy = path.join(cacheDirectory, cached()[0] ?? '');
    const content = fs.readFileSync(copy);
    content[64 + BLOCK + 5] = 0;
    fs.writeFileSync(copy, content);
    const { source } = await inflate(file);
    const block = new Uint8Array(BLOCK);
    assert.equal(source.read(0, block), BLOCK);
    assert.equal(source.read(2 * BLOCK, block), 0);
    assert.match(source.fault?.() ?? '', /damaged .* open the image again/);
    source.close();
    const again = await inflate(file);
    assert.ok(again.packedRead > 0);
    check(again.source, bytes);
  });

  it('opens without a cache when its directory cannot be written', async () => {
    fs.writeFileSync(cacheDirectory, 'a file where the directory should be');
    const bytes = sparseBytes(4, 1);
    check((await inflate(write('a.gz', bytes))).source, bytes);
    const { source, problem } = await inflate(write('b.gz', bytes), { memoryBytes: 2 * BLOCK });
    assert.equal(problem?.code, 'image/gzip-limit');
    assert.equal(source.size, 4 * BLOCK);
  });

  it('leaves nothing behind after a broken or a cancelled inflating', async () => {
    const file = write('a.gz', sparseBytes(40, 1));
    fs.truncateSync(file, fs.statSync(file).size - 100);
    const { source, problem } = await inflate(file, { memoryBytes: 3 * BLOCK });
    assert.equal(problem?.code, 'image/gzip-truncated');
    assert.ok(source.size > 60 * BLOCK);
    // A process that is ended does not close its sources. Windows removes no file that is open.
    if (process.platform !== 'win32') assert.deepEqual(cached(), []);
    const block = new Uint8Array(BLOCK);
    assert.equal(source.read(58 * BLOCK, block), BLOCK);
    assert.equal(block[0], 31);
    source.close();
    assert.deepEqual(cached(), []);
    const signal = { aborted: true, addEventListener: () => undefined, removeEventListener: () => undefined };
    const packed = value(openFileSource(file));
    const cancelled = await nodeImagePlatform({ cacheDirectory }).inflate(packed, { ...task, signal });
    packed.close();
    assert.equal(refusal(cancelled).code, 'cancelled');
    assert.deepEqual(cached(), []);
  });
});

describe('partial files in the cache', () => {
  const identity = { place: '/image.gz', version: '1' };
  const DEAD = 2 ** 22 + 1;
  let directory = '';
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(tmpdir(), 'iopte-cache-'));
  });
  afterEach(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function partial(name: string, ageMinutes: number, blocks = 1): void {
    const file = path.join(directory, name);
    fs.writeFileSync(file, new Uint8Array(blocks * BLOCK));
    const time = Date.now() / 1000 - 60 * ageMinutes;
    fs.utimesSync(file, time, time);
  }
  const names = (): string[] => fs.readdirSync(directory);

  it('go as soon as another begins: those of processes that are gone, and those nobody wrote to for an hour', () => {
    partial(`${DEAD}-aa.partial`, 0);
    partial(`${process.pid}-bb.partial`, 61);
    partial(`${process.pid}-cc.partial`, 59);
    new InflateCache(directory, 100 * BLOCK).begin().discard();
    assert.deepEqual(names(), [`${process.pid}-cc.partial`]);
  });

  it('count in the cap', () => {
    const cache = new InflateCache(directory, 10 * BLOCK);
    const keep = (place: string): void => {
      const writer = cache.begin();
      for (let i = 0; i < 3; i++) writer.put(i, new Uint8Array(BLOCK).fill(1));
      cache.publish(writer, { ...identity, place }, 3 * BLOCK);
      writer.close();
    };
    keep('/a.gz');
    partial(`${process.pid}-aa.partial`, 0, 5);
    keep('/b.gz');
    const sizeOf = (place: string): number | undefined => {
      const source = cache.open({ ...identity, place }, 'x');
      source?.close();
      return source?.size;
    };
    assert.deepEqual([sizeOf('/a.gz'), sizeOf('/b.gz')], [undefined, 3 * BLOCK]);
    assert.ok(names().includes(`${process.pid}-aa.partial`));
  });
});

describe('files', () => {
  it('that are missing or no files are refused, with the reason', () => {
    const missing = refusal(openFileSource(path.join(tmpdir(), 'iopte-no-such-file.elf')));
    assert.match(missing.message, /iopte-no-such-file\.elf cannot be opened: ENOENT/);
    assert.ok(missing.hint);
    assert.match(refusal(openFileSource(tmpdir())).message, /is a directory/);
  });

  it('that are pipes or devices are refused without waiting for a writer', function () {
    if (process.platform === 'win32') this.skip();
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'iopte-pipe-'));
    const pipe = path.join(folder, 'pipe.elf');
    execFileSync('mkfifo', [pipe]);
    const open = `require(${JSON.stringify(require.resolve('../../../src/inspection/node/fileSource'))})`;
    // In a process of its own: to wait in this one would stop the tests.
    const script = `const { openFileSource } = ${open}; console.log(JSON.stringify(openFileSource(process.argv[1])));`;
    const args = ['-r', 'tsx/cjs', '-e', script];
    try {
      for (const file of [pipe, '/dev/zero']) {
        const printed = execFileSync(process.execPath, [...args, file], {
          timeout: 15_000,
          encoding: 'utf8',
        });
        assert.match(printed, /"image\/not-a-file".*is not a regular file/);
      }
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});
