import assert from 'node:assert/strict';
import { openDirectory } from '../../../src/engine/directory';
import { FrameMemory } from '../../builders/tables';
import { type EngineClient, type Translation } from '../../../src/inspection/protocol';
import { inProcessEngine, openBytes } from './inProcess';

const FRAME = 4096;
const RTADDR = '0x1000';
// Values of a QEMU machine with 39 and 48 bits, 2M and 1G leaves, pass-through, without device TLB and snoop control.
const CAP = '0xd2008c222f0606';
const ECAP = '0xf00f4a';

interface Context {
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Root table in frame 1, context table of bus 0 in frame 2, given entries by requester id, and a 3-level table in 3, 4, 5. */
function machine(contexts: Readonly<Record<number, Context>>): Uint8Array {
  const view = new DataView(new ArrayBuffer(6 * FRAME));
  view.setBigUint64(1 * FRAME, 0x2001n, true);
  for (const [requester, { lo, hi }] of Object.entries(contexts)) {
    view.setBigUint64(2 * FRAME + 16 * Number(requester), lo, true);
    view.setBigUint64(2 * FRAME + 16 * Number(requester) + 8, hi, true);
  }
  view.setBigUint64(3 * FRAME, 0x4003n, true);
  view.setBigUint64(3 * FRAME + 8 * 3, 0x4003n, true);
  view.setBigUint64(3 * FRAME + 8 * 4, 0xc0000083n, true);
  view.setBigUint64(4 * FRAME, 0x5003n, true);
  view.setBigUint64(4 * FRAME + 8 * 503, 0x5003n, true);
  for (let index = 0; index < 512; index++) {
    view.setBigUint64(5 * FRAME + 8 * index, (BigInt(0x100 + index) << 12n) | 3n, true);
  }
  return new Uint8Array(view.buffer);
}

const DOMAIN: Context = { lo: 0x3001n, hi: 0x701n };

async function ask(
  context: Context,
  iova: bigint,
  registers: Readonly<Record<string, string>> = {},
  pasid: number | null = null,
): Promise<Translation> {
  const { client } = inProcessEngine();
  await openBytes(client, machine({ 8: context }), { RTADDR, ...registers });
  const request = { requester: 8, pasid, iova, access: 'write' } as const;
  const [answer] = await client.request('translate', { inspection: 'bytes', requests: [request] });
  const walked = await client.request('walk', { inspection: 'bytes', request });
  assert.deepEqual(walked.translation, answer, 'a walk and a translation agree');
  assert.equal(walked.translation.ok || walked.hint !== undefined, true, 'a refusal says what to do');
  await client.dispose();
  assert.ok(answer);
  return answer;
}

const refused = (fault: string, level: number | null = null) => ({ ok: false, fault, level });

describe('VT-d legacy mode', () => {
  it('translates through root, context and three levels', async () => {
    const answer = await ask(DOMAIN, 0x2abcn, { CAP, ECAP, GSTS: '0xc0000000' });
    assert.deepEqual(answer, {
      ok: true,
      paddr: 0x102abcn,
      size: 0x1000n,
      perm: 'RW',
      level: 1,
      entry: 0x102003n,
    });
  });

  it('passes untranslated when GSTS.TES is 0, whatever the tables say', async () => {
    const untouched = { ok: true, paddr: 0xfee00123n, size: 4096n, perm: 'RW', level: null, entry: null };
    assert.deepEqual(await ask({ lo: 0n, hi: 0n }, 0xfee00123n, { GSTS: '0x40000000' }), untouched);
  });

  it('passes untranslated for a device in pass-through, but for the interrupt window', async () => {
    const passing: Context = { lo: 0x9n, hi: 0x102n };
    const { ok, ...rest } = await ask(passing, 0x7_0000_0123n, { ECAP });
    assert.ok(ok);
    assert.deepEqual(rest, { paddr: 0x7_0000_0123n, size: 4096n, perm: 'RW', level: null, entry: null });
    assert.deepEqual(await ask(passing, 0xfee00000n), refused('interrupt-window'));
  });

  it('keeps exactly 0xfee00000-0xfef00000 from the tables (VT-d 4.1 section 3.14)', async () => {
    assert.equal((await ask(DOMAIN, 0xfedfffffn)).ok, false);
    assert.deepEqual(await ask(DOMAIN, 0xfee00000n), refused('interrupt-window'));
    assert.deepEqual(await ask(DOMAIN, 0xfeefffffn), refused('interrupt-window'));
    const after = await ask(DOMAIN, 0xfef00000n);
    assert.notDeepEqual(after, refused('interrupt-window'));
  });

  it('refuses what the context entry may not say (VT-d 4.1 section 9.3)', async () => {
    assert.deepEqual(await ask({ lo: 0x3000n, hi: 0x701n }, 0n), refused('context-entry-not-present'));
    assert.deepEqual(await ask({ lo: 0x3011n, hi: 0x701n }, 0n), refused('context-entry-reserved'));
    assert.deepEqual(await ask({ lo: 0x3001n, hi: 0x1000701n }, 0n), refused('context-entry-reserved'));
    assert.deepEqual(await ask({ lo: 0x300dn, hi: 0x701n }, 0n), refused('context-entry-invalid'));
    assert.deepEqual(await ask({ lo: 0x3001n, hi: 0x700n }, 0n), refused('context-entry-invalid'));
    assert.deepEqual(await ask({ lo: 0x3001n, hi: 0x704n }, 0n), refused('context-entry-invalid'));
  });

  it('asks for a good AW in pass-through too', async () => {
    assert.deepEqual(await ask({ lo: 0x9n, hi: 0x100n }, 0n), refused('context-entry-invalid'));
    assert.deepEqual(
      await ask({ lo: 0x9n, hi: 0x103n }, 0n, { CAP, ECAP }),
      refused('context-entry-invalid'),
    );
  });

  it('refuses what the capabilities rule out: AW, pass-through, device TLB', async () => {
    assert.deepEqual(await ask({ lo: 0x3001n, hi: 0x703n }, 0n, { CAP }), refused('context-entry-invalid'));
    assert.deepEqual(
      await ask({ lo: 0x9n, hi: 0x102n }, 0n, { ECAP: '0xf00f0a' }),
      refused('context-entry-invalid'),
    );
    assert.deepEqual(await ask({ lo: 0x3005n, hi: 0x701n }, 0n, { ECAP }), refused('context-entry-invalid'));
  });

  it('refuses addresses beyond AW, and beyond CAP.MGAW', async () => {
    assert.deepEqual(await ask(DOMAIN, 1n << 39n), refused('address-width'));
    assert.equal((await ask(DOMAIN, 3n << 30n)).ok, true);
    // MGAW = 30: at most 31 bits.
    assert.deepEqual(await ask(DOMAIN, 3n << 30n, { CAP: '0xd2008c221e0606' }), refused('address-width'));
  });

  it('refuses a translation that leads into the interrupt window, page by page', async () => {
    const inside = (iova: bigint) => ask(DOMAIN, iova);
    // Level 3, index 4: a 1G leaf over 0xc0000000-0x100000000.
    assert.deepEqual(await inside(0x1_3ee0_0000n), refused('interrupt-output', 3));
    assert.deepEqual(await inside(0x1_3eef_ffffn), refused('interrupt-output', 3));
    assert.equal((await inside(0x1_3edf_ffffn)).ok, true);
    assert.equal((await inside(0x1_3ef0_0000n)).ok, true);
  });

  it('refuses requests with a PASID', async () => {
    assert.deepEqual(await ask(DOMAIN, 0n, {}, 1), refused('pasid-not-supported'));
  });

  it('says at once when the root table is not in the image', async () => {
    const { client } = inProcessEngine();
    const { problems } = await openBytes(client, machine({}), { RTADDR: '0x99000' });
    assert.deepEqual(
      problems.map(({ code, severity }) => [code, severity]),
      [['directory/root-unreadable', 'error']],
    );
    assert.match(problems[0]?.message ?? '', /0x99000/);
    await client.dispose();
  });

  it('says which bus hides its devices: reserved bits, a context table that is not in the image', async () => {
    const bytes = machine({ 8: DOMAIN });
    const view = new DataView(bytes.buffer);
    view.setBigUint64(1 * FRAME + 16 * 2, 0x2005n, true);
    view.setBigUint64(1 * FRAME + 16 * 3, 0x77001n, true);
    const { client } = inProcessEngine();
    const { problems } = await openBytes(client, bytes, { RTADDR });
    assert.deepEqual(
      problems.map(({ code, message }) => [code, /Bus 0x\d/.exec(message)?.[0]]),
      [
        ['directory/root-entry-reserved', 'Bus 0x2'],
        ['directory/context-entry-unreadable', 'Bus 0x3'],
      ],
    );
    await client.dispose();
  });

  it('says which structure is not in the image', async () => {
    assert.deepEqual(await ask(DOMAIN, 0n, { RTADDR: '0x99000' }), refused('root-entry-unreadable'));
    assert.deepEqual(await ask({ lo: 0x77001n, hi: 0x701n }, 0n), refused('table-unreadable', 3));
  });
});

describe('IOMMUs that cannot be read', () => {
  const open = (client: EngineClient, iommus: readonly object[]) =>
    client.request('open', {
      inspection: 'x',
      description: JSON.stringify({
        version: 1,
        image: { file: 'm.raw', segments: [{ paddr: '0x0', offset: 0, length: 6 * FRAME }] },
        iommus,
      }),
      image: { kind: 'bytes', name: 'm.raw', bytes: machine({ 8: DOMAIN }) },
    });

  it('are refused by kind or mode, and the others are read', async () => {
    const { client } = inProcessEngine();
    const { iommus } = await open(client, [
      { name: 'good', kind: 'vt-d', registers: { RTADDR } },
      { name: 'reserved', kind: 'vt-d', registers: { RTADDR: '0x1800' } },
      { name: 'custom', kind: 'riscv', registers: { ddtp: '0x409', capabilities: '0x10' } },
    ]);
    assert.deepEqual(
      iommus.map(({ name, failure }) => [name, failure?.code]),
      [
        ['good', undefined],
        ['reserved', 'directory/mode-not-read'],
        ['custom', 'directory/mode-not-read'],
      ],
    );
    const unheard = openDirectory('unheard-of', new FrameMemory(), new Map());
    assert.equal(unheard.ok ? undefined : unheard.failure.code, 'directory/kind-not-read');
    const top = await client.request('children', { inspection: 'x', page: { limit: 10 } });
    assert.deepEqual(
      top.rows.map(({ kind }) => kind),
      ['iommu', 'iommu', 'iommu'],
    );
    const below = await client.request('children', {
      inspection: 'x',
      node: 'i:reserved',
      page: { limit: 10 },
    });
    assert.ok(below.rows[0]?.kind === 'message' && below.rows[0].why.message.includes('TTM = 2'));
    await client.dispose();
  });

  it('make a device ambiguous when two of them claim it', async () => {
    const { client } = inProcessEngine();
    await open(client, [
      { name: 'one', kind: 'vt-d', registers: { RTADDR } },
      { name: 'two', kind: 'vt-d', registers: { RTADDR } },
    ]);
    const request = { requester: 8, pasid: null, iova: 0n, access: 'read' } as const;
    await assert.rejects(
      client.request('walk', { inspection: 'x', request }),
      /more than one IOMMU: one, two/,
    );
    const named = await client.request('walk', { inspection: 'x', iommu: 'two', request });
    assert.equal(named.iommu, 'two');
    await open(client, [
      { name: 'one', kind: 'vt-d', registers: { RTADDR } },
      { name: 'lost', kind: 'vt-d', registers: { RTADDR: '0x99000' } },
    ]);
    const walked = await client.request('walk', { inspection: 'x', request });
    assert.equal(walked.iommu, 'one', 'an IOMMU whose tables are not in the image claims no device');
    const nowhere = client.request('walk', { inspection: 'x', request: { ...request, requester: 0x300 } });
    await assert.rejects(nowhere, /No IOMMU has an entry for 03:00.0/);
    await client.dispose();
  });
});
