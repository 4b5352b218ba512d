/**
 * Traces of real guests, from boot to the moment of their image, replayed: what is mapped then is what the image's tables map; and
 * tables built from it, saved as an image and opened again, map it too. The events name no device, so an unmap of an IOVA
 * that two domains map may have been taken from the other one: all else is equal page by page.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { bytesSource } from '../../src/bytes/byteSource';
import { openDirectory } from '../../src/engine/directory/index';
import { type EmulatedKind } from '../../src/engine/iommu/vendor';
import { formatRequester, requesterId } from '../../src/engine/values';
import { KIND_TITLES, type IommuKind } from '../../src/image/description/registers';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { openInspection } from '../../src/inspection/open';
import { saveMachine } from '../../src/inspection/machines/save';
import { type Inspection } from '../../src/inspection/inspection';
import { openReplay } from '../../src/inspection/traces/replayTables';
import { TraceIndex } from '../../src/trace/index/traceIndex';
import { traceNames } from '../../src/trace/model/dictionary';
import { openTrace } from '../../src/trace/readers/index';
import { Replay } from '../../src/trace/replay/replay';
import { type SpaceIndex } from '../../src/trace/replay/spaceIndex';
import { FLUSH, MAP, UNMAP, valueAt } from '../../src/trace/replay/chunkRows';
import { tellSpaces } from '../../src/trace/replay/spaces';
import { CORPUS, type GuestManifest } from './manifest';
import { runsOf, spacesByRoot } from './spaces';

interface Guest {
  readonly name: string;
  readonly vendor: EmulatedKind;
  /** 4K pages mapped onto themselves before tracing could begin: of the ISA bridge. */
  readonly untraced?: number;
  /** Pages that stand in another frame: of unmaps that two domains fit. */
  readonly exchanged: number;
}

const GUESTS: readonly Guest[] = [
  { name: 'vtd-small-share', vendor: 'vt-d', untraced: 4096, exchanged: 3 },
  { name: 'vtd-legacy-share', vendor: 'vt-d', untraced: 4096, exchanged: 2 },
  { name: 'vtd-pt-share', vendor: 'vt-d', exchanged: 0 },
  { name: 'vtd-sm-fl-share', vendor: 'vt-d', exchanged: 2 },
  { name: 'vtd-sm-sl-share', vendor: 'vt-d', untraced: 4096, exchanged: 2 },
  { name: 'amd-share', vendor: 'amd-vi', exchanged: 2 },
  { name: 'smmuv3-4k-share', vendor: 'smmuv3', exchanged: 2 },
  { name: 'smmuv3-4k-s2-share', vendor: 'smmuv3', exchanged: 5 },
  { name: 'smmuv3-16k-share', vendor: 'smmuv3', exchanged: 20 },
  { name: 'smmuv3-4k-nestedhw-share', vendor: 'smmuv3', exchanged: 2 },
  { name: 'smmuv3-pt-share', vendor: 'smmuv3', exchanged: 0 },
  { name: 'riscv-share', vendor: 'riscv', exchanged: 3 },
];

type Manifest = GuestManifest & {
  readonly linux_ftrace_replay: Readonly<
    Record<
      | 'live_pages_trace'
      | 'live_pages_decoded'
      | 'only_in_trace'
      | 'only_in_decoder'
      | 'decoded_pa_never_traced',
      number
    >
  >;
};

const manifestOf = (name: string): Manifest =>
  JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as Manifest;

/** What a generator returns in the end. */
function finish<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

interface Traced {
  readonly table: TraceIndex;
  readonly index: SpaceIndex;
  readonly replay: Replay;
}

const traced = (name: string): Traced =>
  replayOf(`${name}.ftrace.txt`, gunzipSync(readFileSync(path.join(CORPUS, `${name}.ftrace.txt.gz`))));

function replayOf(name: string, bytes: Uint8Array): Traced {
  const names = traceNames();
  const opened = openTrace(bytesSource(name, bytes), names);
  assert.ok(opened.ok);
  const table = TraceIndex.create(opened.value, names);
  while (table.readChunk());
  const index = finish(tellSpaces(table, { by: 'auto' }));
  return { table, index, replay: finish(Replay.of(table, index)) };
}

/** The frames that an IOVA's page leads to, one for each address space that maps it. */
class Pages {
  readonly frames = new Map<number, number[]>();
  total = 0;

  add(page: number, frame: number, pages: number): void {
    this.total += pages;
    for (let at = 0; at < pages; at++) {
      const known = this.frames.get(page + at);
      if (known) known.push(frame + at);
      else this.frames.set(page + at, [frame + at]);
    }
  }

  /** How many pages are here and not there: in their frames, and at all. */
  without(other: Pages): { readonly frames: number; readonly pages: number } {
    const more = { frames: 0, pages: 0 };
    for (const [page, frames] of this.frames) {
      const left = [...(other.frames.get(page) ?? [])];
      more.pages += Math.max(0, frames.length - left.length);
      for (const frame of frames) {
        const found = left.indexOf(frame);
        if (found < 0) more.frames++;
        else left.splice(found, 1);
      }
    }
    return more;
  }
}

function pagesOfImage({ decoded_ranges }: Manifest): Pages {
  const pages = new Pages();
  for (const { ranges } of decoded_ranges)
    for (const { iova, paddr, length } of ranges)
      pages.add(Number(BigInt(iova) >> 12n), Number(BigInt(paddr) >> 12n), Number(BigInt(length) >> 12n));
  return pages;
}

function pagesAtEnd({ table, replay }: Traced): Pages {
  const pages = new Pages();
  for (const { live } of finish(replay.at(table.rows - 1)))
    for (const { start, end, frame } of live.within()) pages.add(start, frame, end - start);
  return pages;
}

