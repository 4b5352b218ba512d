import assert from 'node:assert/strict';
import { tableChoices } from '../../../src/engine/machine/tableChoices';
import { EMULATED_KINDS } from '../../../src/engine/iommu/vendor';
import { SeededRandom } from '../../../src/engine/random';
import {
  type DmaLine,
  type DomainKey,
  type EngineClient,
  type MachineOperation,
  type MachineSpec,
  RequestError,
  type Run,
} from '../../../src/inspection/protocol';
import { inProcessEngine } from './inProcess';

const connectInProcess = (): EngineClient => inProcessEngine(1).client;

const DEVICE = '00:02.0';
const ATS_DEVICE = '00:03.0';

const specOf = (
  vendor: MachineSpec['vendor'],
  tables: string,
  more: Partial<MachineSpec> = {},
): MachineSpec => ({
  version: 1,
  vendor,
  tables,
  memory: '8G',
  mapping: { what: 'guest', pages: [] },
  devices: [{ requester: DEVICE }, { requester: ATS_DEVICE, ats: true }],
  dirtyTracking: 'off',
  iommus: 1,
  seed: 7,
  ...more,
});

/** Formats whose D hardware marks for the kernel's own domains. */
const tracks = (vendor: string, tables: string): boolean =>
  vendor === 'vt-d' ? tables === 'second-stage' : vendor === 'amd-vi' ? tables === 'v1' : true;

/** Requests to guest memory: below 2 GiB, and from 4 GiB on. */
function requestsOf(seed: number, count: number): DmaLine[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => {
    const page = random.below(2 ** 21);
    const iova = page < 2 ** 19 ? page * 4096 : 2 ** 32 + (page - 2 ** 19) * 4096;
    const access = (['read', 'write', 'atomic'] as const)[random.below(3)] ?? 'read';
    return { sid: random.below(2) === 0 ? DEVICE : ATS_DEVICE, iova, length: 1 + random.below(4096), access };
  });
}

async function listAll(engine: EngineClient, inspection: string, domain: DomainKey): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await engine.request('list', {
      ...{ inspection, domain, where: '' },
      page: { limit: 1000, ...(cursor !== undefined && { cursor }) },
    });
    runs.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return runs;
}

/** What a run says but where it stands, which an image names otherwise. */
const bare = ({ iova, length, paddr, pageSize, count, perm, accessed, dirty, level, word }: Run) => ({
  ...{ iova, length, paddr, pageSize, count, perm, accessed, dirty, level, word },
});

async function domainOf(engine: EngineClient, inspection: string): Promise<DomainKey> {
  const { rows } = await engine.request('domains', { inspection, page: { limit: 10 } });
  const [first] = rows;
  assert.ok(first);
  return first;
}

