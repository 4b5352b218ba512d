/** Real guests, printed as their kernels' debugfs files print tables, must be read as the images they were printed from. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  domainKeyOf,
  type DomainRow,
  type EngineClient,
  type InspectionSummary,
  type Run,
  type TranslateRequest,
} from '../../src/inspection/protocol';
import { deviceTableText, dmarText, domainText, type ReadWord, type RowStyle } from '../builders/kernelText';
import { inProcessEngine } from '../unit/inspection/inProcess';
import {
  CORPUS,
  descriptionOf,
  formsOf,
  readManifest,
  tablesOf,
  type ImageName,
  type Manifest,
} from './manifest';

const NAMES: readonly ImageName[] = [
  'vtd-small-share',
  'vtd-legacy-share',
  'vtd-pt-share',
  'vtd-sm-fl-share',
  'vtd-sm-sl-share',
];

/** Words of the raw frames that a manifest places. */
function wordsOf(name: string, segments: Manifest['segments']): ReadWord {
  const raw = gunzipSync(readFileSync(path.join(CORPUS, `${name}.raw.gz`)));
  const placed = segments.map(({ paddr, offset, length }) => ({ start: BigInt(paddr), offset, length }));
  return (address) => {
    const found = placed.find(({ start, length }) => address >= start && address < start + BigInt(length));
    return found ? raw.readBigUInt64LE(found.offset + Number(address - found.start)) : 0n;
  };
}

/** domain_translation_struct of every device that has tables. */
function domainsText(manifest: Manifest, style: RowStyle = {}): string {
  const read = wordsOf(manifest.name, manifest.segments);
  const tabled = manifest.devices.filter(({ table }) => table !== 'pt');
  const printed = tabled.map((device) => {
    const { sid, root, levels } = device;
    const process = 'rid_pasid' in device ? { pasid: device.rid_pasid } : {};
    return domainText(read, { requester: Number(sid), root: BigInt(root), levels, ...process }, style);
  });
  return printed.join('');
}

const structuresText = (manifest: Manifest, wrapped = false): string =>
  dmarText(wordsOf(manifest.name, manifest.segments), 'dmar0', BigInt(manifest.roots.RTADDR), wrapped);

interface Opened {
  readonly client: EngineClient;
  readonly inspection: string;
  readonly summary: InspectionSummary;
}

async function openText(text: string): Promise<Opened> {
  const { client } = inProcessEngine();
  const image = { kind: 'bytes' as const, name: 'dump.txt', bytes: new TextEncoder().encode(text) };
  const summary = await client.request('open', { inspection: 'text', description: '', image });
  return { client, inspection: 'text', summary };
}

async function openImage(name: ImageName): Promise<Opened> {
  const { client } = inProcessEngine();
  const [form] = formsOf(name);
  assert.ok(form);
  const summary = await client.request('open', {
    inspection: 'image',
    description: descriptionOf(readManifest(name), form),
    image: { kind: 'path', path: path.join(CORPUS, form.file) },
  });
  return { client, inspection: 'image', summary };
}

async function domainsOf({ client, inspection }: Opened): Promise<readonly DomainRow[]> {
  return (await client.request('domains', { inspection, page: { limit: 1000 } })).rows;
}

async function runsOf({ client, inspection }: Opened, domain: DomainRow): Promise<Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.request('list', {
      inspection,
      domain: domainKeyOf(domain),
      where: '',
      page: { limit: 1000, ...(cursor === undefined ? {} : { cursor }) },
    });
    assert.equal(page.unreadableTables, 0);
    runs.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return runs;
}

/** What both sources must say of a run: everything but the name that the domain goes by. */
const comparable = ({ entry, ...run }: Run) => ({ ...run, address: entry.address, level: entry.level });

/** `mapped`: only domains that map something, as the levels of others are not known from page tables alone. */
async function sameLists(text: Opened, image: Opened, mapped?: ReadonlySet<bigint>): Promise<number> {
  const rows = (await domainsOf(image)).filter(({ root }) => mapped?.has(root) ?? true);
  const expected = new Map(rows.map((domain) => [domain.root, domain]));
  const found = await domainsOf(text);
  assert.deepEqual(
    found.map(({ root, stage, levels, requesters }) => ({ root, stage, levels, requesters })),
    [...expected.values()].map(({ root, stage, levels, requesters }) => ({
      root,
      stage,
      levels,
      requesters,
    })),
  );
  let leaves = 0;
  for (const domain of found) {
    const other = expected.get(domain.root);
    assert.ok(other);
    const runs = await runsOf(text, domain);
    assert.deepEqual(runs.map(comparable), (await runsOf(image, other)).map(comparable));
    leaves += runs.reduce((sum, { count }) => sum + count, 0);
  }
  return leaves;
}

const requestsOf = ({ oracle, devices }: Manifest): TranslateRequest[] => [
  ...[...oracle.translations, ...oracle.translations_invalidated_but_still_mapped_same].map(
    ({ sid, iova }) => ({
      requester: Number(sid),
      pasid: null,
      iova: BigInt(iova),
      access: 'read' as const,
    }),
  ),
  // Neighbours of nothing: most of these are not mapped.
  ...devices.map(({ sid }) => ({
    requester: Number(sid),
    pasid: null,
    iova: 0x7_0000_1000n,
    access: 'write' as const,
  })),
];

const PROBLEMS_OF_WHOLE_TEXTS = [
  'image/text-known-in-part',
  'image/text-format',
  'image/text-invented-addresses',
];

function onlyExpectedProblems({ summary }: Opened): void {
  const others = summary.problems.filter(({ code }) => !PROBLEMS_OF_WHOLE_TEXTS.includes(code));
  assert.deepEqual(others, []);
}