function pagesOfTables(
  { iommus: [iommu] }: Inspection,
  vendor: IommuKind,
  memory: Inspection['memory'],
): Pages {
  assert.ok(iommu);
  const directory = openDirectory(vendor, memory, iommu.described.registers);
  assert.ok(directory.ok);
  const pages = new Pages();
  for (const space of spacesByRoot(directory.value).values())
    for (const { iova, paddr, length } of runsOf(space))
      pages.add(Number(iova >> 12n), Number(paddr >> 12n), Number(length >> 12n));
  return pages;
}

const NOTHING = { frames: 0, pages: 0 };

describe('the trace of a real guest, replayed to the moment of its image', function () {
  this.timeout(60_000);
  for (const { name, vendor, untraced = 0, exchanged } of GUESTS) {
    it(`maps the pages of the image, and tables built from it do when they are saved and opened: ${name}`, async () => {
      const manifest = manifestOf(name);
      const trace = traced(name);
      const [live, image] = [pagesAtEnd(trace), pagesOfImage(manifest)];
      const { linux_ftrace_replay: says } = manifest;
      assert.equal(live.total, says.live_pages_trace);
      assert.equal(image.total, says.live_pages_decoded);
      assert.deepEqual(live.without(image), { frames: exchanged, pages: says.only_in_trace });
      assert.deepEqual(image.without(live), { frames: untraced + exchanged, pages: says.only_in_decoder });
      assert.equal(untraced, says.decoded_pa_never_traced);
      const { findings } = trace.replay;
      assert.deepEqual(
        ['double-map', 'unmap-nothing', 'short-unmap', 'missing-flush'].map(
          (kind) => findings.counts[kind as keyof typeof findings.counts],
        ),
        [0, 0, 0, 0],
      );

      const built = finish(
        openReplay(
          {
            inspection: name,
            replay: { trace: name, row: trace.table.rows - 1, spaces: { by: 'auto' }, vendor },
          },
          {
            name,
            table: trace.table,
            analysis: {
              *analysed() {
                yield 0;
                return { told: trace.index, replay: trace.replay };
              },
            },
          },
        ),
      );
      const tables = pagesOfTables(built, vendor, built.memory);
      assert.deepEqual([tables.without(live), live.without(tables)], [NOTHING, NOTHING], KIND_TITLES[vendor]);

      const saved = saveMachine(built, `${name}.elf`);
      const opened = await openInspection(
        {
          inspection: 'saved',
          description: saved.description,
          image: { kind: 'bytes', name: `${name}.elf`, bytes: saved.image },
        },
        nodeImagePlatform(),
        { signal: NEVER, onProgress: () => undefined },
        { clock: () => 0, pause: () => Promise.resolve() },
      );
      const again = pagesOfTables(opened, vendor, opened.memory);
      opened.close();
      assert.deepEqual([again.without(live), live.without(again)], [NOTHING, NOTHING]);
    });
  }
});

/** Events of the DMA API, of the IOMMU and of the Intel driver side by side. */
const SAMPLE = path.join(CORPUS, '..', 'traces', 'vtd-sm-fl-share', 'ftrace_sample_alldma.txt.gz');

describe('a trace of a real guest with events of the DMA API', () => {
  const lines = gunzipSync(readFileSync(SAMPLE)).toString('latin1').split('\n');
  const sample = (text: readonly string[]): Traced =>
    replayOf('sample', Buffer.from(text.join('\n'), 'latin1'));

  it('is split by device: flushes of a device’s unmaps name the domain that the image attaches it to', () => {
    const { table, index } = sample(lines);
    const seen = new Set<string>();
    const without: number[] = [];
    for (let row = 0; row < table.rows; row++) {
      const [operation, domain] = [valueAt(table, row, 'operation'), valueAt(table, row, 'domain')];
      const space = index.spaceOf(row);
      if (operation === MAP || operation === UNMAP || operation === FLUSH) {
        if (space < 0) without.push(row);
        else if (!Number.isNaN(domain)) seen.add(`${index.name(space)} ${domain}`);
      }
    }
    assert.deepEqual(without, []);
    const { devices } = JSON.parse(
      readFileSync(path.join(CORPUS, 'vtd-sm-fl-share.manifest.json'), 'utf8'),
    ) as { readonly devices: readonly { readonly sid: string; readonly did: number }[] };
    const attached = devices.map(
      ({ sid, did }) => `0000:${formatRequester(requesterId(Number(sid)))} ${did}`,
    );
    assert.deepEqual([...seen].sort(), ['0000:00:02.0 4', '0000:00:04.0 6']);
    for (const each of seen) assert.ok(attached.includes(each), each);
    assert.deepEqual(index.notes, []);
  });

  it('misses a flush exactly where the lines of one are taken out', () => {
    const missing = (text: readonly string[]) =>
      sample(text)
        .replay.findingPage(['missing-flush'], 0, 10)
        .findings.map(({ start, end }) => [start, end]);
    assert.deepEqual(missing(lines), []);
    const at = lines.findIndex((line) => line.includes('cache_tag_flush_range:'));
    assert.match(lines[at + 1] ?? '', /qi_submit: p_iotlb_inv/);
    assert.match(lines[at] ?? '', /\[0xffe20000-0xffe2ffff\]/);
    // The next request has the same IOVA, mapped a page at a time: one finding for the unmap.
    assert.deepEqual(missing([...lines.slice(0, at), ...lines.slice(at + 2)]), [[0xffe20, 0xffe30]]);
  });
});

const NEVER = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };
