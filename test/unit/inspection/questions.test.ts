/** Aliases and differences, on tables written word by word. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Alias, type Difference, type EngineClient } from '../../../src/inspection/protocol';
import { builtAmd } from '../../builders/independent/amd';
import { riscvImages, smmuv3Images } from '../../builders/independent/armRiscvImages';
import { builtVtd } from '../../builders/independent/vtd';
import { openBuiltImage } from './builtSources';
import { inProcessEngine, openSample } from './inProcess';

const FRAME = 4096;
const RTADDR = '0x1000';

/** Pages of a domain: index in its last table -> entry. */
type Pages = Readonly<Record<number, bigint>>;

/** Root table in frame 1, context table of bus 0 in frame 2; domain n with its 3-level tables in frames 3n, 3n + 1, 3n + 2. */
function machine(
  domains: Readonly<Record<number, Pages>>,
  users: Readonly<Record<number, number>>,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(32 * FRAME));
  view.setBigUint64(FRAME, 0x2001n, true);
  for (const [requester, domain] of Object.entries(users)) {
    const root = BigInt(3 * domain * FRAME);
    view.setBigUint64(2 * FRAME + 16 * Number(requester), root | 1n, true);
    view.setBigUint64(2 * FRAME + 16 * Number(requester) + 8, (BigInt(domain) << 8n) | 1n, true);
  }
  for (const [id, pages] of Object.entries(domains)) {
    const base = 3 * Number(id) * FRAME;
    view.setBigUint64(base, BigInt(base + FRAME) | 3n, true);
    view.setBigUint64(base + FRAME, BigInt(base + 2 * FRAME) | 3n, true);
    for (const [index, word] of Object.entries(pages)) {
      view.setBigUint64(base + 2 * FRAME + 8 * Number(index), word, true);
    }
  }
  return new Uint8Array(view.buffer);
}

async function open(
  client: EngineClient,
  inspection: string,
  bytes: Uint8Array,
  name = 'dmar0',
): Promise<void> {
  const description = JSON.stringify({
    version: 1,
    image: { file: 'memory.raw', segments: [{ paddr: '0x0', offset: 0, length: bytes.length }] },
    iommus: [{ name, kind: 'vt-d', segment: 0, registers: { RTADDR } }],
  });
  await client.request('open', {
    inspection,
    description,
    image: { kind: 'bytes', name: 'memory.raw', bytes },
  });
}

const rw = (frame: number): bigint => (BigInt(frame) << 12n) | 3n;

const shortAlias = ({ kind, range, count, domains, held, mappings }: Alias) => [
  kind,
  [Number(range.start >> 12n), Number(range.end >> 12n)],
  count,
  domains,
  held,
  mappings.map(({ domain, iova }) => [domain.domainId, Number(iova >> 12n)]),
];

async function aliasesOf(domains: Readonly<Record<number, Pages>>, users: Readonly<Record<number, number>>) {
  const { client } = inProcessEngine();
  await open(client, 'a', machine(domains, users));
  const page = await client.request('aliases', { inspection: 'a', page: { limit: 1000 } });
  await client.dispose();
  return page;
}

