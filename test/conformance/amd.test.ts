/** AMD-Vi: every device, translation, fault, leaf and count of a real guest, and the kernel's own map and unmap events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type DeviceDirectory } from '../../src/engine/directory/deviceDirectory';
import { type Fault } from '../../src/engine/faults';
import { openDirectory } from '../../src/engine/directory/index';
import { requesterId } from '../../src/engine/values';
import { openImage } from '../../src/image/openImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { PAGE, replayTrace } from './ftrace';
import { CORPUS, type GuestManifest } from './manifest';
import { answerOf } from './builtImages';
import { countsOf, runsOf, spacesByRoot } from './spaces';

const NAME = 'amd-share';
const REGISTERS = ['DevTabBase', 'Control', 'ExtFeat'] as const;

interface AmdTranslation {
  readonly sid: string;
  readonly iova: string;
  readonly paddr: string;
  readonly size: string;
  readonly perm?: 'RW' | 'R' | 'W';
  readonly level: number;
}

interface AmdManifest extends GuestManifest {
  readonly roots: Readonly<Record<(typeof REGISTERS)[number], string>> & {
    readonly default_dtes: Readonly<Record<string, number>>;
  };
  readonly segments: readonly { readonly paddr: string; readonly length: number; readonly offset: number }[];
  readonly devices: readonly {
    readonly sid: string;
    readonly did: number;
    readonly levels: number;
    readonly ir: number;
    readonly iw: number;
    readonly root: string;
    readonly raw: readonly string[];
  }[];
  readonly oracle: {
    readonly translations: readonly AmdTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly AmdTranslation[];
    /** DeviceID (decimal), IOVA, what was seen, how often. The emulator does not say whether it was a read. */
    readonly faults: readonly (readonly [string, string, string, number])[];
  };
}

const manifest = JSON.parse(readFileSync(path.join(CORPUS, `${NAME}.manifest.json`), 'utf8')) as AmdManifest;
const { oracle } = manifest;

const FORMS = [
  { title: 'ELF core of the kept frames', file: `${NAME}.elf.gz`, segments: undefined },
  {
    title: 'raw frames with segments',
    file: `${NAME}.raw.gz`,
    segments: manifest.segments.map(({ paddr, length, offset }) => ({
      paddr: Number(paddr),
      length,
      offset,
    })),
  },
];

async function openGuest({ file, segments }: (typeof FORMS)[number]): Promise<DeviceDirectory> {
  const image = await openImage(
    { kind: 'path', path: path.join(CORPUS, file) },
    { platform: nodeImagePlatform(), ...(segments ? { segments } : {}) },
  );
  assert.ok(image.ok, 'the image opens');
  const registers = new Map(REGISTERS.map((name) => [name, BigInt(manifest.roots[name])]));
  const directory = openDirectory('amd-vi', image.value.memory, registers);
  assert.ok(directory.ok, 'the directory opens');
  return directory.value;
}

describe('AMD guest', function () {
  this.timeout(60_000);
  for (const form of FORMS) {
    describe(form.title, () => {
      let directory: DeviceDirectory;
      before(async () => {
        directory = await openGuest(form);
      });
      testDevices(() => directory);
      testTranslations(() => directory);
      testDomains(() => directory);
    });
  }
});

function testDevices(directory: () => DeviceDirectory): void {
  it(`finds the ${manifest.devices.length} devices of the AMD guest with their entries and tables`, () => {
    const found = [...directory().devices()].flatMap((device) => device ?? []);
    assert.deepEqual(
      found.map(({ requester, pasid, lookup: { answer, entries } }) => {
        assert.ok(answer.kind === 'table', 'the answer has tables');
        const { space, permission } = answer;
        return {
          requester,
          pasid,
          words: entries.map(({ words }) => words),
          domainId: space.domainId,
          root: BigInt(space.root) << 12n,
          levels: space.format.rootDepth,
          permission,
        };
      }),
      manifest.devices.map((device) => ({
        requester: Number(device.sid),
        pasid: null,
        words: [device.raw.map(BigInt)],
        domainId: device.did,
        root: BigInt(device.root),
        levels: device.levels,
        permission: device.ir | (device.iw << 1),
      })),
    );
    assert.deepEqual(directory().problems(), []);
  });

  it('gives devices of one AMD domain one address space', () => {
    const spaces = [0xf8, 0xfa, 0xfb].map((sid) => directory().lookup(requesterId(sid), null).answer);
    const [first] = spaces;
    assert.ok(first?.kind === 'table', 'the first has tables');
    const { space } = first;
    for (const answer of spaces)
      assert.ok(answer.kind === 'table' && answer.space === space, 'the same object');
  });

  it('refuses what the entries of absent devices refuse, and passes what invalid ones do', () => {
    const present = new Set(manifest.devices.map(({ sid }) => Number(sid)));
    const absent = Array.from({ length: 256 }, (_, id) => id).filter((id) => !present.has(id));
    const defaults = Object.values(manifest.roots.default_dtes).reduce((all, count) => all + count, 0);
    let refused = 0;
    for (const requester of absent) {
      const ask = (access: 'read' | 'write') =>
        answerOf(directory(), { requester, pasid: null, iova: 0x1000n, access });
      const [read, write] = [ask('read'), ask('write')];
      if (!read.ok) {
        refused++;
        const before = { ok: false, level: null };
        assert.deepEqual(
          [read, write],
          [
            { ...before, fault: 'read-denied' },
            { ...before, fault: 'write-denied' },
          ],
        );
      } else {
        // An entry that the kernel never wrote: V = 0.
        assert.deepEqual(directory().lookup(requesterId(requester), null).entries[0]?.words, [
          0n,
          0n,
          0n,
          0n,
        ]);
        assert.deepEqual([read.paddr, read.perm, write.ok], [0x1000n, 'RW', true]);
      }
    }
    assert.equal(refused, defaults);
    const beyond = answerOf(directory(), { requester: 0x100, pasid: null, iova: 0n, access: 'read' });
    assert.ok(!beyond.ok && beyond.fault === 'requester-out-of-range', 'beyond the table');
  });
}