describe('text dumps of real guests', function () {
  this.timeout(120_000);
  for (const name of NAMES) {
    const manifest = readManifest(name);
    const stage = manifest.devices.some(({ table }) => table === 'fl') ? 1 : 2;
    const mapped = new Set(
      manifest.domains.filter(({ leaves }) => leaves > 0).map(({ root }) => BigInt(root)),
    );
    describe(name, () => {
      let image: Opened;
      before(async () => {
        image = await openImage(name);
      });

      it('lists every leaf of the image, with the structures above the tables', async () => {
        const text = await openText(structuresText(manifest) + domainsText(manifest));
        onlyExpectedProblems(text);
        const [iommu] = text.summary.iommus;
        const mode = name.includes('-sm-') ? 'scalable' : 'legacy';
        assert.equal(iommu?.mode, `VT-d ${mode}, from a text dump`);
        assert.equal(iommu.kind, 'vt-d');
        const leaves = await sameLists(text, image);
        const counted = manifest.domains.reduce((sum, domain) => sum + domain.leaves, 0);
        assert.equal(leaves, tablesOf(manifest).length === 0 ? 0 : counted);
        assert.deepEqual(
          (await domainsOf(text)).map(({ domainId, format }) => [domainId, format]),
          (await domainsOf(image)).map(({ domainId, format }) => [domainId, format]),
        );
      });

      it('answers every translation of the manifest as the image does', async () => {
        const text = await openText(structuresText(manifest) + domainsText(manifest));
        const requests = requestsOf(manifest);
        const asked = { requests };
        const found = await text.client.request('translate', { inspection: text.inspection, ...asked });
        const expected = await image.client.request('translate', { inspection: image.inspection, ...asked });
        const known = expected.map((each) =>
          !each.ok && each.fault === 'not-present' ? { ...each, fault: 'entry-unknown' } : each,
        );
        assert.deepEqual(found, known);
        for (const request of requests.slice(0, 50)) {
          const { translation } = await text.client.request('walk', { inspection: text.inspection, request });
          assert.deepEqual(translation, known[requests.indexOf(request)]);
        }
      });

      it('knows every device and its entries', async () => {
        const text = await openText(structuresText(manifest) + domainsText(manifest));
        const page = { limit: 1000 };
        const found = await text.client.request('devices', { inspection: text.inspection, page });
        const expected = await image.client.request('devices', { inspection: image.inspection, page });
        const plain = (rows: typeof found.rows) =>
          rows.map(({ requester, pasid, translation, domains }) => ({
            requester,
            pasid,
            translation,
            domains,
          }));
        assert.deepEqual(plain(found.rows), plain(expected.rows));
      });

      if (tablesOf(manifest).length === 0) return;
      const forms: readonly (readonly [title: string, text: () => string])[] = [
        ['page tables alone', () => domainsText(manifest)],
        ['rows of the newest kernels', () => domainsText(manifest, { short: true })],
        ['rows in two blocks', () => domainsText(manifest, { wrapped: true })],
        ['lines that end as on Windows', () => domainsText(manifest).replaceAll('\n', '\r\n')],
        [
          'prompts between the files',
          () =>
            `root@host:~# cat /sys/kernel/debug/iommu/intel/domain_translation_struct\n${domainsText(manifest)}root@host:~# exit\n`,
        ],
      ];
      for (const [title, print] of forms) {
        it(`lists every leaf from ${title}`, async () => {
          const text = await openText(print());
          onlyExpectedProblems(text);
          assert.equal(text.summary.iommus[0]?.mode, 'VT-d, from a text dump');
          await sameLists(text, image, mapped);
          assert.ok((await domainsOf(text)).every((domain) => domain.stage === stage));
        });
      }

      it('reads structures that are broken into blocks', async () => {
        const text = await openText(structuresText(manifest, true) + domainsText(manifest));
        onlyExpectedProblems(text);
        await sameLists(text, image);
      });
    });
  }

  it('shows the device table entries of an AMD guest, and that their tables are not in the dump', async () => {
    interface AmdDevice {
      readonly sid: string;
      readonly did: number;
      readonly levels: number;
      readonly root: string;
      readonly raw: readonly string[];
    }
    const manifest = JSON.parse(readFileSync(path.join(CORPUS, 'amd-share.manifest.json'), 'utf8')) as {
      readonly devices: readonly AmdDevice[];
    };
    const { devices } = manifest;
    const text = await openText(
      devices.map(({ sid, raw }) => deviceTableText(Number(sid), raw.map(BigInt))).join(''),
    );
    onlyExpectedProblems(text);
    const { client, inspection } = text;
    assert.deepEqual(
      text.summary.iommus.map(({ name, kind, mode }) => ({ name, kind, mode })),
      [{ name: 'iommu0', kind: 'amd-vi', mode: 'AMD-Vi, from a text dump' }],
    );
    const domains = await domainsOf(text);
    for (const { sid, did, levels, root, raw } of devices) {
      const domain = domains.find(({ requesters }) => requesters.includes(Number(sid)));
      assert.deepEqual([domain?.domainId, domain?.levels, domain?.root], [did, levels, BigInt(root)]);
      const request = { requester: Number(sid), pasid: null, iova: 0x1000n, access: 'read' as const };
      const walk = await client.request('walk', { inspection, request });
      assert.deepEqual(walk.steps[0]?.words, raw.map(BigInt));
      assert.ok(!walk.translation.ok);
      assert.equal(walk.translation.fault, 'table-unreadable');
      assert.match(walk.summary, /is not in the dump, which holds no page tables/);
    }
  });
});
