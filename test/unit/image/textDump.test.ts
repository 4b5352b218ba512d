import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { openListed } from '../../../src/engine/directory/listed/index';
import { walkTables } from '../../../src/engine/pageTable/walk';
import { frameNumber, pasid, requesterId } from '../../../src/engine/values';
import { type OpenedImage } from '../../../src/image/openImage';
import { openBytes, refusal, value, wordAt } from './support';

const HEADER = 'Device 0000:00:02.0 @0x1017f8000';
const COLUMNS = 'IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE';
const word = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;
/** A row as the kernel prints it, of the entries from level 5 down. */
const row = (page: number, ...entries: readonly bigint[]): string =>
  `0x${page.toString(16).padStart(13, '0')} |\t${entries.map(word).join('\t')}`;
/** The walk to page `page`, mapped to itself in 4K, through tables at 0x1017f9000 and above. */
const identity = (page: number): string =>
  row(page, 0n, 0x1017f9003n, 0x1017fa003n, 0x1017fb003n, BigInt(page) * 4096n + 3n);

const bytesOf = (...lines: readonly string[]): Uint8Array =>
  new TextEncoder().encode(`${lines.join('\n')}\n`);
const open = async (...lines: readonly string[]): Promise<OpenedImage> =>
  value(await openBytes(bytesOf(...lines)));
const codesOf = ({ problems }: OpenedImage): string[] =>
  problems.filter(({ severity }) => severity !== 'info').map(({ code }) => code);
const messageOf = ({ problems }: OpenedImage, code: string): string =>
  problems.find((problem) => problem.code === code)?.message ?? '';

function directoryOf({ memory, iommus }: OpenedImage, at = 0) {
  const listed = iommus?.[at]?.listed;
  assert.ok(listed);
  return value(openListed(memory, listed));
}

function spaceOf(image: OpenedImage, requester = 0x10, process: number | null = null) {
  const { answer } = directoryOf(image).lookup(
    requesterId(requester),
    process === null ? null : pasid(process),
  );
  assert.ok(answer.kind === 'table', answer.kind === 'fault' ? answer.why : answer.kind);
  return answer.space;
}