describe('emulated machines', () => {
  for (const vendor of EMULATED_KINDS) {
    for (const { id } of tableChoices(vendor)) {
      describe(`${vendor} ${id}`, () => {
        let engine: EngineClient;
        const inspection = 'm';
        const operate = (operation: MachineOperation) => engine.request('operate', { inspection, operation });
        let hwpt = 0;
        before(async () => {
          engine = connectInProcess();
          const summary = await engine.request('open', {
            inspection,
            machine: { version: 1, spec: specOf(vendor, id), operations: [] },
          });
          assert.equal(summary.emulated, true);
          const { domains } = await engine.request('machine', { inspection });
          hwpt = domains[0]?.id ?? 0;
        });
        after(() => engine.dispose());

        it('maps all of guest memory, and every request lands', async () => {
          const state = await engine.request('machine', { inspection });
          assert.equal(state.domains[0]?.mappedBytes, 8n << 30n);
          assert.ok(state.domains[0].keys.length > 0);
          const report = await operate({ kind: 'dma', requests: requestsOf(1, 300) });
          assert.equal(report.counts['refused'], 0, JSON.stringify(report));
          assert.deepEqual((await engine.request('faults', { inspection, page: { limit: 10 } })).rows, []);
          const { rows, total } = await engine.request('caches', { inspection, page: { limit: 1000 } });
          assert.ok((total ?? 0) > 0);
          assert.deepEqual(
            rows.filter(({ stale }) => stale),
            [],
          );
        });

        it('records what is beyond guest memory', async () => {
          const report = await operate({
            kind: 'dma',
            requests: [{ sid: DEVICE, iova: '0xc0000000', length: 4, access: 'write' }],
          });
          assert.deepEqual(
            report.refused?.map(({ index }) => index),
            [0],
          );
          const { rows } = await engine.request('faults', { inspection, page: { limit: 10 } });
          assert.deepEqual(
            rows.map(({ iova, requester }) => ({ iova, requester })),
            [{ iova: 0xc000_0000n, requester: 0x10 }],
          );
        });

        if (tracks(vendor, id)) {
          it('reports of each page that was written its leaf, and nothing the second time', async () => {
            await operate({ kind: 'setDirtyTracking', domain: hwpt, enable: true });
            const requests = requestsOf(2, 100);
            await operate({ kind: 'dma', requests });
            const { dirty } = await operate({ kind: 'readDirty', domain: hwpt, clear: true });
            const ranges = (dirty?.ranges ?? []).map(({ start, end }) => ({
              start: BigInt(start),
              end: BigInt(end),
            }));
            const missing = requests
              .filter(({ access, sid }) => access !== 'read' || sid === ATS_DEVICE)
              .filter(({ access }) => access !== 'read')
              .filter(
                ({ iova }) => !ranges.some(({ start, end }) => BigInt(iova) >= start && BigInt(iova) < end),
              );
            assert.deepEqual(missing, []);
            const again = await operate({ kind: 'readDirty', domain: hwpt, clear: true });
            assert.equal(again.counts['pages'], 0);
            const findings = await engine.request('findings', { inspection, page: { limit: 100 } });
            assert.deepEqual(
              findings.rows.filter(({ kind }) => kind !== 'over-report'),
              [],
            );
          });
        }

        it('splits and collapses without a change of what is mapped', async () => {
          const domain = await domainOf(engine, inspection);
          const before = (await listAll(engine, inspection, domain)).map(bare);
          const { domains } = await engine.request('machine', { inspection });
          const sizes = domains[0]?.pageSizes ?? [];
          const large = before[0]?.pageSize ?? 0n;
          const small = sizes[sizes.indexOf(large) - 1] ?? 0n;
          const start = `0x${(before[0]?.iova ?? 0n).toString(16)}`;
          const split = await operate({
            ...{ kind: 'split', domain: hwpt, iova: start, length: String(large), size: String(small) },
          });
          assert.equal(split.errno, undefined, split.summary);
          assert.ok((split.counts['changed'] ?? 0) > 0);
          await operate({
            kind: 'dma',
            requests: [{ sid: DEVICE, iova: start, length: 8, access: 'write' }],
          });
          const collapsed = await operate({
            ...{ kind: 'collapse', domain: hwpt, iova: start, length: String(large), size: String(large) },
          });
          assert.equal(collapsed.errno, undefined, collapsed.summary);
          const after = (await listAll(engine, inspection, domain)).map(bare);
          const places = (runs: readonly ReturnType<typeof bare>[]) =>
            runs.map(({ iova, length, paddr, perm }) => ({ iova, length, paddr, perm }));
          assert.deepEqual(joined(places(after)), joined(places(before)));
          const findings = await engine.request('findings', { inspection, page: { limit: 100 } });
          assert.deepEqual(
            findings.rows.filter(({ kind }) => kind !== 'over-report'),
            [],
          );
        });

        it('is built again from its record, bit for bit, and opens equal as an image', async () => {
          const domain = await domainOf(engine, inspection);
          const { image, description } = await engine.request('saveMachine', { inspection, name: 'm.elf' });
          const operations: MachineOperation[] = [
            { kind: 'dma', requests: requestsOf(3, 50) },
            { kind: 'unmap', domain: hwpt, iova: '0x100000000', length: '4K' },
          ];
          const record = (done: readonly MachineOperation[]) => ({
            ...{ version: 1 as const, spec: specOf(vendor, id), operations: done },
          });
          const twice = connectInProcess();
          try {
            const one = await twice.request('open', { inspection: 'one', machine: record([]) });
            for (const operation of operations)
              await twice.request('operate', { inspection: 'one', operation });
            const other = await twice.request('open', { inspection: 'other', machine: record(operations) });
            assert.equal(one.iommus.length, other.iommus.length);
            const saved = await Promise.all(
              ['one', 'other'].map((each) =>
                twice.request('saveMachine', { inspection: each, name: 'm.elf' }),
              ),
            );
            assert.deepEqual(saved[1], saved[0]);
            await twice.request('open', {
              inspection: 'image',
              description,
              image: { kind: 'bytes', name: 'm.elf', bytes: image },
            });
            const opened = await listAll(twice, 'image', await domainOf(twice, 'image'));
            const emulated = await listAll(engine, inspection, domain);
            assert.deepEqual(opened.map(bare), emulated.map(bare));
          } finally {
            await twice.dispose();
          }
        });
      });
    }
  }

  it('are as they were when an operation is cancelled half-way', async () => {
    const engine = connectInProcess();
    const inspection = 'm';
    await engine.request('open', {
      inspection,
      machine: { version: 1, spec: specOf('vt-d', 'second-stage'), operations: [] },
    });
    await engine.request('operate', { inspection, operation: { kind: 'dma', requests: requestsOf(1, 20) } });
    const before = await engine.request('saveMachine', { inspection, name: 'm.elf' });
    const signal = new AbortController();
    const running = engine.request(
      'operate',
      { inspection, operation: { kind: 'dma', requests: requestsOf(2, 200_000) } },
      { signal: signal.signal },
    );
    setTimeout(() => {
      signal.abort();
    }, 50);
    await assert.rejects(
      running,
      (error: unknown) => error instanceof RequestError && error.code === 'cancelled',
    );
    const state = await engine.request('machine', { inspection });
    assert.equal(state.operations, 1);
    assert.deepEqual(await engine.request('saveMachine', { inspection, name: 'm.elf' }), before);
    await engine.dispose();
  });

  it('take back operations one by one', async () => {
    const engine = connectInProcess();
    const inspection = 'm';
    await engine.request('open', {
      inspection,
      machine: { version: 1, spec: specOf('vt-d', 'second-stage', { dirtyTracking: 'on' }), operations: [] },
    });
    const before = await engine.request('saveMachine', { inspection, name: 'm.elf' });
    const operation: MachineOperation = { kind: 'dma', requests: requestsOf(1, 20) };
    await engine.request('operate', { inspection, operation });
    assert.notDeepEqual(await engine.request('saveMachine', { inspection, name: 'm.elf' }), before);
    await engine.request('undo', { inspection });
    assert.deepEqual(await engine.request('saveMachine', { inspection, name: 'm.elf' }), before);
    await engine.dispose();
  });

  describe('are refused before they are built', () => {
    const refused: readonly (readonly [string, MachineSpec, RegExp])[] = [
      [
        'D without scalable mode',
        specOf('vt-d', 'second-stage', { capabilities: { scalable: false, dirtyTracking: true } }),
        /VT-d|§/,
      ],
      ['host D without host A', specOf('amd-vi', 'v1', { capabilities: { hostAccessed: false } }), /HDSup/],
      ['a capability nobody knows', specOf('riscv', 'sv48', { capabilities: { warp: true } }), /warp/],
      ['more memory than the tables take', specOf('riscv', 'sv39', { memory: '1T' }), /Sv39/],
      [
        'more than memory holds',
        specOf('vt-d', 'second-stage', { memory: '16T', mapping: { what: 'guest', pages: ['4K'] } }),
        /entries/,
      ],
      ['a size that is none', specOf('vt-d', 'second-stage', { memory: 'lots' }), /lots/],
      ['half a granule', specOf('smmuv3', 'stage1-64k', { memory: '4K' }), /64K/],
      ['tables of another vendor', specOf('vt-d', 'v1'), /v1/],
      ['no device', specOf('vt-d', 'second-stage', { devices: [] }), /device/],
      [
        'a cache of three sets',
        specOf('vt-d', 'second-stage', { rules: { iotlb: { sets: 3, ways: 4 } } }),
        /"sets":3/,
      ],
      ['a rule nobody knows', specOf('vt-d', 'second-stage', { rules: { speed: 9 } as object }), /"speed"/],
      ['a bug nobody made', specOf('vt-d', 'second-stage', { driverFaults: ['forgets-all'] }), /forgets-all/],
    ];
    for (const [name, spec, expected] of refused) {
      it(name, async () => {
        const engine = connectInProcess();
        const wrong = await engine.request('checkMachine', { spec });
        assert.match(`${wrong?.message ?? ''} ${wrong?.hint ?? ''}`, expected);
        const machine = { version: 1 as const, spec, operations: [] };
        await assert.rejects(engine.request('open', { inspection: 'm', machine }), RequestError);
        await engine.dispose();
      });
    }
  });
});

/** Neighbours as one: splitting makes more runs of the same memory. */
function joined(runs: readonly { iova: bigint; length: bigint; paddr: bigint; perm: string }[]) {
  const all: { iova: bigint; length: bigint; paddr: bigint; perm: string }[] = [];
  for (const run of runs) {
    const last = all.at(-1);
    if (
      last?.perm === run.perm &&
      last.iova + last.length === run.iova &&
      last.paddr + last.length === run.paddr
    )
      last.length += run.length;
    else all.push({ ...run });
  }
  return all;
}
