/** Files that makedumpfile 1.7.2 itself wrote, of the memory of vtd-small-share with zeros for what was not kept. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { frameNumber } from '../../../src/engine/values';
import { openImage } from '../../../src/image/openImage';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { refusal, value } from './support';

const FIXTURES = path.join(__dirname, '../../fixtures');
const NAME = path.join(FIXTURES, 'corpus/vtd-small-share');

describe('dumps that makedumpfile wrote', () => {
  const files: [string, string][] = [
    ['vtd-small-lzo.kdump.gz', 'kdump-compressed (lzo), gzip'],
    ['vtd-small-zlib.flattened.gz', 'kdump-compressed (zlib), flattened, gzip'],
  ];
  for (const [file, title] of files) {
    it(`${file}: every frame of the guest is as the guest had it`, async () => {
      const opened = await openImage(
        { kind: 'path', path: path.join(FIXTURES, 'kdump', file) },
        { platform: nodeImagePlatform() },
      );
      const { memory, format, problems } = value(opened);
      assert.deepEqual(problems, []);
      assert.equal(format, title);
      assert.deepEqual(memory.ranges(9), [
        { start: 0, end: 0x9f000 },
        { start: 0x10_0000, end: 0x1200_0000 },
      ]);
      const bytes = new Uint8Array(gunzipSync(readFileSync(`${NAME}.raw.gz`)));
      const { segments } = JSON.parse(readFileSync(`${NAME}.manifest.json`, 'utf8')) as {
        segments: { paddr: string; offset: number; length: number }[];
      };
      const kept = new Map<number, number>();
      for (const { paddr, offset, length } of segments) {
        for (let i = 0; i < length; i += 4096) kept.set((Number(paddr) + i) / 4096, offset + i);
      }
      const zeros = new Uint8Array(4096);
      for (const { start, end } of memory.ranges(9)) {
        for (let frame = start / 4096; frame < end / 4096; frame++) {
          const words = memory.readFrame(frameNumber(frame));
          assert.ok(words, memory.explainMissing(frameNumber(frame)));
          const offset = kept.get(frame);
          const expected = offset === undefined ? zeros : bytes.subarray(offset, offset + 4096);
          const given = Buffer.from(words.buffer, words.byteOffset, 4096);
          assert.ok(given.equals(expected), `frame ${frame}`);
          kept.delete(frame);
        }
      }
      assert.equal(kept.size, 0);
      memory.close();
    }).timeout(30_000);
  }

  it('vtd-small-part1.kdump.gz: a part of a split dump is refused, with the command that puts it together', async () => {
    const file = path.join(FIXTURES, 'kdump/vtd-small-part1.kdump.gz');
    const failure = refusal(await openImage({ kind: 'path', path: file }, { platform: nodeImagePlatform() }));
    assert.equal(failure.code, 'image/kdump-split');
    assert.match(failure.message, /one part of a dump that makedumpfile split \(pages 0 to \d+\)/);
    assert.match(failure.hint ?? '', /makedumpfile --reassemble/);
  });
});
