/** SMMUv3: every device, translation, fault, leaf and count of five real guests, and the kernels' own map and unmap events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type DeviceDirectory } from '../../src/engine/directory/deviceDirectory';
import { type Fault } from '../../src/engine/faults';
import { openDirectory } from '../../src/engine/directory/index';
import { requesterId } from '../../src/engine/values';
import { REGISTERS } from '../../src/image/description/registers';
import { openImage } from '../../src/image/openImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { answerOf } from './builtImages';
import { PAGE, replayTrace } from './ftrace';
import { CORPUS, type GuestManifest } from './manifest';
import { countsOf, runsOf, spacesByRoot } from './spaces';

interface Guest {
  readonly name: string;
  readonly translations: number;
  /**
   * Words 0 to 2 of the first event record that the guest's kernel printed: code and StreamID, read or write (bit 35) and
   * stage 2 (bit 39), input address. Nine more follow, each 4 bytes further.
   */
  readonly event: readonly [bigint, bigint, bigint];
}

const GUESTS: readonly Guest[] = [
  { name: 'smmuv3-4k-share', translations: 219, event: [0x38_0000_0013n, 0n, 0x20000n] },
  {
    name: 'smmuv3-4k-s2-share',
    translations: 236,
    event: [0x38_0000_0010n, 0x0288_0000_0000n, 0x5000n],
  },
  {
    name: 'smmuv3-16k-share',
    translations: 398,
    event: [0x38_0000_0010n, 0x0200_0000_0000n, 0x5123_4000n],
  },
  {
    name: 'smmuv3-4k-nestedhw-share',
    translations: 224,
    event: [0x38_0000_0013n, 0x0200_0000_0000n, 0x20000n],
  },
  {
    name: 'smmuv3-pt-share',
    translations: 22,
    event: [0x38_0000_0010n, 0x0008_0000_0000n, 0x4000_0000n],
  },
];

interface SmmuTranslation {
  readonly sid: string;
  readonly iova: string;
  readonly paddr: string;
  readonly size: string;
  /** The emulator does not say; where the manifest does, its decoder did. */
  readonly perm?: 'RW' | 'R' | 'W';
  readonly level: number;
}

interface SmmuManifest extends GuestManifest {
  /** By offset, in halves; those that read as 0 are left out. */
  readonly registers: Readonly<Record<string, string>>;
  readonly roots: { readonly nontranslating_stes: Readonly<Record<string, number>> };
  readonly segments: readonly { readonly paddr: string; readonly length: number; readonly offset: number }[];
  readonly devices: readonly {
    readonly sid: string;
    readonly did: number;
    readonly ste_addr: string;
    readonly raw: readonly string[];
    readonly table: 's1' | 's2';
    readonly cd?: readonly string[];
    readonly cd_addr?: string;
    readonly granule: number;
    readonly start_level: number;
    readonly first_entries: number;
    readonly root: string;
    readonly levels: number;
  }[];
  readonly oracle: {
    readonly translations: readonly SmmuTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly SmmuTranslation[];
    /** StreamID (decimal), event, how often: without an address. */
    readonly faults: readonly (readonly [string, string, number])[];
  };
}

describe('SMMUv3 guests', function () {
  this.timeout(120_000);
  for (const guest of GUESTS) {
    const file = path.join(CORPUS, `${guest.name}.manifest.json`);
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as SmmuManifest;
    const segments = manifest.segments.map(({ paddr, length, offset }) => ({
      paddr: Number(paddr),
      length,
      offset,
    }));
    for (const form of ['elf', 'raw'] as const) {
      describe(`${guest.name}, ${form === 'elf' ? 'ELF core' : 'raw frames with segments'}`, () => {
        let directory: DeviceDirectory;
        before(async () => {
          const image = await openImage(
            { kind: 'path', path: path.join(CORPUS, `${guest.name}.${form}.gz`) },
            { platform: nodeImagePlatform(), ...(form === 'raw' ? { segments } : {}) },
          );
          assert.ok(image.ok);
          const opened = openDirectory('smmuv3', image.value.memory, registersOf(manifest));
          assert.ok(opened.ok);
          directory = opened.value;
        });
        testDevices(manifest, () => directory);
        testTranslations(guest, manifest, () => directory);
        testDomains(guest, manifest, () => directory);
      });
    }
  }
});