function testTranslations(directory: () => DeviceDirectory): void {
  const rows = [...oracle.translations, ...oracle.translations_invalidated_but_still_mapped_same];
  it(`gives all ${rows.length} translations that the emulator made for the AMD guest, at first and last byte`, () => {
    assert.equal(rows.length, 117);
    for (const row of rows) {
      for (const offset of [0n, BigInt(PAGE) - 1n]) {
        const iova = BigInt(row.iova) + offset;
        const ask = (access: 'read' | 'write') =>
          answerOf(directory(), { requester: Number(row.sid), pasid: null, iova, access });
        const [read, write] = [ask('read'), ask('write')];
        const answer = read.ok ? read : write;
        const what = `${row.sid} ${row.iova}`;
        assert.ok(answer.ok, what);
        const { perm } = answer;
        assert.deepEqual(
          answer,
          {
            ok: true,
            paddr: BigInt(row.paddr) + offset,
            size: BigInt(row.size),
            perm: row.perm ?? perm,
            level: row.level,
          },
          what,
        );
        assert.deepEqual([read.ok, write.ok], [perm.includes('R'), perm.includes('W')], what);
      }
    }
  });

  it(`refuses all ${oracle.faults.length} requests that the emulator refused the AMD guest`, () => {
    assert.equal(oracle.faults.length, 64);
    for (const [sid, iova] of oracle.faults) {
      const answers = (['read', 'write'] as const).map((access) =>
        answerOf(directory(), { requester: Number(sid), pasid: null, iova: BigInt(iova), access }),
      );
      assert.ok(
        answers.some((answer) => !answer.ok),
        `${sid} ${iova}`,
      );
      for (const answer of answers) {
        if (answer.ok) continue;
        assert.match(
          directory().faultCode(answer.fault as Fault, 'read', answer.stage ?? null) ?? '',
          /^IO_PAGE_FAULT/,
        );
      }
    }
  });
}

function testDomains(directory: () => DeviceDirectory): void {
  it('counts tables, leaves, permissions and bytes of each AMD domain, a page of many entries once', () => {
    const spaces = spacesByRoot(directory());
    assert.equal(spaces.size, manifest.domains.length);
    for (const { root, tables, leaves, leaf_by_level_size, perms, mapped_bytes } of manifest.domains) {
      const space = spaces.get(BigInt(root));
      assert.ok(space, 'the domain is there');
      const named = Object.fromEntries(
        Object.entries(perms).map(([perm, count]) => [perm.replace('-', ''), count]),
      );
      assert.deepEqual(
        countsOf(space),
        { tables, leaves, leaf_by_level_size, perms: named, mapped_bytes },
        `domain of ${root}`,
      );
    }
  });

  it('lists the leaves of each AMD domain, from 4K to 1G', () => {
    const spaces = spacesByRoot(directory());
    const sizes = new Set<string>();
    for (const { root, ranges } of manifest.decoded_ranges) {
      const space = spaces.get(BigInt(root));
      assert.ok(space, 'the domain is there');
      const expected = ranges.map(({ iova, length, paddr, perm, page, n }) => {
        sizes.add(page);
        return {
          iova: BigInt(iova),
          length: BigInt(length),
          paddr: BigInt(paddr),
          perm,
          page: BigInt(page),
          n,
        };
      });
      assert.deepEqual(runsOf(space), expected, `domain of ${root}`);
    }
    assert.equal(sizes.size, 12);
  });

  it("holds exactly the pages that the AMD guest kernel's map and unmap events leave live", () => {
    const replay = replayTrace(NAME as Parameters<typeof replayTrace>[0]);
    const known = manifest.linux_ftrace_replay;
    assert.deepEqual({ map: replay.maps, unmap: replay.unmaps }, known.events);
    const decoded = new Map<number, number[]>();
    let count = 0;
    for (const { iova, length, paddr } of [...spacesByRoot(directory()).values()].flatMap(runsOf)) {
      for (let offset = 0; offset < Number(length); offset += PAGE, count++) {
        const pages = decoded.get(Number(iova) + offset) ?? [];
        pages.push(Number(paddr) + offset);
        decoded.set(Number(iova) + offset, pages);
      }
    }
    assert.equal(count, known.live_pages_trace);
    assert.equal(decoded.size, replay.pages.size);
    for (const [iova, page] of replay.pages) {
      const found = decoded.get(iova) ?? [];
      const at = `0x${iova.toString(16)}`;
      assert.equal(found.length, page.live, at);
      assert.ok(
        found.every((paddr) => page.candidates.includes(paddr)),
        at,
      );
    }
  });
}
