import assert from 'node:assert/strict';
import fc from 'fast-check';
import { openDirectory } from '../../../src/engine/directory/index';
import { formatRequester } from '../../../src/engine/values';
import { type Inspection } from '../../../src/inspection/inspection';
import { RequestError } from '../../../src/inspection/requestError';
import { freePlace } from '../../../src/inspection/traces/replayPlace';
import { openReplay } from '../../../src/inspection/traces/replayTables';
import { LiveMappings } from '../../../src/trace/replay/liveMappings';
import { type RowFacts } from '../../builders/trace';
import { runsOf } from '../../conformance/spaces';
import { finish, map, replayed, unmap } from '../trace/replay/replayed';

const PAGE = 4096;

function tablesOf(rows: readonly RowFacts[], { row = rows.length - 1, vendor = '' } = {}): Inspection {
  const { table, index, replay } = replayed(rows);
  return finish(
    openReplay(
      {
        inspection: 'tables',
        replay: { trace: 'trace', row, spaces: { by: 'auto' }, ...(vendor === '' ? {} : { vendor }) },
      },
      {
        name: 'trace.txt',
        table,
        analysis: {
          *analysed() {
            yield 0;
            return { told: index, replay };
          },
        },
      },
    ),
  );
}

/** Runs by device: `00:02.0 0x64000+8192->0x1388000 RW 4096`. */
function mappedIn({ iommus: [iommu], memory }: Inspection): readonly string[] {
  assert.ok(iommu);
  const directory = openDirectory(iommu.summary.kind, memory, iommu.described.registers);
  assert.ok(directory.ok);
  const mapped: string[] = [];
  for (const device of directory.value.devices()) {
    if (device?.lookup.answer.kind !== 'table') continue;
    for (const { iova, length, paddr, perm, page } of runsOf(device.lookup.answer.space))
      mapped.push(
        `${formatRequester(device.requester)} ${iova / 4096n}+${length / 4096n}->${paddr / 4096n} ${perm} ${page}`,
      );
  }
  return mapped;
}

/** Devices that have tables. */
function devicesIn({ iommus: [iommu], memory }: Inspection): number {
  assert.ok(iommu);
  const directory = openDirectory(iommu.summary.kind, memory, iommu.described.registers);
  assert.ok(directory.ok);
  return [...directory.value.devices()].filter((device) => device?.lookup.answer.kind === 'table').length;
}

const codes = ({ summary }: Inspection): readonly string[] => summary.problems.map(({ code }) => code);