describe('aliases', () => {
  it('are frames mapped by two domains or twice by one, grouped to ranges, with identity apart', async () => {
    const { rows, counts, frames, incomplete } = await aliasesOf(
      {
        1: { 0: rw(0x100), 1: rw(0x101), 2: rw(0x102), 20: rw(20), 40: rw(0x100) },
        2: { 7: rw(0x101), 8: rw(0x102), 9: rw(0x103), 20: rw(20) },
        3: { 7: rw(0x8080), 9: rw(0x900), 10: rw(0x900) },
        4: { 7: rw(0x8080) },
      },
      { 8: 1, 16: 2, 24: 3, 32: 4 },
    );
    assert.equal(incomplete, undefined);
    assert.deepEqual(rows.map(shortAlias), [
      [
        'shared',
        [0x101, 0x103],
        2,
        2,
        false,
        [
          [1, 1],
          [2, 7],
        ],
      ],
      [
        'shared',
        [0x8080, 0x8081],
        2,
        2,
        false,
        [
          [3, 7],
          [4, 7],
        ],
      ],
      [
        'repeated',
        [0x100, 0x101],
        2,
        1,
        false,
        [
          [1, 0],
          [1, 40],
        ],
      ],
      [
        'repeated',
        [0x900, 0x901],
        2,
        1,
        false,
        [
          [3, 9],
          [3, 10],
        ],
      ],
      [
        'identity',
        [20, 21],
        2,
        2,
        true,
        [
          [1, 20],
          [2, 20],
        ],
      ],
    ]);
    assert.deepEqual(counts, { shared: 2, repeated: 2, identity: 1 });
    assert.deepEqual(frames, { shared: 3, repeated: 2, identity: 1 });
  });

  it('are what counting each frame gives, on random tables', async () => {
    const pages = fc.dictionary(fc.nat(63).map(String), fc.integer({ min: 0x100, max: 0x120 }));
    await fc.assert(
      fc.asyncProperty(fc.tuple(pages, pages, pages), async (domains) => {
        const built = domains.map((of) =>
          Object.fromEntries(Object.entries(of).map(([at, to]) => [at, rw(to)])),
        );
        const found = await aliasesOf(Object.fromEntries(built.map((of, index) => [index + 1, of])), {
          8: 1,
          16: 2,
          24: 3,
        });
        const expected = new Map<number, string[]>();
        domains.forEach((of, index) => {
          for (const [at, frame] of Object.entries(of)) {
            expected.set(frame, [...(expected.get(frame) ?? []), `${index + 1}/${at}`]);
          }
        });
        const listed = new Map<number, string[]>();
        for (const { range, mappings, count } of found.rows) {
          assert.equal(count, mappings.length);
          for (let frame = Number(range.start >> 12n); frame < Number(range.end >> 12n); frame++) {
            const offset = frame - Number(range.start >> 12n);
            listed.set(
              frame,
              mappings.map(({ domain, iova }) => `${domain.domainId}/${Number(iova >> 12n) + offset}`),
            );
          }
        }
        const plain = (of: Map<number, string[]>) =>
          [...of]
            .filter(([, ways]) => ways.length > 1)
            .map(([frame, ways]) => [frame, [...ways].sort()] as const)
            .sort(([one], [other]) => one - other);
        assert.deepEqual(plain(listed), plain(expected));
        assert.equal(
          listed.size,
          plain(listed).length,
          'no frame is listed twice, nor one that is mapped once',
        );
      }),
      { numRuns: 60 },
    );
  });

  it('come in pages, and of one kind when asked', async () => {
    const { client } = inProcessEngine();
    await open(
      client,
      'a',
      machine(
        { 1: { 0: rw(0x100), 1: rw(0x100), 2: rw(0x200), 4: rw(0x200), 5: rw(5) }, 2: { 5: rw(5) } },
        { 8: 1, 16: 2 },
      ),
    );
    const first = await client.request('aliases', { inspection: 'a', page: { limit: 2 } });
    assert.equal(first.total, 3);
    const rest = await client.request('aliases', {
      inspection: 'a',
      page: { limit: 2, cursor: first.next ?? '' },
    });
    assert.deepEqual([rest.rows.length, rest.next], [1, undefined]);
    const only = await client.request('aliases', { inspection: 'a', kind: 'identity', page: { limit: 9 } });
    assert.deepEqual(
      only.rows.map(({ kind }) => kind),
      ['identity'],
    );
    await client.dispose();
  });
});

type Side = Parameters<typeof machine>;