describe('a text dump of page tables', () => {
  it('puts each entry at its place in its table, and knows no other word', async () => {
    const image = await open(HEADER, COLUMNS, identity(0x8d800));
    const { memory } = image;
    // Page 0x8d800: index 0 of level 4, 2 of level 3, 0x6c of level 2, 0 of level 1.
    const entries: [address: number, low: number][] = [
      [0x1017f8000, 0x017f9003],
      [0x1017f9000 + 2 * 8, 0x017fa003],
      [0x1017fa000 + 0x6c * 8, 0x017fb003],
      [0x1017fb000, 0x8d800003],
    ];
    for (const [address, low] of entries) {
      assert.equal(wordAt(memory, address), low);
      const frame = frameNumber(Math.floor(address / 4096));
      const known = Array.from({ length: 512 }, (_, index) => memory.knows?.(frame, index) ?? true);
      assert.deepEqual(
        known.flatMap((each, index) => (each ? [index] : [])),
        [(address % 4096) / 8],
      );
    }
    assert.equal(memory.bytesHeld, 4 * 8);
    assert.deepEqual(codesOf(image), []);
  });

  it('tells what is not listed from what is not present', async () => {
    const space = spaceOf(await open(HEADER, COLUMNS, identity(0x8d800)));
    assert.deepEqual(walkTables(space, 0x8d80_0123, 0, false).outcome, {
      ok: true,
      paddrLo: 0x8d80_0123,
      paddrHi: 0,
      pageShift: 12,
      permission: 3,
    });
    for (const [address, depth] of [
      [0x8d80_1000, 1],
      [0x8da0_0000, 2],
      [0x4000_0000, 3],
    ] as const) {
      const { outcome } = walkTables(space, address, 0, false);
      assert.ok(!outcome.ok);
      assert.deepEqual([outcome.fault, outcome.depth], ['entry-unknown', depth]);
    }
    assert.equal(walkTables(space, 0, 1 << 16, false).outcome.ok, false);
  });

  it('reads large pages, whose lower columns are 0 or missing', async () => {
    const gigabyte = row(0x40000, 0n, 0x1017f9003n, 0x4000_0083n, 0n, 0n);
    const megabytes = row(0x200, 0n, 0x1017f9003n, 0x1017fa003n, 0x20_0083n);
    const short = row(0x80000, 0n, 0x1017f9003n, 0x8000_0083n);
    const image = await open(HEADER, COLUMNS, gigabyte, megabytes, short);
    const space = spaceOf(image);
    const shifts = [0x4000_1000, 0x20_1000, 0x8000_1000].map((address) => {
      const { outcome } = walkTables(space, address, 0, true);
      return outcome.ok ? [outcome.pageShift, outcome.paddrLo] : outcome.fault;
    });
    assert.deepEqual(shifts, [
      [30, 0x4000_1000],
      [21, 0x20_1000],
      [30, 0x8000_1000],
    ]);
    assert.deepEqual(codesOf(image), []);
  });

  it('takes the levels from the columns and the stage from the entries, and says why', async () => {
    const three = await open(HEADER, COLUMNS, row(1, 0n, 0n, 0x2003n, 0x3003n, 0x1003n));
    assert.equal(spaceOf(three).format.addressBits, 39);
    assert.equal(spaceOf(three).stage, 2);
    const first = await open(
      'Device 0000:00:02.0 with pasid 1f @0x1000',
      COLUMNS,
      row(1, 0n, 0x2027n, 0x3027n, 0x4067n, 0x8000_0000_0000_1067n),
    );
    const space = spaceOf(first, 0x10, 0x1f);
    assert.deepEqual([space.stage, space.format.format.title], [1, 'VT-d first stage']);
    assert.match(
      messageOf(first, 'image/text-format'),
      /PASID 31: read as first stage of 4 levels: every entry has/,
    );
    const five = await open(HEADER, COLUMNS, row(2 ** 36, 0x1003n, 0x2003n, 0x3003n, 0x4003n, 0x1003n));
    assert.equal(spaceOf(five).format.addressBits, 57);
    const unclear = await open(HEADER, COLUMNS, row(1, 0n, 0x2007n, 0x3003n, 0x4003n, 0x1003n));
    assert.deepEqual(codesOf(unclear), ['image/text-format']);
  });

  it('gives PASID 0 of Linux to requests without a PASID', async () => {
    const image = await open(HEADER.replace(' @', ' with pasid 0 @'), COLUMNS, identity(1));
    assert.equal(spaceOf(image).stage, 2);
    const { answer } = directoryOf(image).lookup(requesterId(0x10), pasid(7));
    assert.equal(answer.kind === 'fault' && answer.fault, 'entry-unknown');
  });

  it('shows a device without any mapping as unknown', async () => {
    const directory = directoryOf(await open(HEADER, COLUMNS, ''));
    const { answer } = directory.lookup(requesterId(0x10), null);
    assert.ok(answer.kind === 'fault');
    assert.match(answer.why, /lists no mapped page for 00:02\.0/);
    assert.equal([...directory.devices()].length, 1);
  });

  it('shares the tables that devices have in common, and keeps segments apart', async () => {
    const other = HEADER.replace('0000:00:02.0', '0000:00:03.0');
    const far = HEADER.replace('0000:00:02.0', '0001:00:02.0');
    const image = await open(
      HEADER,
      COLUMNS,
      identity(1),
      '',
      other,
      COLUMNS,
      identity(1),
      '',
      far,
      COLUMNS,
      identity(1),
    );
    const directory = directoryOf(image);
    const [one, two] = [0x10, 0x18].map((id) => directory.lookup(requesterId(id), null).answer);
    assert.ok(one?.kind === 'table' && two?.kind === 'table' && one.space === two.space);
    assert.deepEqual(
      image.iommus?.map(({ described }) => [described.name, described.segment]),
      [
        ['vt-d', 0],
        ['vt-d-1', 1],
      ],
    );
    assert.deepEqual(codesOf(image), []);
  });

  it('names both lines of a contradiction, and believes the first', async () => {
    const changed = row(1, 0n, 0x1017f9003n, 0x1017fa003n, 0x1017fb003n, 0x7777_7003n);
    const image = await open(HEADER, COLUMNS, identity(1), changed);
    assert.deepEqual(codesOf(image), ['image/text-contradiction']);
    assert.match(
      messageOf(image, 'image/text-contradiction'),
      /^Line 4 says 0x0*77777003 .*: line 3 is believed\.$/,
    );
    assert.equal(wordAt(image.memory, 0x1017fb008), 0x1003);
  });

  it('counts and names lines that it does not understand', async () => {
    const image = await open(
      HEADER,
      COLUMNS,
      identity(1),
      '[...]',
      'vfio-pci: reset done',
      ...Array<string>(5).fill('?'),
    );
    assert.deepEqual(codesOf(image), ['image/text-unknown-lines']);
    assert.match(
      messageOf(image, 'image/text-unknown-lines'),
      /^7 lines are not understood and left out: line 4 "\[\.\.\.\]", line 5 "vfio-pci: reset done", /,
    );
  });

  const spoiled: readonly (readonly [what: string, line: string])[] = [
    ['is cut in its last number', identity(1).slice(0, -3)],
    ['has a number of 17 digits', `${identity(1)}0`],
    ['has six entries', `${identity(1)}\t${word(3n)}`],
    ['lacks an entry between others', row(1, 0n, 0x1017f9003n, 0n, 0x1017fb003n, 0x1003n)],
    ['has a page beyond its levels', row(2 ** 40, 0n, 0x1017f9003n, 0x1017fa003n, 0x1017fb003n, 0x1003n)],
    ['has a large page that is not aligned', row(1, 0n, 0x1017f9003n, 0x4000_0083n, 0n, 0n)],
    ['has other levels than the row before', row(2, 0x1003n, 0x1017f9003n, 0x1017fa003n, 0x1017fb003n, 3n)],
    ['has nothing but its page', '0x0000000000001 |'],
    ['has a page of 20 digits', `0x${'f'.repeat(20)} |\t${word(1n)}`],
  ];
  for (const [what, line] of spoiled) {
    it(`leaves out a row that ${what}, with its number`, async () => {
      const image = await open(HEADER, COLUMNS, identity(0), line);
      assert.deepEqual(codesOf(image), ['image/text-line']);
      assert.match(messageOf(image, 'image/text-line'), /^Line 4 /);
      assert.equal(image.memory.bytesHeld, 4 * 8);
    });
  }

  it('says when a text ends in the middle of a line, and when a row ends before its leaf', async () => {
    const text = [HEADER, COLUMNS, row(0, 0n, 0x1017f9003n, 0x1017fa003n, 0x1017fb003n)].join('\n');
    const image = value(await openBytes(new TextEncoder().encode(text)));
    assert.deepEqual(codesOf(image), ['image/text-line', 'image/text-cut']);
    assert.equal(image.memory.bytesHeld, 3 * 8);
  });

  it('ignores prompts, the names of files, a byte order mark and Windows line ends', async () => {
    const text = [
      '\u{feff}root@host:~# cat /sys/kernel/debug/iommu/intel/0000:00:02.0/domain_translation_struct',
      HEADER,
      COLUMNS,
      identity(1),
      '',
      '[root@host ~]# exit',
      '==> b/domain_translation_struct <==',
      '$ ',
      '',
    ].join('\r\n');
    const image = value(await openBytes(new TextEncoder().encode(text)));
    assert.deepEqual(codesOf(image), []);
    assert.equal(spaceOf(image).stage, 2);
  });

  it('opens packed with gzip', async () => {
    const image = value(await openBytes(new Uint8Array(gzipSync(bytesOf(HEADER, COLUMNS, identity(1))))));
    assert.equal(image.format, 'Linux text dump, gzip');
    assert.equal(spaceOf(image).stage, 2);
  });

  it('shows progress over a long text, and stops when it is cancelled', async () => {
    const lines = Array.from({ length: 30_000 }, (_, page) => identity(page));
    const bytes = bytesOf(HEADER, COLUMNS, ...lines);
    const fractions: number[] = [];
    const image = value(
      await openBytes(bytes, { onProgress: ({ fraction }) => fractions.push(fraction ?? NaN) }),
    );
    assert.ok(fractions.length >= 3 && fractions.at(-1) === 1);
    assert.deepEqual(
      codesOf(image).filter((code) => code !== 'image/text-contradiction'),
      [],
    );
    const signal = {
      aborted: false,
      addEventListener: () => undefined,
      removeEventListener: () => undefined,
    };
    const cancelled = await openBytes(bytes, { signal, onProgress: () => (signal.aborted = true) });
    assert.equal(refusal(cancelled).code, 'cancelled');
  });

  it('reads the example of the kernel ABI document, whose rows are in two blocks', async () => {
    const image = await open(
      '\t\t Device 0000:00:02.0 @0x1017f8000',
      '\t\t IOVA_PFN                PML5E                   PML4E',
      '\t\t 0x000000008d800 |       0x0000000000000000      0x00000001017f9003',
      '\t\t 0x000000008d801 |       0x0000000000000000      0x00000001017f9003',
      '\t\t 0x000000008d802 |       0x0000000000000000      0x00000001017f9003',
      '',
      '\t\t PDPE                    PDE                     PTE',
      '\t\t 0x00000001017fa003      0x00000001017fb003      0x000000008d800003',
      '\t\t 0x00000001017fa003      0x00000001017fb003      0x000000008d801003',
      '',
    );
    assert.equal(wordAt(image.memory, 0x1017fb008), 0x8d801003);
    assert.deepEqual(codesOf(image), ['image/text-half-rows']);
    assert.match(messageOf(image, 'image/text-half-rows'), /^1 rows from line 5 on/);
  });
});

