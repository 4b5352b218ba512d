import assert from 'node:assert/strict';
import { frameNumber } from '../../../src/engine/values';
import { type ByteSource } from '../../../src/bytes/byteSource';
import { MemoryImage } from '../../../src/image/memoryImage';
import { SegmentList, SegmentMap } from '../../../src/image/segments';
import { frames } from '../../builders/elf';
import { countingSource, task, value, whyMissing, wordAt } from './support';

const MIB = 2 ** 20;

async function imageOf(source: ByteSource, count: number, cacheBytes: number): Promise<MemoryImage> {
  const list = new SegmentList();
  list.push(0, 0, count * 4096);
  const { map } = value(await SegmentMap.build(list, task));
  return new MemoryImage({ source, map, format: 'test', cacheBytes });
}

describe('memory image over a source that is not in memory', () => {
  it('reads a frame once and its neighbours along', async () => {
    const source = countingSource(frames(64, 1));
    const memory = await imageOf(source, 64, MIB);
    for (let round = 0; round < 3; round++) {
      for (let frame = 0; frame < 64; frame++) {
        assert.equal(wordAt(memory, frame * 4096 + 4), 2 ** 20 + frame * 1024 + 1);
      }
    }
    assert.equal(source.bytesRead, 64 * 4096);
    assert.equal(source.reads, 16);
  });

  it('keeps its cache within the bound', async () => {
    const source = countingSource(frames(1024, 1));
    const memory = await imageOf(source, 1024, MIB);
    const buffers = new Set<ArrayBufferLike>();
    for (let frame = 0; frame < 1024; frame++) {
      const words = memory.readFrame(frameNumber(frame));
      assert.equal(words?.[0], 2 ** 20 + frame * 1024);
      buffers.add(words.buffer);
    }
    assert.ok(buffers.size * 16 * 1024 <= MIB, `${buffers.size} blocks`);
  });

  it('leaves a frame unchanged until 64 others were read, whatever their order', async () => {
    const memory = await imageOf(countingSource(frames(4096, 1)), 4096, 0);
    for (let first = 0; first < 40; first++) {
      const words = memory.readFrame(frameNumber(first));
      for (let i = 1; i <= 63; i++) memory.readFrame(frameNumber((first + i * 61) % 4096));
      assert.equal(words?.[0], 2 ** 20 + first * 1024);
    }
  });

  it('says why a frame cannot be read when the source fails', async () => {
    const source: ByteSource = {
      name: 'bad.elf',
      size: 8192,
      read: () => 0,
      fault: () => 'bad.elf: EIO: i/o error, read',
      close: () => undefined,
    };
    const memory = await imageOf(source, 2, MIB);
    assert.equal(wordAt(memory, 0x1000), undefined);
    assert.match(whyMissing(memory, 0x1000), /0x1000 cannot be read: bad\.elf: EIO/);
  });

  it('gives nothing once it is closed, and closes its source once', async () => {
    let closed = 0;
    const close = (): void => {
      closed++;
    };
    const source = { ...countingSource(frames(1, 1)), close };
    const memory = await imageOf(source, 1, MIB);
    assert.equal(wordAt(memory, 0), 2 ** 20);
    memory.close();
    memory.close();
    assert.equal(closed, 1);
    assert.equal(wordAt(memory, 0), undefined);
    assert.match(whyMissing(memory, 0), /was closed/);
  });

  it('names the nearest segments of an address that is not held', async () => {
    const list = new SegmentList();
    list.push(0x1000, 0, 0x1000);
    list.push(0x8000, 0x1000, 0x2000);
    const { map } = value(await SegmentMap.build(list, task));
    const memory = new MemoryImage({ source: countingSource(frames(3, 1)), map, format: 'test' });
    const why = (address: number): string => whyMissing(memory, address);
    assert.equal(
      why(0x4000),
      'physical address 0x4000 is not in the image (nearest: 0x1000-0x2000 and 0x8000-0xa000)',
    );
    assert.equal(why(0), 'physical address 0x0 is not in the image (nearest: 0x1000-0x2000)');
    assert.equal(why(0xa000), 'physical address 0xa000 is not in the image (nearest: 0x8000-0xa000)');
  });
});
