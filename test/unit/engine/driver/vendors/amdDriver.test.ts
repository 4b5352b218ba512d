import assert from 'node:assert/strict';
import { defaultCapabilities } from '../../../../../src/engine/driver/capabilities';
import { type AmdCapabilities } from '../../../../../src/engine/driver/capabilities/amd';
import { type NestedDomain } from '../../../../../src/engine/driver/iommuDriver';
import { amdDriver } from '../../../../../src/engine/driver/vendors/amd';
import { amdV1 } from '../../../../../src/engine/formats/amdV1';
import { amdV2 } from '../../../../../src/engine/formats/x8664';
import { runSteps } from '../../../../../src/engine/steps';
import { frameNumber, requesterId } from '../../../../../src/engine/values';
import { Bench, namesOf, pasidOrNull, refusedWith, spaceOf } from './bench';

const DEVICE = requesterId(0x10);
const OTHER = requesterId(0x123);
const PAGE = { startPage: 0x200, endPage: 0x201, smallestShift: 12, largestShift: 12, tables: false };
/** A guest's DTE: V, GV, GIOV, GLX 0, GCR3 at 0x6000. */
const GUEST_DTE = [(1n << 55n) | (1n << 54n) | 1n | (6n << 58n), 0n, 0n, 0n];

function start(changes: Partial<AmdCapabilities> = {}, faults: readonly string[] = []) {
  const capabilities = { ...defaultCapabilities('amd-vi'), deviceBits: 9, ...changes };
  const bench = new Bench(capabilities);
  const driver = amdDriver({ port: bench, memory: bench.memory, frames: bench.frames, capabilities, faults });
  bench.mustRun(driver.initialise());
  bench.done = [];
  const parent = bench.domain(amdV1, 3, { id: 5, stage: 2 });
  const nested: NestedDomain = { parent, id: 6, words: GUEST_DTE };
  /** The table is where DevTabBase says. */
  const dte = (requester: number) =>
    bench.words(Number((bench.registers.get('DevTabBase') ?? 0n) & ~0xfffn) + 32 * requester, 4);
  return { bench, driver, parent, nested, dte };
}