function registersOf({ registers }: SmmuManifest): Map<string, bigint> {
  const half = (offset: number) => BigInt(registers[`0x${offset.toString(16)}`] ?? 0);
  return new Map(
    REGISTERS.smmuv3.map(({ name, offset, bits }) => {
      assert.ok(offset !== null);
      return [name, half(offset) | (bits === 64 ? half(offset + 4) << 32n : 0n)];
    }),
  );
}

/** How often each STE without tables stands in the stream table: `['0x9', '0x0', ...]` as Python prints a list. */
function otherEntries({ roots }: SmmuManifest): Map<string, number> {
  return new Map(
    Object.entries(roots.nontranslating_stes).map(([words, count]) => [
      (words.match(/0x[0-9a-f]+/g) ?? []).map((word) => BigInt(word).toString()).join(),
      count,
    ]),
  );
}

function testDevices(manifest: SmmuManifest, directory: () => DeviceDirectory): void {
  it('finds the devices of the guest with their entries, tags and tables', () => {
    const found = [...directory().devices()].flatMap((device) => device ?? []);
    const translated = found.flatMap(({ requester, pasid, lookup: { answer, entries } }) => {
      if (answer.kind !== 'table') return [];
      const { space } = answer;
      assert.equal(answer.upper, undefined);
      const used = entries.slice(1);
      return {
        requester,
        pasid,
        addresses: used.map(({ address }) => BigInt(address)),
        words: used.map(({ words }) => words),
        stage: space.stage,
        tag: space.domainId,
        root: BigInt(space.root) << 12n,
        levels: space.format.rootDepth,
        rootEntries: (space.format.levels.at(-1)?.indexMask ?? 0) + 1,
        granule: 2 ** (space.format.levels.at(1)?.shift ?? 0),
        startLevel: space.format.levels.at(-1)?.rule.level,
      };
    });
    assert.deepEqual(
      translated,
      manifest.devices.map((device) => ({
        requester: Number(device.sid),
        pasid: null,
        addresses: [device.ste_addr, ...(device.cd_addr === undefined ? [] : [device.cd_addr])].map(BigInt),
        words: [device.raw, ...(device.cd ? [device.cd] : [])].map((words) => words.map(BigInt)),
        stage: device.table === 's1' ? 1 : 2,
        tag: device.did,
        root: BigInt(device.root),
        levels: device.levels,
        rootEntries: device.first_entries,
        granule: device.granule,
        startLevel: device.start_level,
      })),
    );
    assert.deepEqual(directory().problems(), []);
  });

  it('aborts or passes every StreamID that has an entry without tables', () => {
    const others = otherEntries(manifest);
    const present = new Set(manifest.devices.map(({ sid }) => Number(sid)));
    const met = new Map<string, number>();
    for (let stream = 0; stream < 2 ** 16; stream++) {
      const lookup = directory().lookup(requesterId(stream), null);
      const ste = lookup.entries.find(({ role }) => role === 'context');
      if (!ste || present.has(stream)) continue;
      const key = ste.words.map(String).join();
      met.set(key, (met.get(key) ?? 0) + 1);
      const passes = ((ste.words[0] ?? 0n) & 0xfn) === 9n;
      const { answer } = lookup;
      if (passes) assert.equal(answer.kind, 'pass-through');
      else assert.ok(answer.kind === 'fault' && answer.fault === 'translation-blocked');
    }
    assert.deepEqual(met, others);
  });

  it('gives StreamIDs that share a context descriptor one address space', () => {
    const byRoot = new Map<string, unknown>();
    for (const { sid, root } of manifest.devices) {
      const { answer } = directory().lookup(requesterId(Number(sid)), null);
      assert.ok(answer.kind === 'table');
      assert.equal(byRoot.get(root) ?? answer.space, answer.space);
      byRoot.set(root, answer.space);
    }
    assert.equal(byRoot.size, manifest.domains.length);
  });
}

