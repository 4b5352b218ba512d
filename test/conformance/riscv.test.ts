/** RISC-V guests: every device, translation, fault, leaf and count of the manifests, and the kernel's own map and unmap events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type DeviceDirectory, type DirectoryAnswer } from '../../src/engine/directory/deviceDirectory';
import { openDirectory } from '../../src/engine/directory/index';
import { levelOf } from '../../src/engine/formats/compile';
import { type AddressSpace } from '../../src/engine/pageTable/addressSpace';
import { permissionText } from '../../src/engine/pageTable/entry';
import { listRuns } from '../../src/engine/pageTable/list';
import { countSpace } from '../../src/engine/pageTable/statistics';
import { faultOf, makeBatch, translateBatch } from '../../src/engine/pageTable/translate';
import { walkTables } from '../../src/engine/pageTable/walk';
import { requesterId } from '../../src/engine/values';
import { openImage } from '../../src/image/openImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { PAGE, replayTrace } from './ftrace';
import { CORPUS } from './manifest';

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

interface RiscvManifest {
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
  readonly domains: readonly {
    readonly root: string;
    readonly tables: Readonly<Record<string, number>>;
    readonly leaves: number;
    readonly leaf_by_level_size: Readonly<Record<string, number>>;
    readonly perms: Readonly<Record<string, number>>;
    readonly mapped_bytes: number;
  }[];
  readonly oracle: {
    readonly translations: readonly RiscvTranslation[];
    readonly translations_napot_qemu_ignores_n: readonly RiscvTranslation[];
    readonly translations_stale_in_qemu: readonly RiscvTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly RiscvTranslation[];
    readonly faults: readonly { readonly sid: string; readonly iova: string; readonly cause: number }[];
  };
  readonly linux_ftrace_replay: {
    readonly events: { readonly map: number; readonly unmap: number };
    readonly live_pages_trace: number;
  };
  readonly decoded_ranges: readonly {
    readonly root: string;
    readonly ranges: readonly {
      readonly iova: string;
      readonly length: string;
      readonly paddr: string;
      readonly perm: 'RWX' | 'RX';
      readonly page: string;
      readonly n: number;
    }[];
  }[];
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
            { ...answer, perm: row.perm === undefined ? undefined : answer.perm },
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
          assert.equal(write.ok, answer.perm === 'RW', `write of ${row.sid} ${row.iova}`);
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
        assert.match(directory.faultCode(answer.fault, access, 1) ?? '', new RegExp(`^cause ${cause} `));
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
      assert.deepEqual(statisticsOf(space), { tables, leaves, leaf_by_level_size, perms, mapped_bytes });
    }
  });

  it('lists the leaves of each domain', () => {
    const spaces = spacesByRoot(directory);
    assert.equal(spaces.size, manifest.decoded_ranges.length);
    for (const { root, ranges } of manifest.decoded_ranges) {
      const space = spaces.get(BigInt(root));
      assert.ok(space);
      assert.deepEqual(
        mergedRuns(space),
        ranges.map(({ iova, length, paddr, perm, page, n }) => ({
          iova: BigInt(iova),
          length: BigInt(length),
          paddr: BigInt(paddr),
          perm: perm === 'RWX' ? 'RW' : 'R',
          page: BigInt(page),
          n,
        })),
      );
    }
  });

  if (name === 'riscv-share') {
    it('holds exactly the pages that the events of the kernel leave live', () => {
      testReplay(name, manifest, [...spacesByRoot(directory).values()].flatMap(mergedRuns));
    });
  }
}

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

function spacesByRoot(directory: DeviceDirectory): Map<bigint, AddressSpace> {
  const spaces = new Map<bigint, AddressSpace>();
  for (const device of directory.devices()) {
    if (device?.lookup.answer.kind !== 'table') continue;
    const { space } = device.lookup.answer;
    spaces.set(BigInt(space.root) << 12n, space);
  }
  return spaces;
}

type Answer =
  | {
      readonly ok: true;
      readonly paddr: bigint;
      readonly size: bigint;
      readonly level: number | null;
      readonly perm: string;
    }
  | { readonly ok: false; readonly fault: Parameters<DeviceDirectory['faultCode']>[0]; readonly perm: '-' };

/** The answer of the walk, which that of the batch must equal. */
function translate(directory: DeviceDirectory, sid: number, iova: bigint, access: 'read' | 'write'): Answer {
  const { answer } = directory.lookup(requesterId(sid), null);
  if (answer.kind === 'fault') return { ok: false, fault: answer.fault, perm: '-' };
  if (answer.kind === 'pass-through')
    return { ok: true, paddr: iova, size: 4096n, level: null, perm: permissionText(answer.permission) };
  const { space } = answer;
  const [lo, hi] = [Number(iova & 0xffffffffn), Number(iova >> 32n)];
  const { outcome } = walkTables(space, lo, hi, access === 'write');
  const batch = makeBatch(1);
  batch.addressLo[0] = lo;
  batch.addressHi[0] = hi;
  batch.write[0] = access === 'write' ? 1 : 0;
  translateBatch(space, batch);
  const status = batch.status[0] ?? 0;
  const depth = batch.depth[0] ?? 0;
  if (!outcome.ok) {
    assert.deepEqual({ fault: faultOf(status), depth }, { fault: outcome.fault, depth: outcome.depth });
    return { ok: false, fault: outcome.fault, perm: '-' };
  }
  const paddr = join(outcome.paddrLo, outcome.paddrHi);
  assert.deepEqual(
    { status, paddr: join(batch.paddrLo[0] ?? 0, batch.paddrHi[0] ?? 0), permission: batch.permission[0] },
    { status: 0, paddr, permission: outcome.permission },
  );
  return {
    ok: true,
    paddr,
    size: 1n << BigInt(outcome.pageShift),
    level: levelOf(space.format, depth).rule.level,
    perm: permissionText(outcome.permission),
  };
}