describe('AMD driver: attachments', () => {
  it('blocks every device after its initialisation', () => {
    const { bench, dte } = start();
    assert.equal(bench.answer(DEVICE).kind, 'pass-through');
    const answer = bench.answer(DEVICE);
    assert.ok(answer.kind === 'pass-through');
    assert.equal(answer.permission, 0);
    assert.deepEqual(dte(DEVICE), [3n, 0n, 0n, 0n]);
  });

  it('attaches host tables, with the words of AMD 48882 §2.2.2.1', () => {
    const { bench, driver, parent, dte } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }, { ats: true }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.stage, 2);
    assert.equal(space.root, parent.tables.root);
    assert.equal(space.domainId, 5);
    assert.equal(space.format.rootDepth, 3);
    const root = BigInt(parent.tables.root) << 12n;
    // V, TV, Mode = 3, IR, IW; DomainID 5 and I.
    assert.deepEqual(dte(DEVICE), [root | 3n | (3n << 9n) | (3n << 61n), 5n | (1n << 32n), 0n, 0n]);
  });

  it('attaches guest tables to the device and to a PASID through one GCR3 table', () => {
    const { bench, driver } = start();
    const own = bench.domain(amdV2, 4, { id: 8, stage: 1 });
    const other = bench.domain(amdV2, 4, { id: 9, stage: 1 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: own }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(1000), { kind: 'paging', domain: other }));
    assert.equal(spaceOf(bench.answer(DEVICE)).root, own.tables.root);
    assert.equal(spaceOf(bench.answer(DEVICE, 1000)).root, other.tables.root);
    assert.equal(bench.answer(DEVICE, 999).kind, 'fault');
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(1000), { kind: 'blocked' }));
    assert.equal(bench.answer(DEVICE, 1000).kind, 'fault');
    assert.equal(spaceOf(bench.answer(DEVICE)).root, own.tables.root);
  });

  it('lets requests without a PASID pass beside PASIDs, or blocks them', () => {
    const { bench, driver } = start();
    const guest = bench.domain(amdV2, 4, { id: 8, stage: 1 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(3), { kind: 'paging', domain: guest }));
    assert.equal(bench.answer(DEVICE).kind, 'pass-through');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'blocked' }));
    assert.equal(bench.answer(DEVICE).kind, 'fault');
    assert.equal(spaceOf(bench.answer(DEVICE, 3)).root, guest.tables.root);
  });

  it('nests the tables of a guest over the host tables of its parent', () => {
    const { bench, driver, parent, nested } = start();
    // The GCR3 table is at guest physical address 0x6000: its page is mapped to a frame that leads to 0x7000.
    const frame = bench.frames.allocate();
    assert.ok(frame !== undefined);
    bench.memory.writeEntry(frame, 0, 0x7001, 0);
    assert.ok(runSteps(parent.tables.map(6, frame, 1, 3)).ok);
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.stage, 1);
    assert.equal(space.root, frameNumber(7));
    assert.equal(space.domainId, 6);
    assert.equal(space.stage2?.root, parent.tables.root);
  });

  it('writes the halves of an entry in an order that no request can misread', () => {
    const { bench, driver, parent } = start();
    const guest = bench.domain(amdV2, 5, { id: 8, stage: 1 });
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: guest }));
    const halves = () => bench.steps.flatMap(({ kind, name }) => (kind === 'store' ? [name] : []));
    const lower = 'DTE words 0 and 1 (128 bits)';
    const upper = 'DTE words 2 and 3 (128 bits)';
    // The number of guest levels is in the upper half: it is there before GV, and goes after it.
    assert.deepEqual(halves(), ['GCR3 entry', upper, lower]);
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    assert.deepEqual(halves(), [lower, upper, 'GCR3 entry']);
  });

  it('refuses what the hardware has not, and what cannot be together', () => {
    const { bench, driver, parent, nested } = start({ guestIo: false, levels: 4 });
    const guest = bench.domain(amdV2, 4, { id: 8, stage: 1 });
    const deep = bench.domain(amdV1, 5, { id: 9, stage: 2 });
    const attach = (pasid: number | null, attachment: Parameters<typeof driver.attach>[2]) =>
      refusedWith(bench.run(driver.attach(DEVICE, pasidOrNull(pasid), attachment)));
    assert.equal(attach(null, { kind: 'paging', domain: guest }), 'EOPNOTSUPP');
    assert.equal(attach(null, { kind: 'paging', domain: deep }), 'EINVAL');
    assert.equal(attach(0, { kind: 'paging', domain: guest }), 'EINVAL');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    assert.equal(attach(3, { kind: 'paging', domain: guest }), 'EINVAL');
    for (const words of [
      [(GUEST_DTE[0] ?? 0n) | (1n << 9n), 0n, 0n, 0n],
      [(GUEST_DTE[0] ?? 0n) & ~1n, 0n, 0n, 0n],
      [(GUEST_DTE[0] ?? 0n) & ~(1n << 54n), 0n, 0n, 0n],
      [(1n << 55n) | (1n << 54n) | 1n, 0n, 0n, 0n],
    ])
      assert.equal(attach(null, { kind: 'nested', domain: { ...nested, words } }), 'EINVAL');
  });
});