async function differences(before: Side, after: Side, ignoreMarks = false, limit = 1000) {
  const { client } = inProcessEngine();
  await open(client, 'a', machine(...before));
  await open(client, 'b', machine(...after));
  const rows: Difference[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.request('compare', {
      inspection: 'a',
      other: 'b',
      ignoreMarks,
      page: { limit, ...(cursor !== undefined && { cursor }) },
    });
    assert.ok(page.rows.length <= limit);
    rows.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  await client.dispose();
  return rows;
}

const shortRun = (row: Difference) =>
  row.kind === 'run'
    ? [
        row.change,
        row.domains.before.domainId,
        [Number(row.range.start >> 12n), Number(row.range.end >> 12n)],
        row.what.join(' '),
        row.before && Number(row.before.paddr >> 12n),
        row.after && Number(row.after.paddr >> 12n),
      ]
    : [row.kind, row.change];

const DIRTY = 1n << 9n;
const SNOOP = 1n << 11n;

describe('the difference of two sources', () => {
  const users = { 8: 1, 16: 2 };

  it('is nothing for a source and itself', async () => {
    const { client } = inProcessEngine();
    for (const name of ['vtd-4level', 'vtd-3level-1g', 'vtd-passthrough']) {
      await openSample(client, name, `${name}-1`);
      await openSample(client, name, `${name}-2`);
      for (const other of [`${name}-1`, `${name}-2`]) {
        const page = { limit: 10 };
        const { rows } = await client.request('compare', { inspection: `${name}-1`, other, page });
        assert.deepEqual(rows, []);
      }
    }
    await client.dispose();
  });

  it('names what was added, removed and changed, as runs in IOVA order', async () => {
    const before: Pages = {
      0: rw(0x100),
      1: rw(0x101),
      4: rw(0x104),
      5: rw(0x105),
      6: rw(0x106),
      9: rw(0x109),
    };
    const after: Pages = {
      0: rw(0x100),
      1: rw(0x101),
      2: rw(0x102),
      3: rw(0x103),
      4: rw(0x204),
      5: (0x105n << 12n) | 1n,
      6: rw(0x106) | SNOOP,
      9: rw(0x109) | DIRTY,
    };
    const rows = await differences(
      [{ 1: { ...before, 12: rw(1), 13: rw(2) }, 2: before }, users],
      [{ 1: after, 2: before }, users],
    );
    assert.deepEqual(rows.map(shortRun), [
      ['added', 1, [2, 4], '', undefined, 0x102],
      ['changed', 1, [4, 5], 'paddr', 0x104, 0x204],
      ['changed', 1, [5, 6], 'permission', 0x105, 0x105],
      ['changed', 1, [6, 7], 'attributes', 0x106, 0x106],
      ['changed', 1, [9, 10], 'marks', 0x109, 0x109],
      ['removed', 1, [12, 14], '', 1, undefined],
    ]);
    const quiet = await differences(
      [{ 1: before, 2: {} }, users],
      [{ 1: { ...before, 9: rw(0x109) | DIRTY }, 2: {} }, users],
      true,
    );
    assert.deepEqual(quiet, []);
  });

  it('names devices and domains that appeared, vanished or changed their translation', async () => {
    const rows = await differences(
      [
        { 1: {}, 2: {}, 3: {} },
        { 8: 1, 9: 1, 16: 2, 24: 3 },
      ],
      [
        { 1: {}, 2: {}, 4: {} },
        { 8: 1, 9: 2, 16: 2, 32: 4 },
      ],
    );
    const devices = rows.flatMap((row) =>
      row.kind === 'device' ? [[row.change, row.device.requester]] : [],
    );
    assert.deepEqual(devices, [
      ['changed', 9],
      ['removed', 24],
      ['added', 32],
    ]);
    const domains = rows.flatMap((row) =>
      row.kind === 'domain' ? [[row.change, row.before?.domainId, row.after?.domainId]] : [],
    );
    assert.deepEqual(domains, [
      ['removed', 3, undefined],
      ['added', undefined, 4],
    ]);
  });

  it('follows a domain to another id and root by its devices', async () => {
    const rows = await differences([{ 1: { 3: rw(0x103) } }, { 8: 1 }], [{ 2: { 3: rw(0x104) } }, { 8: 2 }]);
    assert.deepEqual(rows.map(shortRun), [
      ['domain', 'changed'],
      ['changed', 1, [3, 4], 'paddr', 0x103, 0x104],
    ]);
  });

  it('is what comparing page by page gives, in pages of any size', async () => {
    const word = fc
      .tuple(
        fc.integer({ min: 0x100, max: 0x103 }),
        fc.constantFrom(0n, DIRTY, SNOOP),
        fc.constantFrom(1n, 3n),
      )
      .map(([frame, more, perm]) => (BigInt(frame) << 12n) | more | perm);
    const pages = fc.dictionary(fc.nat(31).map(String), word);
    await fc.assert(
      fc.asyncProperty(pages, pages, fc.integer({ min: 1, max: 9 }), async (one, other, limit) => {
        const rows = await differences([{ 1: one }, { 8: 1 }], [{ 1: other }, { 8: 1 }], false, limit);
        const found = new Map<number, string>();
        let last = -1;
        for (const row of rows) {
          assert.ok(row.kind === 'run');
          const [start, end] = [Number(row.range.start >> 12n), Number(row.range.end >> 12n)];
          assert.ok(start >= last && end > start);
          last = end;
          for (let page = start; page < end; page++) {
            const at = (run: typeof row.before) => (run ? Number(run.paddr >> 12n) + page - start : '');
            found.set(page, `${row.change} ${row.what.join(' ')} ${at(row.before)} ${at(row.after)}`);
          }
        }
        const expected = new Map<number, string>();
        for (let page = 0; page < 32; page++) {
          const [a, b] = [one[page], other[page]];
          const frame = (entry: bigint | undefined) => (entry === undefined ? '' : Number(entry >> 12n));
          if (a === b) continue;
          const differs = (mask: bigint): boolean => (((a ?? 0n) ^ (b ?? 0n)) & mask) !== 0n;
          const what =
            a === undefined || b === undefined
              ? ''
              : [
                  differs(~0xfffn) ? 'paddr' : '',
                  differs(3n) ? 'permission' : '',
                  differs(SNOOP) && !differs(3n) ? 'attributes' : '',
                  differs(DIRTY) ? 'marks' : '',
                ]
                  .filter(Boolean)
                  .join(' ');
          const change = a === undefined ? 'added' : b === undefined ? 'removed' : 'changed';
          expected.set(page, `${change} ${what} ${frame(a)} ${frame(b)}`);
        }
        assert.deepEqual(
          [...found].sort(([a], [b]) => a - b),
          [...expected],
        );
      }),
      { numRuns: 80 },
    );
  });
});

describe('aliases and differences of images from the independent builders', function () {
  this.timeout(120_000);

  for (const [vendor, images] of [
    ['VT-d', builtVtd()],
    ['AMD-Vi', builtAmd()],
    ['SMMUv3', smmuv3Images()],
    ['RISC-V', riscvImages()],
  ] as const) {
    it(`${vendor}: nothing differs from itself, and a stage 1 with its stage 2 is no alias`, async () => {
      const { client } = inProcessEngine();
      for (const image of images) {
        await openBuiltImage(client, image, 'a');
        await openBuiltImage(client, image, 'b');
        const page = { limit: 1000 };
        const compared = await client.request('compare', { inspection: 'a', other: 'b', page });
        assert.deepEqual(compared.rows, [], image.name);
        const { rows } = await client.request('aliases', { inspection: 'a', page });
        for (const { count, mappings } of rows) {
          assert.ok(count > 1);
          const [one, other] = mappings;
          if (count !== 2 || !one || !other || one.domain.stage === other.domain.stage) continue;
          const [upper, lower] =
            one.domain.stage === 1 ? [one.domain, other.domain] : [other.domain, one.domain];
          assert.notDeepEqual(upper.below, { domainId: lower.domainId, root: lower.root }, image.name);
        }
      }
      await client.dispose();
    });
  }
});
