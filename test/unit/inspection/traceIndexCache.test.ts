import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ByteSource, bytesSource } from '../../../src/bytes/byteSource';
import { InflateCache } from '../../../src/inspection/node/cache';
import { NodeIndexCache } from '../../../src/inspection/node/indexCache';
import { type IndexSlot, type KeptIndex } from '../../../src/inspection/traces/indexCache';

const CAP = 100_000;

/** A file in memory, with the identity that a real one would have. */
function file(content: Uint8Array, version = '1', place = '/trace.txt'): ByteSource {
  return { ...bytesSource('trace.txt', content), identity: { place, version } };
}

/** Bytes none of which is like its neighbours. */
const content = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8) * 17 + seed) & 0xff);

describe('kept indexes of traces', () => {
  let directory = '';
  let cache: NodeIndexCache;
  beforeEach(() => {
    directory = path.join(fs.mkdtempSync(path.join(tmpdir(), 'iopte-index-')), 'cache');
    cache = new NodeIndexCache(directory, CAP);
  });
  afterEach(() => {
    fs.rmSync(path.dirname(directory), { recursive: true, force: true });
  });

  const slotOf = (source: ByteSource): IndexSlot => {
    const slot = cache.slotOf(source);
    assert.ok(slot);
    return slot;
  };
  function keep(source: ByteSource, ...parts: readonly string[]): boolean {
    const writing = slotOf(source).write(parts.map((part) => new TextEncoder().encode(part)));
    for (;;) {
      const step = writing.next();
      if (step.done === true) return step.value;
    }
  }
  function text(kept: KeptIndex): string {
    if (kept.kind !== 'kept') return kept.kind === 'stale' ? kept.why : 'none';
    const bytes = new Uint8Array(kept.source.size);
    assert.equal(kept.source.read(0, bytes), bytes.length);
    kept.source.close();
    return new TextDecoder().decode(bytes);
  }
  const read = (source: ByteSource): string => text(slotOf(source).read());
  const names = (): string[] => (fs.existsSync(directory) ? fs.readdirSync(directory) : []);

  it('are read as they were written, for the same file only', () => {
    assert.equal(read(file(content(5000, 1))), 'none');
    assert.ok(keep(file(content(5000, 1)), 'one ', 'index'));
    assert.equal(read(file(content(5000, 1))), 'one index');
    assert.equal(read(file(content(5000, 1), '1', '/other.txt')), 'none');
    assert.equal(cache.slotOf(bytesSource('no file', content(10, 1))), undefined);
  });

  it('are not readable by others', function () {
    if (process.platform === 'win32') this.skip();
    keep(file(content(10, 1)), 'x');
    for (const name of names()) assert.equal(fs.statSync(path.join(directory, name)).mode & 0o077, 0);
  });

  it('of another version of the file are noticed and replaced', () => {
    keep(file(content(5000, 1), 'old'), 'old index');
    assert.match(read(file(content(6000, 2), 'new')), /changed since/);
    keep(file(content(6000, 2), 'new'), 'new index');
    assert.equal(read(file(content(6000, 2), 'new')), 'new index');
    assert.equal(names().length, 1);
  });

  for (const [where, at] of [
    ['at the beginning', 10],
    ['at the end', 999_990],
    ['in a sample between', 200_000],
  ] as const) {
    it(`of other content ${where} are noticed, although size and times are the same`, () => {
      const before = content(1_000_000, 1);
      keep(file(before), 'index');
      const after = before.slice();
      after[at] = (after[at] ?? 0) ^ 1;
      assert.match(read(file(after)), /other content/);
      assert.equal(read(file(before)), 'index');
    });
  }

  it('that were cut, or are none, are not used', () => {
    const source = file(content(5000, 1));
    const damages: (readonly [RegExp, (bytes: Buffer) => Buffer])[] = [
      [/cut short/, (bytes) => bytes.subarray(0, -1)],
      [/another version/, (bytes) => bytes.subarray(0, 20)],
      [/another version/, (bytes) => Buffer.alloc(bytes.length)],
      [/cut short/, (bytes) => Buffer.concat([bytes, Buffer.from('more')])],
      [
        /another file/,
        (bytes) => Buffer.concat([bytes.subarray(0, 16), Buffer.alloc(32), bytes.subarray(48)]),
      ],
    ];
    for (const [message, damage] of damages) {
      keep(source, 'index');
      const [name = ''] = names();
      const place = path.join(directory, name);
      fs.writeFileSync(place, damage(fs.readFileSync(place)));
      assert.match(read(source), message);
      slotOf(source).drop();
      assert.equal(read(source), 'none');
    }
  });

  it('share one cap with inflated files: what was used least recently goes', () => {
    const inflated = new InflateCache(directory, CAP);
    const writer = inflated.begin();
    writer.put(0, new Uint8Array(64 * 1024).fill(1));
    const identity = { place: '/image.gz', version: '1' };
    inflated.publish(writer, identity, 64 * 1024);
    writer.close();
    keep(file(content(10, 1), '1', '/a'), 'x'.repeat(20_000));
    for (const name of names()) fs.utimesSync(path.join(directory, name), 1000, 1000);
    assert.notEqual(read(file(content(10, 1), '1', '/a')), 'none');
    keep(file(content(10, 1), '1', '/b'), 'y'.repeat(20_000));
    assert.equal(inflated.open(identity, 'image'), undefined, 'the inflated file was used least recently');
    assert.equal(read(file(content(10, 1), '1', '/a')), 'x'.repeat(20_000));
    assert.equal(read(file(content(10, 1), '1', '/b')), 'y'.repeat(20_000));
  });

  it('stay beside the inflated bytes of the same file', () => {
    const source = file(content(10, 1));
    const inflated = new InflateCache(directory, CAP);
    keep(source, 'index');
    const writer = inflated.begin();
    writer.put(0, new Uint8Array(64 * 1024).fill(1));
    inflated.publish(writer, { place: '/trace.txt', version: '1' }, 64 * 1024);
    writer.close();
    assert.equal(read(source), 'index');
    keep(source, 'again');
    const held = inflated.open({ place: '/trace.txt', version: '1' }, 'trace.txt');
    assert.ok(held);
    assert.equal(held.size, 64 * 1024);
    held.close();
  });

  it('are cleared with everything else that can be made again', () => {
    keep(file(content(10, 1), '1', '/a'), 'index');
    const writer = new InflateCache(directory, CAP).begin();
    writer.put(0, new Uint8Array(64 * 1024).fill(1));
    new InflateCache(directory, CAP).publish(writer, { place: '/b', version: '1' }, 64 * 1024);
    writer.close();
    fs.writeFileSync(path.join(directory, 'not ours.txt'), 'stays');
    const cleared = cache.clear();
    assert.equal(cleared.files, 2);
    assert.ok(cleared.bytes > 64 * 1024);
    assert.deepEqual(names(), ['not ours.txt']);
    assert.deepEqual(cache.clear(), { files: 0, bytes: 0 });
    assert.equal(read(file(content(10, 1), '1', '/a')), 'none');
  });

  it('that cannot be written are no error, and leave nothing behind', () => {
    fs.writeFileSync(directory, 'a file where the folder should be');
    assert.equal(keep(file(content(10, 1)), 'index'), false);
    fs.rmSync(directory);
    const writing = slotOf(file(content(10, 1))).write([new Uint8Array(10), new Uint8Array(10)]);
    writing.next();
    assert.equal(names().length, 1);
    writing.return(false);
    assert.deepEqual(names(), []);
  });
});
