/** `skip` names what `next` writes, of every generator, however it is cut; and what specifications are refused. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { makeGenerator } from '../../../../src/engine/traffic/index';
import { type TrafficGenerator } from '../../../../src/engine/traffic/generator';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';

function made(spec: TrafficSpec, seed: number): TrafficGenerator {
  const result = makeGenerator(spec, seed);
  assert.ok(result.ok, result.ok ? '' : result.failure.message);
  return result.value;
}

const start = fc.constantFrom('0', '0x7f000', '4G', '0x1f_ffff_0000_0000');
const order = fc.constantFrom('sequential' as const, 'random' as const);
const share = fc.constantFrom(0, 1, 0.5, 0.03, 0.97);
const log2 = (least: number, most: number) =>
  fc.integer({ min: least, max: most }).map((shift) => 2 ** shift);
const memory = (length: number, extra = 0) => ({ length: String(length + extra) });

const KINDS: Readonly<Record<TrafficSpec['kind'], fc.Arbitrary<TrafficSpec>>> = {
  'rx-ring': fc
    .record({
      start,
      entries: log2(0, 6),
      buffer: fc.constantFrom(100, 2048, 4096, 8192, 9000, 12_288, 20_000),
      part: fc.integer({ min: 0, max: 31 }),
      extra: fc.integer({ min: 0, max: 2 ** 18 }),
      buffers: fc.constantFrom('recycled' as const, 'fresh' as const),
    })
    .map(({ start: begin, entries, buffer, part, extra, buffers }) => ({
      kind: 'rx-ring',
      memory: { start: begin, ...memory(4096 + entries * buffer, extra) },
      ...{ entries, buffer, buffers, packet: Math.floor(buffer * (1 - part / 32)) },
    })),
  nvme: fc
    .record({
      ...{ start, order, reads: share },
      depth: fc.integer({ min: 2, max: 70 }),
      block: log2(9, 16),
      extra: fc.integer({ min: 0, max: 2 ** 18 }),
    })
    .map(({ start: begin, depth, block, reads, order: how, extra }) => ({
      kind: 'nvme',
      memory: { start: begin, ...memory(16_384 + depth * 4096 + block, extra) },
      ...{ depth, block, reads, order: how },
    })),
  'gpu-bulk': fc
    .record({
      ...{ start, order, writes: share },
      pages: fc.integer({ min: 1, max: 9 }),
      places: fc.integer({ min: 1, max: 40 }),
      extra: fc.integer({ min: 0, max: 5000 }),
    })
    .map(({ start: begin, pages, places, writes, order: how, extra }) => ({
      kind: 'gpu-bulk',
      memory: { start: begin, ...memory(pages * 4096 * places, extra) },
      ...{ run: pages * 4096, writes, order: how },
    })),
  'descriptor-ring': fc
    .record({ start, entries: log2(0, 10), entry: log2(3, 12) })
    .map(({ start: begin, entries, entry }) => ({
      kind: 'descriptor-ring',
      memory: { start: begin, ...memory(entries * entry) },
      ...{ entries, entry },
    })),
  requests: fc
    .array(
      fc.record({
        sid: fc.constant('00:02.0'),
        iova: fc.constantFrom('0', 4095, '0x1000', '4G', 12_288, '0xffff_ffff_ffff_0000'),
        length: fc.integer({ min: 1, max: 9000 }),
        access: fc.constantFrom('read' as const, 'write' as const, 'atomic' as const),
      }),
      { minLength: 1, maxLength: 12 },
    )
    .map((requests) => ({ kind: 'requests', requests })),
};

/** Pages that so many calls of `next` write. */
function written(generator: TrafficGenerator, accesses: number): Set<number> {
  const pages = new Set<number>();
  for (let count = 0; count < accesses; count++) {
    const { iova, length, access } = generator.next();
    if (access === 'read') continue;
    const first = BigInt(iova) >> 12n;
    const last = (BigInt(iova) + BigInt(length) - 1n) >> 12n;
    for (let page = first; page <= last; page++) pages.add(Number(page));
  }
  return pages;
}

function skipped(generator: TrafficGenerator, accesses: number): Set<number> {
  const pages = new Set<number>();
  generator.skip(accesses, (startPage, endPage) => {
    assert.ok(startPage < endPage, 'a range is not empty');
    for (let page = startPage; page < endPage; page++) pages.add(page);
  });
  return pages;
}

const ascending = (pages: ReadonlySet<number>): number[] => [...pages].sort((one, other) => one - other);

