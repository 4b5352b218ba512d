/** RISC-V guests: every device, translation, fault, leaf and count of the manifests, and the kernel's own map and unmap events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type DeviceDirectory, type DirectoryAnswer } from '../../src/engine/directory/deviceDirectory';
import { FAULTS, type Fault } from '../../src/engine/faults';
import { openDirectory } from '../../src/engine/directory/index';
import { openImage } from '../../src/image/openImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { answerOf, type BuiltAnswer } from './builtImages';
import { PAGE, replayTrace } from './ftrace';
import { CORPUS, type GuestManifest } from './manifest';
import { countsOf, runsOf, spacesByRoot, type ListedRun } from './spaces';

const NAMES = ['riscv-share', 'riscv-sv39-share', 'riscv-pt-share', 'riscv-debian-share'];

interface RiscvTranslation {
  readonly sid: string;
  readonly iova: string;
  readonly paddr: string;
  readonly size: string;
  readonly level: number | null;
  readonly perm?: 'RW' | 'R';
  readonly qemu_paddr?: string;
}

interface RiscvManifest extends GuestManifest {
  readonly roots: Readonly<Record<'ddtp' | 'capabilities' | 'fctl', string>>;
  readonly devices: readonly {
    readonly sid: string;
    readonly dc_addr: string;
    readonly raw: readonly string[];
    readonly pscid: number;
    readonly table: 's1' | 'identity';
    readonly format?: string;
    readonly levels?: number;
    readonly root?: string;
  }[];
  readonly oracle: {
    readonly translations: readonly RiscvTranslation[];
    readonly translations_napot_qemu_ignores_n: readonly RiscvTranslation[];
    readonly translations_stale_in_qemu: readonly RiscvTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly RiscvTranslation[];
    readonly faults: readonly { readonly sid: string; readonly iova: string; readonly cause: number }[];
  };
}

const readRiscv = (name: string): RiscvManifest =>
  JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as RiscvManifest;

async function openGuest(name: string, { roots }: RiscvManifest): Promise<DeviceDirectory> {
  const image = await openImage(
    { kind: 'path', path: path.join(CORPUS, `${name}.elf.gz`) },
    { platform: nodeImagePlatform() },
  );
  assert.ok(image.ok);
  const registers = new Map(
    (['ddtp', 'capabilities', 'fctl'] as const).map((register) => [register, BigInt(roots[register])]),
  );
  const directory = openDirectory('riscv', image.value.memory, registers);
  assert.ok(directory.ok);
  return directory.value;
}

describe('RISC-V guests', function () {
  this.timeout(120_000);
  for (const name of NAMES) {
    describe(name, () => {
      testGuest(name, readRiscv(name));
    });
  }
});

function testGuest(name: string, manifest: RiscvManifest): void {
  let directory: DeviceDirectory;
  before(async () => {
    directory = await openGuest(name, manifest);
  });

  it(`finds the ${manifest.devices.length} devices with their contexts and tables`, () => {
    const found = [...directory.devices()].flatMap((device) => device ?? []);
    assert.deepEqual(
      found.map(({ requester, pasid, lookup }) => {
        const context = lookup.entries.at(-1);
        return {
          requester,
          pasid,
          address: BigInt(context?.address ?? 0),
          words: context?.words,
          roles: lookup.entries.map(({ role }) => role),
          ...tablesOf(lookup.answer),
        };
      }),
      manifest.devices.map((device) => ({
        requester: Number(device.sid),
        pasid: null,
        address: BigInt(device.dc_addr),
        words: device.raw.map(BigInt),
        roles: ['root', 'root', 'context'],
        ...(device.root === undefined
          ? { kind: 'pass-through' }
          : {
              kind: 'table',
              id: device.pscid,
              root: BigInt(device.root),
              format: `RISC-V ${device.format}`,
              depth: device.levels,
            }),
      })),
    );
    assert.deepEqual(directory.problems(), []);
  });

  const { oracle } = manifest;
  testTranslations('of the emulator', [
    ...oracle.translations,
    ...oracle.translations_invalidated_but_still_mapped_same,
  ]);
  // The emulator takes the size bits of a 64K page for address bits; the kernel's own events say where the page is.
  testTranslations('of 64K pages that the emulator gets wrong', oracle.translations_napot_qemu_ignores_n);
  assert.deepEqual(oracle.translations_stale_in_qemu, [], 'no capture of these has stale rows');

  function testTranslations(what: string, rows: readonly RiscvTranslation[]): void {
    if (rows.length === 0) return;
    it(`gives all ${rows.length} translations ${what}, at their first and last byte`, () => {
      for (const row of rows) {
        for (const offset of [0n, BigInt(PAGE) - 1n]) {
          const iova = BigInt(row.iova) + offset;
          const answer = translate(directory, Number(row.sid), iova, 'read');
          assert.deepEqual(
            row.perm === undefined && answer.ok ? { ...answer, perm: undefined } : answer,
            {
              ok: true,
              paddr: BigInt(row.paddr) + offset,
              size: BigInt(row.size),
              level: row.level,
              perm: row.perm,
            },
            `${row.sid} ${row.iova}`,
          );
          const write = translate(directory, Number(row.sid), iova, 'write');
          assert.equal(write.ok, answer.ok && answer.perm === 'RW', `write of ${row.sid} ${row.iova}`);
        }
      }
    });
  }

  if (oracle.faults.length > 0) {
    it(`refuses all ${oracle.faults.length} requests that faulted, with the cause of the fault record`, () => {
      for (const { sid, iova, cause } of oracle.faults) {
        const access = cause === 15 ? 'write' : 'read';
        const answer = translate(directory, Number(sid), BigInt(iova), access);
        assert.ok(!answer.ok, `${sid} ${iova}`);
        assert.ok((FAULTS as readonly string[]).includes(answer.fault));
        assert.match(
          directory.faultCode(answer.fault as Fault, access, 1) ?? '',
          new RegExp(`^cause ${cause} `),
        );
      }
    });
  }

  it('counts tables, leaves, permissions and bytes of each domain', () => {
    const spaces = spacesByRoot(directory);
    assert.equal(spaces.size, manifest.domains.length);
    for (const expected of manifest.domains) {
      const space = spaces.get(BigInt(expected.root));
      assert.ok(space);
      const { tables, leaves, leaf_by_level_size, perms, mapped_bytes } = expected;
      assert.deepEqual(countsOf(space), {
        tables,
        leaves,
        leaf_by_level_size,
        perms: Object.fromEntries(Object.entries(perms).map(([perm, count]) => [permOf(perm), count])),
        mapped_bytes,
      });
    }
  });

  it('lists the leaves of each domain', () => {
    const spaces = spacesByRoot(directory);
    assert.equal(spaces.size, manifest.decoded_ranges.length);
    for (const { root, ranges } of manifest.decoded_ranges) {
      const space = spaces.get(BigInt(root));
      assert.ok(space);
      assert.deepEqual(
        runsOf(space),
        ranges.map(({ iova, length, paddr, perm, page, n }) => ({
          iova: BigInt(iova),
          length: BigInt(length),
          paddr: BigInt(paddr),
          perm: permOf(perm),
          page: BigInt(page),
          n,
        })),
      );
    }
  });

  if (name === 'riscv-share') {
    it('holds exactly the pages that the events of the kernel leave live', () => {
      testReplay(name, manifest, [...spacesByRoot(directory).values()].flatMap(runsOf));
    });
  }
}

/** Execution is not told apart here. */
const permOf = (perm: string): string => perm.replace(/[X-]/g, '');

function tablesOf(answer: DirectoryAnswer): object {
  if (answer.kind !== 'table') return { kind: answer.kind };
  const { space } = answer;
  return {
    kind: 'table',
    id: space.domainId,
    root: BigInt(space.root) << 12n,
    format: space.format.format.title,
    depth: space.format.rootDepth,
  };
}

function translate(
  directory: DeviceDirectory,
  requester: number,
  iova: bigint,
  access: 'read' | 'write',
): BuiltAnswer {
  return answerOf(directory, { requester, pasid: null, iova, access });
}

/** The events do not name a domain: an IOVA is checked for all domains together. */
function testReplay(
  name: string,
  { linux_ftrace_replay: known }: RiscvManifest,
  runs: readonly ListedRun[],
): void {
  const replay = replayTrace(name as Parameters<typeof replayTrace>[0]);
  assert.deepEqual({ map: replay.maps, unmap: replay.unmaps }, known.events);
  const decoded = new Map<number, number[]>();
  let count = 0;
  for (const { iova, length, paddr } of runs) {
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
    assert.equal(found.length, page.live, `0x${iova.toString(16)}`);
    assert.ok(
      found.every((paddr) => page.candidates.includes(paddr)),
      `0x${iova.toString(16)}`,
    );
  }
}