const join = (lo: number, hi: number): bigint => (BigInt(hi) << 32n) | BigInt(lo);

/** What a generator returns in the end. */
function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function statisticsOf(space: AddressSpace): object {
  const counted = finish(countSpace(space));
  assert.deepEqual(
    { problems: counted.problems, unreadable: counted.unreadableTables, complete: counted.complete },
    { problems: 0, unreadable: 0, complete: true },
  );
  const level = (depth: number) => levelOf(space.format, depth).rule.level;
  const sizes: Record<string, number> = {};
  const perms: Record<string, number> = {};
  let total = 0;
  for (const { depth, pageShift, permission, leaves } of counted.leaves) {
    if (leaves === 0) continue;
    const size = `L${level(depth)}:0x${(1n << BigInt(pageShift)).toString(16)}`;
    const perm = permissionText(permission) === 'RW' ? 'RWX' : 'R-X';
    sizes[size] = (sizes[size] ?? 0) + leaves;
    perms[perm] = (perms[perm] ?? 0) + leaves;
    total += leaves;
  }
  const tables = [...counted.tables].filter(([, count]) => count > 0);
  return {
    tables: Object.fromEntries(tables.map(([depth, count]) => [String(level(depth)), count])),
    leaves: total,
    leaf_by_level_size: sizes,
    perms,
    mapped_bytes: counted.mappedPages * PAGE,
  };
}

interface ListedRun {
  iova: bigint;
  length: bigint;
  paddr: bigint;
  perm: string;
  page: bigint;
  n: number;
}

/** Runs of a space, merged where only A and D tell them apart, as the manifests do. */
function mergedRuns(space: AddressSpace): ListedRun[] {
  const listed = finish(listRuns(space, { startPage: 0, endPage: 2 ** 52, limit: 100_000 }));
  assert.equal(listed.nextPage, undefined);
  assert.equal(listed.unreadableTables, 0);
  const { runs } = listed;
  const merged: ListedRun[] = [];
  for (let row = 0; row < runs.length; row++) {
    const page = 1n << BigInt(runs.pageShift[row] ?? 0);
    const n = runs.count[row] ?? 0;
    const run = {
      iova: BigInt(runs.page[row] ?? 0) << 12n,
      length: page * BigInt(n),
      paddr: BigInt(runs.frame[row] ?? 0) << 12n,
      perm: permissionText(runs.permission[row] ?? 0),
      page,
      n,
    };
    const last = merged.at(-1);
    const joins =
      last?.perm === run.perm &&
      last.page === page &&
      last.iova + last.length === run.iova &&
      last.paddr + last.length === run.paddr;
    if (last && joins) {
      last.length += run.length;
      last.n += n;
    } else merged.push(run);
  }
  return merged;
}

/** The events do not name a domain: an IOVA is checked for all domains together. */
function testReplay(name: string, { linux_ftrace_replay: known }: RiscvManifest, runs: ListedRun[]): void {
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
