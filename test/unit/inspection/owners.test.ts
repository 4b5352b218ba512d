import assert from 'node:assert/strict';
import {
  type EngineClient,
  type Progress,
  RequestError,
  type TranslateRequest,
} from '../../../src/inspection/protocol';
import { bdf, dmar, drhd, rsdp, scope } from '../engine/firmwareTables';
import { inProcessEngine } from './inProcess';

const FRAME = 4096;
const FRAMES = 2048;
const ENDPOINT = 1;
const SECOND_BASE = 0xfed9_1000;
/** In both IOMMUs, in the first only, in none. */
const [BOTH, FIRST, NONE] = [bdf(0, 0, 0), bdf(0, 1, 0), bdf(0, 2, 0)];
/** Where no root pointer leads, and across the border of two frames. */
const DMAR_AT = (FRAMES - 1) * FRAME - 30;
const DMAR = dmar(
  drhd(SECOND_BASE, 0, 0, scope(ENDPOINT, 0, 0, [0, 0])),
  drhd(0xfed9_0000, 0, 0, scope(ENDPOINT, 0, 0, [1, 0])),
);

/** Root tables in frames 1 and 3, each with a context table; what passes through has no page table. */
function machine(...texts: readonly [address: number, bytes: readonly number[]][]): Uint8Array {
  const bytes = new Uint8Array(FRAMES * FRAME);
  const view = new DataView(bytes.buffer);
  const context = (table: number, device: number): void => {
    view.setBigUint64(table * FRAME + 16 * device, 0x9n, true);
    view.setBigUint64(table * FRAME + 16 * device + 8, 0x101n, true);
  };
  view.setBigUint64(1 * FRAME, 0x2001n, true);
  view.setBigUint64(3 * FRAME, 0x4001n, true);
  context(2, BOTH);
  context(2, FIRST);
  context(4, BOTH);
  for (const [address, text] of texts) bytes.set(text, address);
  return bytes;
}

async function open(client: EngineClient, bytes: Uint8Array, first: object = {}, second: object = {}) {
  const unit = { kind: 'vt-d', registers: { RTADDR: '0x1000' } };
  const description = JSON.stringify({
    version: 1,
    image: { file: 'memory.raw', segments: [{ paddr: '0x0', offset: 0, length: bytes.length }] },
    iommus: [
      { name: 'dmar0', base: '0xfed90000', ...unit, ...first },
      { name: 'dmar1', base: '0xfed91000', ...unit, registers: { RTADDR: '0x3000' }, ...second },
    ],
  });
  return client.request('open', {
    inspection: 'two',
    description,
    image: { kind: 'bytes', name: 'memory.raw', bytes },
  });
}

const read = (requester: number, segment?: number): TranslateRequest => ({
  requester,
  pasid: null,
  iova: 0x1000n,
  access: 'read',
  ...(segment === undefined ? {} : { segment }),
});

const walk = (
  client: EngineClient,
  request: TranslateRequest,
  options?: Parameters<EngineClient['request']>[2],
) => client.request('walk', { inspection: 'two', request }, options);

async function refusal(promise: Promise<unknown>): Promise<RequestError['failure']> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RequestError) return error.failure;
    throw error;
  }
  return assert.fail('it was answered');
}

describe('the owner of a device among several IOMMUs', () => {
  it('is told by ACPI tables anywhere in the image, which are searched for only when it is needed', async () => {
    const { client } = inProcessEngine(50);
    const told: Progress[] = [];
    const options = { onProgress: (progress: Progress) => void told.push(progress) };
    await open(client, machine([DMAR_AT, DMAR]));
    assert.equal((await walk(client, read(FIRST), options)).iommu, 'dmar0');
    assert.equal(told.length, 0, 'only one IOMMU has an entry for it');
    assert.equal((await walk(client, read(BOTH), options)).iommu, 'dmar1');
    const fractions = told.map(({ fraction }) => fraction ?? NaN);
    assert.ok(fractions.length > 1 && fractions.every((each) => each > 0 && each <= 1), String(fractions));
    assert.deepEqual(
      [...new Set(told.map(({ message }) => message))],
      ['Searching the image for ACPI tables'],
    );
    told.length = 0;
    await walk(client, read(BOTH), options);
    assert.equal(told.length, 0, 'the answer is kept');
  });

  it('can be cancelled while the tables are searched for, and asked again', async () => {
    const { client } = inProcessEngine(50);
    const controller = new AbortController();
    await open(client, machine([DMAR_AT, DMAR]));
    const cancelled = walk(client, read(BOTH), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    assert.equal((await refusal(cancelled)).code, 'cancelled');
    assert.equal((await walk(client, read(BOTH))).iommu, 'dmar1');
  });

  it('must be named where nothing tells it', async () => {
    const { client } = inProcessEngine();
    await open(client, machine());
    const { code, message, hint } = await refusal(walk(client, read(BOTH)));
    assert.equal(code, 'request/ambiguous-device');
    assert.equal(message, '00:00.0 may belong to more than one IOMMU: dmar0, dmar1.');
    assert.match(hint ?? '', /--iommu.*"requesters"/);
    const none = await refusal(walk(client, read(NONE)));
    assert.equal(none.message, 'No IOMMU has an entry for 00:02.0.');
    assert.match(none.hint ?? '', /dmar0, dmar1.*--iommu/);
  });

  it('is none where the description says so, with what to correct', async () => {
    const { client } = inProcessEngine();
    await open(client, machine(), { requesters: ['00:01.0'] }, { requesters: ['00:03.0'] });
    const excluded = await refusal(walk(client, read(BOTH)));
    assert.equal(excluded.code, 'walk/no-iommu');
    assert.equal(excluded.message, 'No IOMMU of the description owns 0000:00:00.0.');
    assert.match(excluded.hint ?? '', /"requesters"/);
    const elsewhere = await refusal(walk(client, read(FIRST, 1)));
    assert.equal(elsewhere.message, 'No IOMMU of the description owns 0001:00:01.0.');
  });

  it('is none where the tables name an IOMMU that is not described', async () => {
    const { client } = inProcessEngine();
    await open(client, machine([DMAR_AT, DMAR]), {}, { base: '0xfed92000' });
    const { message } = await refusal(walk(client, read(BOTH)));
    assert.match(message, /The description has no IOMMU at 0xfed91000\.$/);
  });
});

describe('ACPI tables that cannot be read', () => {
  it('are a problem of the image', async () => {
    const { client } = inProcessEngine();
    const { problems } = await open(client, machine([0xf_0000, rsdp(0x5000, 0)]));
    const [problem] = problems;
    assert.equal(problem?.code, 'firmware/table');
    assert.equal(problem.severity, 'warning');
    assert.match(problem.message, /RSDT at 0x5000/);
  });
});
