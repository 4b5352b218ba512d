/** Devices, domains, statistics and runs against what the manifests say, from every form of the image. */
import assert from 'node:assert/strict';
import { domainKeyOf, type DomainRow, type EntryDetails, type Run } from '../../src/inspection/protocol';
import { listAll, openForm, type OpenForm } from './engine';
import { PAGE, replayTrace } from './ftrace';
import {
  NAMES,
  formsOf,
  readManifest,
  tablesOf,
  type ImageForm,
  type Manifest,
  type ScalableDevice,
} from './manifest';

describe('domains of real guests', function () {
  this.timeout(120_000);
  for (const name of NAMES) {
    const manifest = readManifest(name);
    for (const form of formsOf(name)) {
      describe(`${name}, ${form.title}`, () => {
        let opened: OpenForm;
        let domains: readonly DomainRow[];
        const runs = new Map<bigint, readonly Run[]>();
        before(async () => {
          opened = await openForm(manifest, form);
          const { engine, inspection } = opened;
          domains = (await engine.request('domains', { inspection, page: { limit: 1000 } })).rows;
          for (const domain of domains) runs.set(domain.root, await listAll(opened, domain));
        });

        it(`finds the ${manifest.devices.length} devices with their domains and context words`, () =>
          testDevices(opened, manifest));

        it(`finds the ${tablesOf(manifest).length} domains with their devices`, () => {
          const expected = tablesOf(manifest).map((table) => ({
            domainId: table.did,
            root: BigInt(table.root),
            levels: table.levels,
            requesters: manifest.devices
              .filter((device) => device.root === table.root)
              .map((device) => Number(device.sid)),
          }));
          const found = domains.map(({ domainId, root, levels, requesters }) => ({
            domainId,
            root,
            levels,
            requesters,
          }));
          assert.deepEqual(sortedByRoot(found), sortedByRoot(expected));
        });

        it('counts tables, leaves, permissions and bytes of each domain', () =>
          testStatistics(opened, manifest, domains));

        it('lists the runs of each domain', () => {
          for (const { root, ranges } of manifest.decoded_ranges) {
            const found = runs.get(BigInt(root));
            assert.ok(found, `the domain of root ${root} is there`);
            assert.deepEqual(
              mergeRuns(found),
              ranges.map((range) => ({
                iova: BigInt(range.iova),
                length: BigInt(range.length),
                paddr: BigInt(range.paddr),
                perm: range.perm,
                pageSize: BigInt(range.page),
                count: range.n,
              })),
            );
          }
        });

        testReplay(manifest, form, () => [...runs.values()].flat());
      });
    }
  }
});

async function testDevices({ engine, inspection }: OpenForm, manifest: Manifest): Promise<void> {
  const devices = (await engine.request('devices', { inspection, page: { limit: 1000 } })).rows;
  assert.deepEqual(
    devices.map((device) => ({
      requester: device.requester,
      pasid: device.pasid,
      translation: device.translation,
      domainId: device.domains[0]?.domainId,
      root: device.domains[0]?.root,
      problems: device.problems,
    })),
    manifest.devices.map((device) => ({
      requester: Number(device.sid),
      pasid: null,
      translation: device.table === 'pt' ? 'pass-through' : 'table',
      domainId: device.table === 'pt' ? undefined : device.did,
      root: device.table === 'pt' ? undefined : BigInt(device.root),
      problems: [],
    })),
  );
  for (const [index, device] of manifest.devices.entries()) {
    const row = devices[index];
    assert.ok(row);
    // The entry that decides about requests without a PASID.
    const entry = await engine.request('entry', { inspection, entry: row.context });
    assert.deepEqual(entry.words, device.raw.map(BigInt), `words of ${device.sid}`);
    assert.deepEqual(entry.problems, []);
    const field = fieldOf(entry.fields);
    assert.equal(field('DID'), BigInt(device.did));
    if (!('ctx' in device)) {
      assert.equal(field('TT'), BigInt(device.tt));
      assert.equal(field('AW'), BigInt(device.levels - 2));
      continue;
    }
    assert.equal(field('PGTT'), BigInt(device.pgtt));
    assert.equal(field('AW'), BigInt(device.aw));
    await testScalableContext(engine, inspection, device);
  }
}

const fieldOf =
  (fields: EntryDetails['fields']) =>
  (name: string): bigint | undefined =>
    fields.flat().find((one) => one.name === name)?.value;

/** The context entry of scalable mode, which a walk tells before that of the process. */
async function testScalableContext(
  engine: OpenForm['engine'],
  inspection: string,
  device: ScalableDevice,
): Promise<void> {
  const request = { requester: Number(device.sid), pasid: null, iova: 0n, access: 'read' } as const;
  const { steps } = await engine.request('walk', { inspection, iommu: 'dmar0', request });
  assert.deepEqual(
    steps.slice(0, 4).map(({ title }) => title),
    ['Scalable-mode root entry', 'Scalable-mode context entry', 'PASID-directory entry', 'PASID-table entry'],
  );
  const context = steps[1];
  assert.ok(context);
  assert.deepEqual(context.words, device.ctx.map(BigInt), `context words of ${device.sid}`);
  const entry = await engine.request('entry', { inspection, entry: context.entry });
  assert.deepEqual(entry.problems, []);
  const field = fieldOf(entry.fields);
  assert.equal(field('PDTS'), BigInt(device.pdts));
  assert.equal(field('RID_PASID'), BigInt(device.rid_pasid));
}