describe('AMD driver: dirty tracking, growth and flushes', () => {
  it('sets HAD = 3 in every entry, also behind nested domains, forgets each, then flushes the domain', () => {
    const { bench, driver, parent, nested, dte } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.mustRun(driver.attach(OTHER, null, { kind: 'nested', domain: nested }));
    bench.done = [];
    bench.mustRun(driver.setDirtyTracking(parent, true));
    const had = () => [DEVICE, OTHER].map((requester) => ((dte(requester)[0] ?? 0n) >> 7n) & 3n);
    assert.deepEqual(had(), [3n, 3n]);
    assert.equal(spaceOf(bench.answer(DEVICE)).format.setsDirty, true);
    assert.deepEqual(namesOf(bench.done), [
      'INVALIDATE_DEVTAB_ENTRY',
      'INVALIDATE_DEVTAB_ENTRY',
      'INVALIDATE_IOMMU_PAGES',
      'INVALIDATE_IOMMU_PAGES',
    ]);
    bench.mustRun(driver.setDirtyTracking(parent, false));
    assert.deepEqual(had(), [0n, 0n]);
    const none = start({ hostDirty: false });
    assert.equal(refusedWith(none.bench.run(none.driver.setDirtyTracking(none.parent, true))), 'EOPNOTSUPP');
  });

  it('tells the entries of a larger root before software maps under it', () => {
    const { bench, driver, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    parent.tables.flusher = driver.flusherOf(parent);
    bench.mustRun(parent.tables.map(2 ** 27, 5, 1, 3));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.format.rootDepth, 4);
    assert.equal(space.root, parent.tables.root);
    const stored = bench.steps.findIndex(({ name }) => name === 'DTE word 0 (Mode, root)');
    const published = bench.steps.findIndex(({ name }) => name === 'publish the root and its depth');
    assert.ok(stored > 0 && stored < published);
  });

  it('says the size of a range in the address, with the table pointers', () => {
    const { bench, driver, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }, { ats: true }));
    bench.done = [];
    bench.mustRun(driver.flusherOf(parent).flush({ ...PAGE, largestShift: 21 }));
    const [first, , device] = bench.done;
    assert.ok(first?.kind === 'invalidate' && device?.kind === 'device-tlb');
    const pages = { startPage: 0x200, endPage: 0x400 };
    assert.deepEqual(first.operations[0], {
      translations: { vm: 5, stage1: false, pages, largestShift: 21 },
      tables: { vm: 5, stage: 2, pages },
    });
    assert.deepEqual(device.operation.pages, pages);
  });

  it('takes numbers of waits before their place with the fault of that name, and is told too early', () => {
    const { bench, driver, parent } = start({}, ['wait-number-unlocked']);
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    const flusher = driver.flusherOf(parent);
    const early = flusher.flush(PAGE);
    const late = flusher.flush({ ...PAGE, startPage: 0x300, endPage: 0x301 });
    // Both submit their invalidation; the first takes its number, the second its number and place.
    for (let step = 0; step < 2; step++) early.next();
    bench.runCommands();
    for (let step = 0; step < 3; step++) late.next();
    bench.runCommands();
    const waits = bench.done.filter(({ kind }) => kind === 'wait').length;
    early.next();
    const polled = early.next();
    assert.deepEqual(polled.value, { kind: 'poll', name: 'COMPLETION_WAIT completes', done: true });
    assert.equal(
      bench.done.filter(({ kind }) => kind === 'wait').length,
      waits,
      'its own wait has not been done',
    );
  });
});

describe('AMD driver: commands of guests', () => {
  it("replaces a guest's DomainID and DeviceID, and refuses those that it has not", () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    bench.done = [];
    const ids = {
      requesterOf: (id: bigint) => (id === 0x8n ? DEVICE : undefined),
      domainOf: (guest: number) => (guest === 2 ? 6 : undefined),
    };
    const pages = (domain: bigint) => [(3n << 60n) | (domain << 32n), 0x5000n | 4n];
    const device = (id: bigint) => [(4n << 60n) | (id << 32n) | id, 0x5000n];
    const { handled, outcome } = bench.run(
      driver.invalidateVirtual(parent, ids, [pages(2n), device(8n), [1n << 60n, 0n], pages(3n), pages(2n)]),
    );
    assert.equal(handled, 3);
    assert.equal(refusedWith(outcome), 'EIO');
    const [first, second] = bench.done;
    assert.ok(first?.kind === 'invalidate' && second?.kind === 'device-tlb');
    assert.equal(first.operations[0]?.translations?.vm, 6);
    assert.equal(second.operation.requester, DEVICE);
  });
});