describe('tables of a trace', () => {
  const disk = '0000:00:02.0';
  const nic = '0000:00:03.0';

  it('map for each device what its rows mapped, by the pages that the kernel chooses for each call', () => {
    const rows = [
      map(512, 1024, 2048, { device: disk }),
      map(100, 2, 5000, { device: nic }),
      map(100, 1, 7000, { device: disk }),
      unmap(100, 1, { device: disk }),
    ];
    assert.deepEqual(mappedIn(tablesOf(rows, { row: 2 })), [
      `00:02.0 100+1->7000 RW ${PAGE}`,
      `00:02.0 512+1024->2048 RW ${2 ** 21}`,
      `00:03.0 100+2->5000 RW ${PAGE}`,
    ]);
    assert.deepEqual(mappedIn(tablesOf(rows)), [
      `00:02.0 512+1024->2048 RW ${2 ** 21}`,
      `00:03.0 100+2->5000 RW ${PAGE}`,
    ]);
  });

  it('are of the vendor that was asked for, else of the one that events speak of, else of VT-d', () => {
    const rows = [map(100, 1, 5000, { device: disk })];
    const kind = (inspection: Inspection) => inspection.summary.iommus[0]?.kind;
    for (const vendor of ['vt-d', 'amd-vi', 'smmuv3', 'riscv']) {
      const built = tablesOf(rows, { vendor });
      assert.equal(kind(built), vendor);
      assert.deepEqual(mappedIn(built), [`00:02.0 100+1->5000 RW ${PAGE}`]);
    }
    assert.equal(kind(tablesOf(rows)), 'vt-d');
    const speaks = (event: string) => tablesOf([...rows, { operation: 'flush', event, flags: ['global'] }]);
    assert.equal(kind(speaks('amdvi_all_inval')), 'amd-vi');
    assert.equal(kind(speaks('smmuv3_cmdq_tlbi_nsnh')), 'smmuv3');
    assert.equal(kind(speaks('riscv_iommu_cmd')), 'riscv');
    assert.throws(() => tablesOf(rows, { vendor: 'sparc' }), RequestError);
  });

  it('take more levels for wide IOVAs, and say which mappings they cannot hold', () => {
    const rows = [map(2 ** 40, 1, 5000, { device: disk }), map(2 ** 51, 1, 6000, { device: disk })];
    const wide = `00:02.0 ${2 ** 40}+1->5000 RW ${PAGE}`;
    assert.deepEqual(mappedIn(tablesOf(rows.slice(0, 1), { vendor: 'vt-d' })), [wide]);
    assert.deepEqual(mappedIn(tablesOf(rows.slice(0, 1), { vendor: 'riscv' })), [wide]);
    assert.deepEqual(mappedIn(tablesOf(rows, { vendor: 'amd-vi' })), [
      wide,
      `00:02.0 ${2 ** 51}+1->6000 RW ${PAGE}`,
    ]);
    const cut = tablesOf(rows, { vendor: 'vt-d' });
    assert.deepEqual(mappedIn(cut), [wide]);
    const [note] = cut.summary.problems.filter(({ code }) => code === 'trace/refused');
    assert.match(note?.message ?? '', / hold: 1 \(4K\); the first is 0x8000000000000000 of row 2 \(ERANGE/);
  });

  it('leave out what has no physical address, and say so', () => {
    const built = tablesOf([
      { operation: 'map', iova: 0x1000, size: 0x3000, device: disk },
      map(100, 1, 5000, { device: disk }),
    ]);
    assert.deepEqual(mappedIn(built), [`00:02.0 100+1->5000 RW ${PAGE}`]);
    const [note] = built.summary.problems.filter(({ code }) => code === 'trace/no-paddr');
    assert.match(note?.message ?? '', /: 1 \(12K\); the first is 0x1000 of row 1\.$/);
  });

  it('have devices of their own where the trace names none, and say which', () => {
    const built = tablesOf([map(100, 1, 5000), map(100, 1, 6000, { task: 'other' })]);
    assert.deepEqual(mappedIn(built), [`00:01.0 100+1->5000 RW ${PAGE}`, `00:02.0 100+1->6000 RW ${PAGE}`]);
    assert.deepEqual(codes(built), ['trace/no-device-names', 'trace/assumed', 'trace/invented-devices']);
    const named = tablesOf([map(100, 1, 5000, { device: 'sid 0x18' })]);
    assert.deepEqual(mappedIn(named), [`00:03.0 100+1->5000 RW ${PAGE}`]);
    assert.deepEqual(codes(named), ['trace/assumed']);
  });

  it('stand in memory that nothing is mapped to', () => {
    const built = tablesOf([
      map(2 ** 20, 2 ** 20, 2 ** 20, { device: disk }),
      map(100, 1, 0, { device: disk }),
    ]);
    assert.ok(built.memory.bytesHeld > 0);
    const frames = [...freeOf(built)];
    assert.ok(frames.every((frame) => frame !== 0 && (frame < 2 ** 20 || frame >= 2 ** 21)));
  });

  it('are at most 255, as domains are, and it is said', () => {
    const rows = Array.from({ length: 300 }, (_, index) =>
      map(100, 1, index, { device: `00:${(index >> 3).toString(16).padStart(2, '0')}.${index & 7}` }),
    );
    const built = tablesOf(rows.slice(0, 256));
    assert.equal(devicesIn(built), 255);
    assert.ok(codes(built).includes('trace/too-many-spaces'));
  });

  it('of a trace that maps nothing are empty; of a row that is none there are none', () => {
    const rows = [map(100, 1, 5000, { device: disk }), unmap(100, 1, { device: disk })];
    assert.deepEqual(mappedIn(tablesOf(rows)), []);
    assert.equal(tablesOf(rows).summary.iommus[0]?.translating, true);
    for (const row of [-1, 2, 0.5]) assert.throws(() => tablesOf(rows, { row }), RequestError);
  });
});

/** Frames that the tables and structures take. */
function* freeOf({ memory }: Inspection): Generator<number> {
  if (!('arena' in memory)) return;
  yield* (memory.arena as { heldFrames(): Iterable<number> }).heldFrames();
}

describe('the place for tables', () => {
  it('is the first of its size from 4 GiB on that no mapping leads to', () => {
    const base = 2 ** 20;
    const mapping = fc.record({ frame: fc.nat(300), pages: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(
        fc.array(mapping, { maxLength: 12 }),
        fc.integer({ min: 1, max: 60 }),
        (mappings, frames) => {
          const live = new LiveMappings();
          const used = new Set<number>();
          for (const [index, { frame, pages }] of mappings.entries()) {
            live.map(index * 100, index * 100 + pages, base + frame - 40, index);
            for (let at = 0; at < pages; at++) used.add(base + frame - 40 + at);
          }
          const place = freePlace([{ space: 0, name: 'one', live }], frames);
          assert.equal(place.frames, frames);
          const isFree = (start: number): boolean =>
            Array.from({ length: frames }, (_, at) => start + at).every((frame) => !used.has(frame));
          assert.ok(isFree(place.start));
          // It may begin behind the first place that is free, by what rounds to 16 frames.
          for (let start = base; start + 16 <= place.start; start++)
            assert.ok(!isFree(start) || !isFree(start + 15) || start % 16 !== 0);
        },
      ),
    );
  });
});