describe('generators of traffic', () => {
  for (const [kind, specs] of Object.entries(KINDS)) {
    it(`${kind}: skip names the pages that next writes, part after part`, () => {
      const parts = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(specs, fc.integer(), parts, (spec, seed, counts) => {
          const [one, other] = [made(spec, seed), made(spec, seed)];
          for (const [index, count] of counts.entries()) {
            assert.deepEqual(ascending(skipped(one, count)), ascending(written(other, count)));
            if (index % 2 === 1) assert.deepEqual(one.next(), other.next());
          }
          assert.deepEqual(one.next(), other.next());
        }),
        { numRuns: 300 },
      );
    });

    it(`${kind}: skips in parts as in one, with a listener as without, and begins again from the seed`, () => {
      const count = fc.integer({ min: 0, max: 20_000 });
      fc.assert(
        fc.property(specs, fc.integer(), count, count, (spec, seed, first, second) => {
          const [one, other, quiet] = [made(spec, seed), made(spec, seed), made(spec, seed)];
          const whole = skipped(one, first + second);
          const parts = [...skipped(other, first), ...skipped(other, second)];
          assert.deepEqual(ascending(whole), ascending(new Set(parts)));
          quiet.skip(first + second);
          const next = one.next();
          assert.deepEqual(other.next(), next);
          assert.deepEqual(quiet.next(), next);
        }),
        { numRuns: 100 },
      );
    });

    it(`${kind}: moves as many bytes an access, and writes as often, as it says`, () => {
      fc.assert(
        fc.property(specs, fc.integer(), (spec, seed) => {
          const generator = made(spec, seed);
          let [bytes, writes] = [0, 0];
          const count = 12_000 * (spec.kind === 'requests' ? spec.requests.length : 1);
          for (let access = 0; access < count; access++) {
            const { length, access: does } = generator.next();
            bytes += length;
            if (does !== 'read') writes++;
          }
          assert.ok(Math.abs(bytes / count / generator.bytesPerAccess - 1) < 1e-9);
          // Six deviations of a draw of even odds, by the fewest runs there are: one every nine accesses.
          assert.ok(Math.abs(writes / count - generator.writeShare) < 0.09, 'the share of writes');
        }),
        { numRuns: 30 },
      );
    });
  }

  it('rx-ring: a packet is a descriptor read, a packet written, and the descriptor written back', () => {
    const memory = { start: '1M', length: '64K' };
    const common = { kind: 'rx-ring' as const, memory, entries: 2, packet: 1500, buffer: 2048 };
    const recycled = made({ ...common, buffers: 'recycled' }, 1);
    const fresh = made({ ...common, buffers: 'fresh' }, 1);
    const packet = (generator: TrafficGenerator) =>
      Array.from({ length: 3 }, () => generator.next()).map(
        ({ iova, length, access }) => `${access} ${length} at 0x${Number(iova).toString(16)}`,
      );
    assert.deepEqual(packet(recycled), [
      'read 16 at 0x100000',
      'write 1500 at 0x101000',
      'write 16 at 0x100000',
    ]);
    assert.deepEqual(packet(recycled), [
      'read 16 at 0x100010',
      'write 1500 at 0x101800',
      'write 16 at 0x100010',
    ]);
    assert.deepEqual(packet(recycled), [
      'read 16 at 0x100000',
      'write 1500 at 0x101000',
      'write 16 at 0x100000',
    ]);
    fresh.skip(6);
    assert.deepEqual(packet(fresh), [
      'read 16 at 0x100000',
      'write 1500 at 0x102000',
      'write 16 at 0x100000',
    ]);
    fresh.skip(3 * 27);
    assert.deepEqual(packet(fresh)[1], 'write 1500 at 0x101000', 'the first of the 30 there are, again');
  });

  it('nvme: a command is read, its list where there is one, data moved, its completion written', () => {
    const memory = { start: '0', length: '1M' };
    const queue = { kind: 'nvme' as const, memory, depth: 4, reads: 1, order: 'sequential' as const };
    const said = (block: number, accesses: number): string[] => {
      const generator = made({ ...queue, block }, 1);
      return Array.from({ length: accesses }, () => generator.next()).map(
        ({ iova, length, access }) => `${access} ${length} at ${Number(iova)}`,
      );
    };
    assert.deepEqual(said(4096, 4), [
      'read 64 at 0',
      'write 4096 at 8192',
      'write 16 at 4096',
      'read 64 at 64',
    ]);
    assert.deepEqual(said(16_384, 4), [
      'read 64 at 0',
      'read 24 at 8192',
      'write 16384 at 24576',
      'write 16 at 4096',
    ]);
  });

  it('skips 10^9 accesses of a ring, and of random runs that cover memory, at once', () => {
    const ring = made(
      {
        kind: 'rx-ring',
        memory: { start: '0', length: '64G' },
        ...{ entries: 4096, packet: 1500, buffer: 4096, buffers: 'fresh' },
      },
      1,
    );
    let ranges = 0;
    ring.skip(1e9, () => ranges++);
    assert.ok(ranges <= 3);
    const bulk = made(
      {
        kind: 'gpu-bulk',
        memory: { start: '0', length: '1G' },
        ...{ run: 65_536, writes: 0.5, order: 'random' },
      },
      1,
    );
    const places = new Set<number>();
    bulk.skip(1e9, (startPage) => places.add(startPage));
    assert.ok(places.size >= 16_384, 'each of the places');
  });

  const good: TrafficSpec = {
    kind: 'rx-ring',
    memory: { start: '4G', length: '64M' },
    ...{ entries: 256, packet: 1500, buffer: 2048, buffers: 'recycled' },
  };
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['no traffic', null, /Traffic without a kind/],
    ['a kind nobody knows', { kind: 'tape' }, /"tape" is no traffic/],
    ['a rate below 0', { ...good, rate: -1 }, /"rate" is -1/],
    ['an interval of half a cycle', { ...good, interval: 0.5 }, /"interval" is 0.5/],
    ['a ring of 3', { ...good, entries: 3 }, /"entries" is 3, and not a power of two/],
    ['a packet larger than its buffer', { ...good, packet: 2049 }, /"packet" is 2049/],
    ['no buffers', { ...good, buffers: undefined }, /"buffers" is missing/],
    ['no memory', { ...good, memory: 5 }, /"memory.start" is missing/],
    ['an address that is none', { ...good, memory: { start: 'x', length: '1M' } }, /"memory.start" is "x"/],
    ['memory within a page', { ...good, memory: { start: '0x10', length: '1M' } }, /no multiple of 4K/],
    ['memory of no bytes', { ...good, memory: { start: '0', length: '0' } }, /"memory.length" is "0"/],
    ['memory beyond 2^53', { ...good, memory: { start: '8P', length: '4K' } }, /memory ends at/],
    ['memory without room', { ...good, memory: { start: '0', length: '4K' } }, /has no room for the ring/],
    ['half a request', { kind: 'requests', requests: [{ sid: 1 }] }, /request 0: undefined is no address/],
    ['no requests', { kind: 'requests', requests: [] }, /no list of requests/],
    ['a share above 1', { kind: 'gpu-bulk', run: 4096, writes: 2, order: 'random' }, /"writes" is 2/],
    ['half a page', { kind: 'gpu-bulk', run: 6000, writes: 1, order: 'random' }, /no multiple of 4096/],
    ['an order that is none', { kind: 'gpu-bulk', run: 4096, writes: 1, order: 'up' }, /"order" is "up"/],
  ];
  for (const [what, spec, says] of refused) {
    it(`refuses ${what}`, () => {
      const result = makeGenerator(spec as TrafficSpec, 1);
      assert.match(result.ok ? '' : result.failure.message, says);
      assert.ok(!result.ok && (result.failure.hint ?? '').length > 0, 'with what to do');
    });
  }

  it('takes whatever it is given, and throws at nothing', () => {
    const fields = [
      ...['memory', 'entries', 'packet', 'buffer', 'buffers', 'requests', 'rate', 'run', 'depth'],
      ...['sid', 'pasid', 'iova', 'length', 'access', 'kind'],
    ];
    const kind = fc.constantFrom(...Object.keys(KINDS));
    const broken = fc.record({
      kind,
      name: fc.constantFrom(...fields),
      value: fc.anything({ withBigInt: true }),
    });
    fc.assert(
      fc.property(broken, ({ kind: of, name, value }) => {
        const requests = [{ sid: '00:02.0', iova: 0, access: 'write', [name]: value }];
        const spec = { ...good, requests, kind: of, [name]: value } as unknown as TrafficSpec;
        const result = makeGenerator(spec, 1);
        if (!result.ok) assert.ok(result.failure.message.length > 0);
      }),
      { numRuns: 3000 },
    );
  });
});