async function testStatistics(
  { engine, inspection }: OpenForm,
  manifest: Manifest,
  domains: readonly DomainRow[],
): Promise<void> {
  for (const expected of manifest.domains) {
    const domain = domains.find((row) => row.root === BigInt(expected.root));
    assert.ok(domain, `the domain of root ${expected.root} is there`);
    const found = await engine.request('statistics', { inspection, domain: domainKeyOf(domain) });
    assert.deepEqual(
      {
        tables: Object.fromEntries(
          found.tablesByLevel
            .filter((one) => one.tables > 0n)
            .map((one) => [String(one.level), Number(one.tables)]),
        ),
        leaves: Number(found.leaves),
        leaf_by_level_size: Object.fromEntries(
          found.leavesBySize
            .filter((one) => one.leaves > 0n)
            .map((one) => [`L${one.level}:0x${one.pageSize.toString(16)}`, Number(one.leaves)]),
        ),
        perms: Object.fromEntries(
          found.leavesByPermission
            .filter((one) => one.leaves > 0n)
            .map((one) => [{ RW: 'RW', R: 'R-', W: '-W', '-': '--' }[one.perm], Number(one.leaves)]),
        ),
        mapped_bytes: Number(found.mappedBytes),
        problems: Number(found.problems),
        complete: found.complete,
      },
      {
        tables: expected.tables,
        leaves: expected.leaves,
        leaf_by_level_size: expected.leaf_by_level_size,
        perms: expected.perms,
        mapped_bytes: expected.mapped_bytes,
        problems: 0,
        complete: true,
      },
    );
  }
}

/** The guest mapped 0 to 16 MiB onto itself for 00:1f.0 before tracing could begin: 4,096 pages. */
const MAPPED_BEFORE_TRACING = 4096;

function testReplay(manifest: Manifest, form: ImageForm, allRuns: () => readonly Run[]): void {
  const replay = replayTrace(manifest.name as Parameters<typeof replayTrace>[0]);
  const known = manifest.linux_ftrace_replay;
  const surplus = known.only_in_decoder;
  it(`holds exactly the pages that the guest's ${replay.maps + replay.unmaps} map and unmap events leave live`, () => {
    assert.deepEqual({ map: replay.maps, unmap: replay.unmaps }, known.events);
    assert.ok(surplus === 0 || surplus === MAPPED_BEFORE_TRACING);
    const decoded = livePages(allRuns());
    let fromTrace = 0;
    for (const [iova, page] of replay.pages) {
      const found = decoded.get(iova) ?? [];
      const explained = intersection(found, page.candidates);
      assert.equal(explained.length, page.live, `0x${iova.toString(16)} of ${form.title}`);
      fromTrace += page.live;
    }
    const identity: number[] = [];
    for (const [iova, found] of decoded) {
      const left = without(found, replay.pages.get(iova)?.candidates ?? []);
      for (const paddr of left) {
        assert.equal(paddr, iova, 'only the identity map was made before tracing began');
        identity.push(iova);
      }
    }
    assert.equal(identity.length, surplus);
    assert.deepEqual(
      identity.sort((one, other) => one - other),
      Array.from({ length: surplus }, (_, page) => page * PAGE),
    );
    assert.equal(fromTrace, known.live_pages_trace);
    assert.equal([...decoded.values()].flat().length, known.live_pages_decoded);
  });
}

/** Physical addresses by IOVA, in pages of 4K, of all domains together. */
function livePages(runs: readonly Run[]): ReadonlyMap<number, readonly number[]> {
  const pages = new Map<number, number[]>();
  for (const run of runs) {
    for (let offset = 0; offset < Number(run.length); offset += PAGE) {
      const iova = Number(run.iova) + offset;
      const page = pages.get(iova);
      if (page) page.push(Number(run.paddr) + offset);
      else pages.set(iova, [Number(run.paddr) + offset]);
    }
  }
  return pages;
}

/** Both as multisets. */
function without(values: readonly number[], taken: readonly number[]): readonly number[] {
  const left = [...taken];
  return values.filter((value) => {
    const place = left.indexOf(value);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}

const intersection = (one: readonly number[], other: readonly number[]): readonly number[] =>
  without(one, without(one, other));

/** Merges neighbours of the same permission and page size, as the manifests do. */
function mergeRuns(runs: readonly Run[]): readonly object[] {
  const merged: {
    iova: bigint;
    length: bigint;
    paddr: bigint;
    perm: string;
    pageSize: bigint;
    count: number;
  }[] = [];
  for (const { iova, length, paddr, perm, pageSize, count } of runs) {
    const last = merged.at(-1);
    if (
      last?.perm === perm &&
      last.pageSize === pageSize &&
      last.iova + last.length === iova &&
      last.paddr + last.length === paddr
    ) {
      last.length += length;
      last.count += count;
    } else {
      merged.push({ iova, length, paddr, perm, pageSize, count });
    }
  }
  return merged;
}

const sortedByRoot = <T extends { readonly root: bigint }>(rows: readonly T[]): readonly T[] =>
  [...rows].sort((one, other) => (one.root < other.root ? -1 : 1));