describe('a text dump of device structures', () => {
  const LEGACY = [
    'IOMMU dmar1: Root Table Address: 0x103027000',
    'B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry',
    `00:02.0\t0x${'0'.repeat(16)}:0x000000010303e001\t0x0000000000000102:0x000000010303f001\t-1    \t${Array<string>(3).fill(word(0n)).join(':')}`,
  ];

  it('leads through root and context entries at their addresses', async () => {
    const image = await open(...LEGACY);
    const [iommu] = image.iommus ?? [];
    assert.deepEqual([iommu?.described.name, iommu?.described.kind], ['dmar1', 'vt-d']);
    const directory = directoryOf(image);
    assert.equal(directory.mode, 'VT-d legacy, from a text dump');
    const { answer, entries } = directory.lookup(requesterId(0x10), null);
    assert.deepEqual(
      entries.map(({ address }) => address),
      [0x103027000, 0x10303e000 + 16 * 16],
    );
    assert.ok(answer.kind === 'table');
    assert.deepEqual(
      [answer.space.domainId, answer.space.root, answer.space.format.addressBits],
      [1, 0x10303f, 48],
    );
    assert.deepEqual(directory.problems(), []);
  });

  it('says of a device that is not listed that the dump does not list it', async () => {
    const directory = directoryOf(await open(...LEGACY));
    for (const requester of [0x18, 0x300]) {
      const { answer, entries } = directory.lookup(requesterId(requester), null);
      assert.ok(answer.kind === 'fault');
      assert.equal(answer.fault, 'entry-unknown');
      assert.equal(entries.at(-1)?.says, 'not in the dump');
    }
  });

  it('recognises scalable mode, and does not know where PASID tables stand', async () => {
    const row = (process: string): string =>
      `00:0a.0 0x${'0'.repeat(16)}:0x00000001038a7001 0x0000000000000000:0x0000000103220e0d ${process}`;
    const image = await open(
      'IOMMU dmar0: Root Table Address: 0x103028000',
      'B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry',
      row('0      0x0000000000000000:0x0000000000800002:0x00000001038a5089'),
      row('70     0x00000001038b5001:0x0000000000000003:0x0000000000000049'),
    );
    const directory = directoryOf(image);
    assert.equal(directory.mode, 'VT-d scalable, from a text dump');
    const { answer, entries } = directory.lookup(requesterId(0x50), null);
    assert.ok(answer.kind === 'table');
    assert.deepEqual([answer.space.stage, answer.space.root, answer.space.domainId], [2, 0x1038a5, 2]);
    assert.deepEqual(
      entries.map(({ role }) => role),
      ['root', 'context', 'process'],
    );
    assert.match(directory.titleOf('process').title, /whose address is not in the dump/);
    const devices = [...directory.devices()].flatMap((device) =>
      device ? [[device.requester, device.pasid]] : [],
    );
    // PASID 0 is RID_PASID here: requests that carry it are blocked.
    assert.deepEqual(devices, [
      [0x50, null],
      [0x50, 70],
    ]);
    for (const process of [1, 71, 200]) {
      const refused = directory.lookup(requesterId(0x50), pasid(process)).answer;
      assert.equal(refused.kind === 'fault' && refused.fault, 'entry-unknown');
    }
  });

  it('takes the capabilities from iommu_regset', async () => {
    const image = await open(
      'IOMMU: dmar1 Register Base Address: fed91000',
      'Name\t\t\tOffset\t\tContents',
      'VER             \t0x00\t\t0x0000000000000010',
      'CAP             \t0x08\t\t0x00d2008c22260206',
      'GSTS            \t0x1c\t\t0x00000000c7000000',
      '',
      ...LEGACY,
    );
    const [iommu] = image.iommus ?? [];
    assert.equal(iommu?.described.base, 0xfed91000);
    assert.deepEqual(
      directoryOf(image).registers.map(({ name }) => name),
      ['CAP', 'GSTS', 'RTADDR'],
    );
    assert.deepEqual(codesOf(image), []);
  });

  it('takes the mode of a unit without devices from its RTADDR, and names one that differs', async () => {
    const registers = (rtaddr: string): string[] => [
      'IOMMU: dmar1 Register Base Address: fed91000',
      'Name\t\t\tOffset\t\tContents',
      ...Array<string>(90).fill('MTRRCAP         \t0x100\t\t0x0000000000000000'),
      `RTADDR          \t0x20\t\t0x${rtaddr.padStart(16, '0')}`,
      '',
    ];
    const empty = await open(...registers('103027400'), ...LEGACY.slice(0, 2));
    assert.equal(directoryOf(empty).mode, 'VT-d scalable, from a text dump');
    assert.deepEqual(codesOf(empty), []);
    const differs = await open(...registers('103028000'), ...LEGACY);
    assert.equal(directoryOf(differs).mode, 'VT-d legacy, from a text dump');
    assert.deepEqual(codesOf(differs), ['image/text-contradiction']);
    assert.equal(refusal(await openBytes(bytesOf(...registers('0')))).code, 'image/text-empty');
  });

  it('knows a unit that does not translate', async () => {
    const image = await open('DMA Remapping is not enabled on dmar2', ...LEGACY);
    const directory = directoryOf(image);
    assert.match(directory.off?.why ?? '', /DMA Remapping is not enabled on dmar2/);
    assert.equal(image.iommus?.length, 2);
  });

  it('tells tables that no entry of the device leads to, and shows them as well', async () => {
    const image = await open(...LEGACY, '', HEADER, COLUMNS, identity(1));
    assert.deepEqual(codesOf(image), ['image/text-contradiction']);
    assert.match(
      messageOf(image, 'image/text-contradiction'),
      /^Line 5: the tables of 0000:00:02\.0 are at 0x1017f8000/,
    );
    assert.equal(image.iommus?.length, 2);
  });

  it('refuses a text in which nothing can be made out', async () => {
    const failure = refusal(await openBytes(bytesOf('Device 0000:00:02.0 @0x123')));
    assert.equal(failure.code, 'image/text-empty');
  });
});

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3);
const SEED = process.env['FUZZ_SEED'];
const BUDGET = {
  numRuns: Infinity,
  interruptAfterTimeLimit: (1000 * SECONDS) / 3,
  markInterruptAsFailure: false,
  ...(SEED !== undefined && { seed: Number(SEED) }),
};

