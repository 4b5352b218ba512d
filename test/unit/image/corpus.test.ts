import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FrameNumber, frameNumber } from '../../../src/engine/values';
import { type MemoryImage } from '../../../src/image/memoryImage';
import { openImage, type OpenedImage } from '../../../src/image/openImage';
import { type DescribedSegment } from '../../../src/image/readers/describedSegment';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { value } from './support';

/** Inflates each large form once. */
let cacheDirectory = '';
before(() => {
  cacheDirectory = mkdtempSync(path.join(tmpdir(), 'iopte-corpus-'));
});
after(() => {
  rmSync(cacheDirectory, { recursive: true, force: true });
});

const CORPUS = path.join(__dirname, '../../fixtures/corpus');

interface Manifest {
  readonly segments: readonly { readonly paddr: string; readonly offset: number; readonly length: number }[];
}

const segmentsOf = (name: string): Required<DescribedSegment>[] => {
  const text = readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8');
  const { segments } = JSON.parse(text) as Manifest;
  return segments.map(({ paddr, offset, length }) => ({ paddr: Number(paddr), offset, length }));
};

/** The frames that a manifest says were kept. */
const framesOf = (name: string): FrameNumber[] =>
  segmentsOf(name).flatMap(({ paddr, length }) =>
    Array.from({ length: length / 4096 }, (_, i) => frameNumber(paddr / 4096 + i)),
  );

const open = async (file: string, segments?: readonly DescribedSegment[]): Promise<OpenedImage> =>
  value(
    await openImage(
      { kind: 'path', path: path.join(CORPUS, file) },
      { platform: nodeImagePlatform({ cacheDirectory }), ...(segments && { segments }) },
    ),
  );

/** The frames as text, to compare images. */
function contents(memory: MemoryImage, frames: readonly FrameNumber[]): string[] {
  return frames.map((frame) => {
    const words = memory.readFrame(frame);
    assert.ok(words, memory.explainMissing(frame));
    return Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('base64');
  });
}

describe('images of real guests', () => {
  for (const name of [
    'vtd-small-share',
    'vtd-legacy-share',
    'vtd-pt-share',
    'smmuv3-pt-share',
    'amd-share',
  ]) {
    it(`${name}: the ELF core and the raw frames hold the same, and all that the manifest says`, async () => {
      const elf = await open(`${name}.elf.gz`);
      const raw = await open(`${name}.raw.gz`, segmentsOf(name));
      assert.deepEqual([...elf.problems, ...raw.problems], []);
      assert.equal(elf.format, 'ELF64 core, gzip');
      assert.equal(raw.format, 'raw memory, gzip');
      const kept = framesOf(name);
      assert.ok(kept.length >= 18);
      assert.deepEqual(contents(elf.memory, kept), contents(raw.memory, kept));
      assert.equal(elf.memory.bytesHeld, kept.length * 4096);
      assert.equal(elf.memory.segments, segmentsOf(name).length);
    });
  }

  const whole = [{ paddr: 0, offset: 0, length: 288 * 2 ** 20 }];
  const forms: [string, string, readonly DescribedSegment[] | undefined, number, number][] = [
    ['the full-size ELF core', 'fullsize-zeroed.elf.gz', undefined, 2, 0xffff_ffff],
    ['the ELF core with 66,254 program headers', 'paging-zeroed.elf.gz', undefined, 2, 0x11fe_2fff],
    ['the raw memory of pmemsave', 'pmem-zeroed.raw.gz', whole, 1, 0x11ff_ffff],
  ];
  for (const [what, file, segments, count, highest] of forms) {
    it(`vtd-small-share: ${what} holds the same tables`, async () => {
      const { memory, problems } = await open(`large/vtd-small-share.${file}`, segments);
      assert.deepEqual(problems, []);
      assert.deepEqual([memory.segments, memory.highestAddress], [count, highest]);
      const kept = framesOf('vtd-small-share');
      const small = await open('vtd-small-share.elf.gz');
      assert.deepEqual(contents(memory, kept), contents(small.memory, kept));
    });
  }

  it('smmuv3-pt-share: the misplaced ELF core is recognised, explained, and read at the right place', async () => {
    const file = 'large/smmuv3-pt-share.misoffset-zeroed.elf.gz';
    const corrected = await open(file);
    assert.deepEqual(
      corrected.problems.map(({ severity, code }) => [severity, code]),
      [['warning', 'image/elf-misplaced']],
    );
    assert.match(corrected.problems[0]?.message ?? '', /place the memory 1632 bytes \(0x660\) too high/);
    const kept = framesOf('smmuv3-pt-share');
    const small = await open('smmuv3-pt-share.elf.gz');
    assert.deepEqual(contents(corrected.memory, kept), contents(small.memory, kept));
    const raw = await open(file, [{ paddr: 0x4000_0000, offset: 0x13d8, length: 0x8000_0000 }]);
    assert.deepEqual(contents(raw.memory, kept), contents(small.memory, kept));
  }).timeout(60_000);
});