function testTranslations(guest: Guest, { oracle }: SmmuManifest, directory: () => DeviceDirectory): void {
  const rows = [...oracle.translations, ...oracle.translations_invalidated_but_still_mapped_same];
  const ask = (sid: string, iova: bigint, access: 'read' | 'write') =>
    answerOf(directory(), {
      requester: Number(sid),
      pasid: null,
      iova,
      access,
    });

  it(`gives all ${guest.translations} translations that the emulator made, at first and last byte`, () => {
    assert.equal(rows.length, guest.translations);
    for (const row of rows) {
      const size = BigInt(row.size);
      const last = size - 1n - (BigInt(row.iova) % size);
      for (const offset of [0n, last]) {
        const [read, write] = (['read', 'write'] as const).map((access) =>
          ask(row.sid, BigInt(row.iova) + offset, access),
        );
        const translated = read?.ok ? read : write;
        const what = `${row.sid} ${row.iova}`;
        assert.ok(read && write && translated?.ok, what);
        const { level, perm = translated.perm } = row;
        assert.deepEqual(
          translated,
          { ok: true, paddr: BigInt(row.paddr) + offset, size, perm, level },
          what,
        );
        assert.deepEqual([read.ok, write.ok], [perm.includes('R'), perm.includes('W')], what);
      }
    }
  });

  it('refuses the requests of which the guest kernel printed the event record, with its code', () => {
    const [code, flags, first] = guest.event;
    const access = ((flags >> 35n) & 1n) === 1n ? 'read' : 'write';
    const stage = ((flags >> 39n) & 1n) === 1n ? 2 : 1;
    for (let record = 0n; record < 10n; record++) {
      const found = ask(String(code >> 32n), first + 4n * record, access);
      assert.ok(!found.ok);
      assert.equal(found.stage, stage);
      const number = `(0x${(code & 0xffn).toString(16)})`;
      assert.ok(
        directory()
          .faultCode(found.fault as Fault, access, stage)
          ?.endsWith(number),
      );
    }
    const seen = oracle.faults.map(([sid, event]) => `${sid} ${event}`);
    const name = code % 256n === 0x13n ? 'PERMISSION' : 'TRANSLATION';
    assert.ok(seen.includes(`56 SMMU_EVT_F_${name}`));
  });
}

function testDomains(guest: Guest, manifest: SmmuManifest, directory: () => DeviceDirectory): void {
  it('counts tables, leaves, permissions and bytes of each domain', () => {
    const spaces = spacesByRoot(directory());
    assert.equal(spaces.size, manifest.domains.length);
    for (const { root, tables, leaves, leaf_by_level_size, perms, mapped_bytes } of manifest.domains) {
      const space = spaces.get(BigInt(root));
      assert.ok(space);
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

  it('lists the leaves of each domain', () => {
    const spaces = spacesByRoot(directory());
    for (const { root, ranges } of manifest.decoded_ranges) {
      const space = spaces.get(BigInt(root));
      assert.ok(space);
      const expected = ranges.map(({ iova, length, paddr, perm, page, n }) => ({
        iova: BigInt(iova),
        length: BigInt(length),
        paddr: BigInt(paddr),
        perm,
        page: BigInt(page),
        n,
      }));
      assert.deepEqual(runsOf(space), expected, `domain of ${root}`);
    }
  });

  it("holds exactly the pages that the guest kernel's map and unmap events leave live", () => {
    const replay = replayTrace(guest.name as Parameters<typeof replayTrace>[0]);
    const known = manifest.linux_ftrace_replay;
    assert.deepEqual({ map: replay.maps, unmap: replay.unmaps }, known.events);
    const decoded = new Map<number, number[]>();
    for (const { iova, length, paddr } of [...spacesByRoot(directory()).values()].flatMap(runsOf)) {
      for (let offset = 0; offset < Number(length); offset += PAGE) {
        const pages = decoded.get(Number(iova) + offset) ?? [];
        pages.push(Number(paddr) + offset);
        decoded.set(Number(iova) + offset, pages);
      }
    }
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