describe('hostile text dumps', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      HEADER,
      COLUMNS,
      'PDPE PDE PTE',
      'IOVA_PFN PML5E PML4E',
      'IOMMU dmar0: Root Table Address: 0x1000',
      'B.D.F Root_entry',
      'Context_entry',
      'PASID PASID_table_entry',
      'DMA Remapping is not enabled on dmar0',
      'DeviceId QWORD[3] QWORD[2] QWORD[1] QWORD[0] iommu',
      'IOMMU: dmar0 Register Base Address: fed91000',
      'CAP 0x08 0x00d2008c22260206',
      'Device 0000:00:02.0 with pasid fffff @0xffffffffff000',
      `0000:ff:1f.7 ${Array<string>(4).fill('f'.repeat(16)).join(' ')} iommu3`,
    ),
    fc
      .tuple(
        fc.nat({ max: 2 ** 40 }),
        fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { maxLength: 6 }),
      )
      .map(([page, words]) => row(page, ...words)),
    fc.nat({ max: 600 }).map(identity),
    fc
      .tuple(
        fc.nat({ max: 255 }),
        fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 7, maxLength: 7 }),
        fc.integer({ min: -9, max: 2_000_000 }),
      )
      .map(([bus, w, process]) => {
        const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n, g = 0n] = w;
        return `${bus.toString(16).padStart(2, '0')}:1f.7 ${word(a)}:${word(b)} ${word(c)}:${word(d)} ${process} ${word(e)}:${word(f)}:${word(g)}`;
      }),
    fc.string({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );

  it('never throw, and what they open answers', async function () {
    this.timeout(1000 * SECONDS + 20_000);
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), fc.nat(), async (lines, cut) => {
        const whole = new TextEncoder().encode([HEADER, ...lines].join('\n'));
        const bytes = whole.subarray(0, Math.max(HEADER.length, whole.length - (cut % 30)));
        const opened = await openBytes(bytes.slice());
        if (!opened.ok) {
          assert.match(opened.failure.code, /^image\//);
          return;
        }
        const { iommus, memory } = opened.value;
        for (const { listed } of iommus ?? []) {
          const directory = openListed(memory, listed);
          if (!directory.ok) continue;
          directory.value.problems();
          for (const device of directory.value.devices()) {
            const answer = device?.lookup.answer;
            if (answer?.kind === 'table') walkTables(answer.space, 0x1000, 0, true);
          }
        }
      }),
      BUDGET,
    );
  });
});
