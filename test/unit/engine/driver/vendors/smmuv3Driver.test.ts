import assert from 'node:assert/strict';
import { defaultCapabilities } from '../../../../../src/engine/driver/capabilities';
import { type Smmuv3Capabilities } from '../../../../../src/engine/driver/capabilities/smmuv3';
import { type NestedDomain } from '../../../../../src/engine/driver/iommuDriver';
import { smmuv3Driver } from '../../../../../src/engine/driver/vendors/smmuv3';
import { openDirectory } from '../../../../../src/engine/directory';
import { armFormat } from '../../../../../src/engine/formats/arm';
import { requesterId } from '../../../../../src/engine/values';
import { Bench, namesOf, pasidOrNull, refusedWith, spaceOf } from './bench';

const DEVICE = requesterId(0x10);
const OTHER = requesterId(0x1234);
const PAGE = { startPage: 0x200, endPage: 0x201, smallestShift: 12, largestShift: 12, tables: false };
const STAGE1 = armFormat(1, '4K', '48');
const STAGE2 = armFormat(2, '4K', '48');

function start(changes: Partial<Smmuv3Capabilities> = {}, faults: readonly string[] = []) {
  const capabilities = { ...defaultCapabilities('smmuv3'), ...changes };
  const bench = new Bench(capabilities);
  const driver = smmuv3Driver({
    port: bench,
    memory: bench.memory,
    frames: bench.frames,
    capabilities,
    faults,
  });
  bench.mustRun(driver.initialise());
  bench.done = [];
  const first = bench.domain(STAGE1, 4, { id: 4, stage: 1 });
  // 40 bits: two concatenated tables at level 1.
  const parent = bench.domain(STAGE2, 3, { id: 5, stage: 2, rootIndexBits: 10 });
  /** V, Config = stage 1, one CD in guest memory at 0x8000. */
  const nested: NestedDomain = { parent, id: 6, words: [1n | (5n << 1n) | 0x8000n, 2n] };
  return { bench, driver, first, parent, nested };
}

/** The STE of a stream, as the directory finds it. */
function steOf(bench: Bench, requester: number): readonly bigint[] {
  const directory = openDirectory('smmuv3', bench.memory, bench.registers);
  assert.ok(directory.ok);
  const { entries } = directory.value.lookup(requesterId(requester), null);
  return entries.find(({ role }) => role === 'context')?.words ?? [];
}

describe('SMMUv3 driver: attachments', () => {
  it('aborts every stream after its initialisation, with either form of the stream table', () => {
    assert.equal(start().bench.answer(DEVICE).kind, 'fault');
    assert.equal(start({ twoLevelStreams: false, streamBits: 10 }).bench.answer(DEVICE).kind, 'fault');
  });

  it('attaches stage 1 by a context descriptor that marks dirty', () => {
    const { bench, driver, first } = start();
    bench.mustRun(driver.attach(OTHER, null, { kind: 'paging', domain: first }));
    const space = spaceOf(bench.answer(OTHER));
    assert.equal(space.stage, 1);
    assert.equal(space.root, first.tables.root);
    assert.equal(space.domainId, 4);
    assert.equal(space.format.setsDirty, true);
    assert.equal(space.format.addressBits, 48);
  });

  it('attaches stage 2 of concatenated tables, with the words of IHI 0070 5.2', () => {
    const { bench, driver, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.stage, 2);
    assert.equal(space.root, parent.tables.root);
    assert.equal(space.domainId, 5);
    assert.equal(space.format.addressBits, 40);
    assert.equal(space.format.rootDepth, 3);
    const [control, , third, root] = steOf(bench, DEVICE);
    assert.equal(control, 1n | (6n << 1n));
    // VMID 5, T0SZ 24, SL0 1, cacheable, inner shareable, TG 4K, PS 48 bits, AA64, PTW, HD, HA, R.
    const vtcr = 24n | (1n << 6n) | (1n << 8n) | (1n << 10n) | (3n << 12n) | (5n << 16n);
    assert.equal(third, 5n | (vtcr << 32n) | (1n << 51n) | (1n << 54n) | (3n << 55n) | (1n << 58n));
    assert.equal(root, BigInt(parent.tables.root) << 12n);
  });

  it('attaches substreams by descriptors of their own, beside a stream that passes, is blocked or has stage 1', () => {
    const { bench, driver, first } = start();
    const process = bench.domain(STAGE1, 4, { id: 9, stage: 1 });
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(5000), { kind: 'paging', domain: process }));
    assert.equal(spaceOf(bench.answer(DEVICE, 5000)).root, process.tables.root);
    assert.equal(bench.answer(DEVICE).kind, 'fault');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    assert.equal(bench.answer(DEVICE).kind, 'pass-through');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    assert.equal(spaceOf(bench.answer(DEVICE)).root, first.tables.root);
    assert.equal(spaceOf(bench.answer(DEVICE, 5000)).domainId, 9);
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(5000), { kind: 'blocked' }));
    assert.equal(bench.answer(DEVICE, 5000).kind, 'fault');
  });

  it("puts a guest's STE over the stage 2 of its parent; a guest may abort and bypass as well", () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const [control = 0n, , third = 0n] = steOf(bench, DEVICE);
    assert.equal((control >> 1n) & 7n, 7n);
    assert.equal(control & 0xfffffffff000n, 0x8000n);
    assert.equal(third & 0xffffn, 5n);
    // The descriptor is at a guest address that nothing maps.
    assert.equal(bench.answer(DEVICE).kind, 'fault');
    bench.mustRun(
      driver.attach(DEVICE, null, { kind: 'nested', domain: { ...nested, words: [1n | (4n << 1n), 0n] } }),
    );
    assert.equal(spaceOf(bench.answer(DEVICE)).root, parent.tables.root);
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: { ...nested, words: [1n, 0n] } }));
    assert.equal(bench.answer(DEVICE).kind, 'fault');
  });

  it('refuses fields that are not for guests with EIO, and what the SMMU has not', () => {
    const { bench, driver, parent, nested, first } = start({ ats: false });
    const attach = (attachment: Parameters<typeof driver.attach>[2], pasid: number | null = null) =>
      refusedWith(bench.run(driver.attach(DEVICE, pasidOrNull(pasid), attachment)));
    const guest = (...words: bigint[]) => attach({ kind: 'nested', domain: { ...nested, words } });
    assert.equal(guest(1n | (6n << 1n), 0n), 'EIO');
    assert.equal(guest(1n | (5n << 1n), 1n << 44n), 'EIO');
    assert.equal(guest(1n | (5n << 1n), 2n << 28n), 'EIO');
    assert.equal(attach({ kind: 'paging', domain: parent }, 3), 'EINVAL');
    assert.equal(attach({ kind: 'paging', domain: first }, 2 ** 16), 'EINVAL');
    assert.equal(attach({ kind: 'paging', domain: { ...parent, id: 0 } }), 'EINVAL');
    assert.equal(attach({ kind: 'paging', domain: { ...first, id: 2 ** 16 } }), 'ENOSPC');
    const ats = bench.run(driver.attach(DEVICE, null, { kind: 'pass-through' }, { ats: true }));
    assert.equal(refusedWith(ats), 'EOPNOTSUPP');
  });
});

describe('SMMUv3 driver: changes of STEs', () => {
  /** Config after each store to the STE. */
  function configsOf(bench: Bench, name = 'STE word 0'): string[] {
    return bench.steps.flatMap((step) =>
      step.kind === 'store' && step.name === name
        ? [(step.word & 1n) === 0n ? 'invalid' : `config ${(step.word >> 1n) & 7n}`]
        : [],
    );
  }

  it('goes from bypass to stage 1 and to stage 2 without a moment that is neither', () => {
    const { bench, driver, first, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    assert.deepEqual(configsOf(bench), ['config 6']);
    const names = bench.steps.flatMap((step) => (step.kind === 'store' ? [step.name] : []));
    assert.equal(names.at(-1), 'STE word 0');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    assert.equal(configsOf(bench).includes('invalid'), false);
  });

  it('makes an entry not valid meanwhile where two words that are in use change', () => {
    const { bench, driver, parent } = start();
    const other = bench.domain(STAGE2, 3, { id: 7, stage: 2, rootIndexBits: 10 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: other }));
    assert.deepEqual(configsOf(bench), ['invalid', 'config 6']);
    assert.equal(spaceOf(bench.answer(DEVICE)).root, other.tables.root);
  });

  it('writes the switching word first with the fault of that name', () => {
    const { bench, driver, parent } = start({}, ['ste-words-unordered']);
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    const names = bench.steps.flatMap((step) => (step.kind === 'store' ? [step.name] : []));
    assert.equal(names[0], 'STE word 0');
    assert.equal(spaceOf(bench.answer(DEVICE)).root, parent.tables.root);
  });
});

describe('SMMUv3 driver: flushes', () => {
  it('tells the level of a leaf in a range command, and none where table pointers changed', () => {
    const { bench, driver, first } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }, { ats: true }));
    bench.done = [];
    const range = { startPage: 0x400, endPage: 0x800, smallestShift: 21, largestShift: 21, tables: false };
    bench.mustRun(driver.flusherOf(first).flush(range));
    const [leaf, , device] = bench.done;
    assert.ok(leaf?.kind === 'invalidate' && device?.kind === 'device-tlb');
    assert.deepEqual(leaf.operations[0]?.translations?.pages, { startPage: 0x400, endPage: 0x800 });
    assert.equal(leaf.operations[0].translations.largestShift, 29);
    assert.equal(leaf.operations[0].tables, undefined);
    assert.deepEqual(device.operation.pages, { startPage: 0x400, endPage: 0x800 });
    bench.done = [];
    bench.mustRun(driver.flusherOf(first).flush({ ...range, tables: true }));
    const [table] = bench.done;
    assert.ok(table?.kind === 'invalidate');
    assert.equal(table.operations[0]?.translations?.largestShift, undefined);
    assert.ok(table.operations[0]?.tables);
  });

  it('covers every page of any range by range commands that hardware takes', () => {
    const { bench, driver, first } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    for (const [startPage, endPage] of [
      [0, 1],
      [7, 8],
      [3, 0x1236],
      [0x1ffff, 0x60003],
    ] as const) {
      for (const tables of [false, true]) {
        bench.done = [];
        bench.mustRun(driver.flusherOf(first).flush({ ...PAGE, startPage, endPage, tables }));
        const covered = new Set<number>();
        for (const command of bench.done) {
          if (command.kind !== 'invalidate') continue;
          const pages = command.operations[0]?.translations?.pages;
          assert.ok(pages);
          for (let page = pages.startPage; page < pages.endPage; page++) covered.add(page);
        }
        for (let page = startPage; page < endPage; page++) assert.ok(covered.has(page), `page ${page}`);
        assert.ok(covered.size <= endPage - startPage + 1);
      }
    }
  });

  it('flushes by address without RIL, and the whole ASID where that takes too many commands', () => {
    const { bench, driver, first } = start({ ril: false });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    bench.done = [];
    bench.mustRun(driver.flusherOf(first).flush({ ...PAGE, endPage: PAGE.startPage + 3 }));
    assert.deepEqual(namesOf(bench.done), Array(3).fill('CMD_TLBI_NH_VA'));
    bench.done = [];
    bench.mustRun(driver.flusherOf(first).flush({ ...PAGE, endPage: PAGE.startPage + 513 }));
    assert.deepEqual(namesOf(bench.done), ['CMD_TLBI_NH_ASID']);
  });

  it('flushes stage 2 by address, then both stages of what is nested in it, then device TLBs', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.mustRun(driver.attach(OTHER, null, { kind: 'nested', domain: nested }, { ats: true }));
    bench.done = [];
    bench.mustRun(driver.flusherOf(parent).flush(PAGE));
    assert.deepEqual(namesOf(bench.done), ['CMD_TLBI_S2_IPA', 'CMD_TLBI_NH_ALL', 'CMD_ATC_INV']);
    const own = start({}, ['parent-flush-own-did-only']);
    own.bench.mustRun(own.driver.attach(DEVICE, null, { kind: 'paging', domain: own.parent }));
    own.bench.mustRun(own.driver.attach(OTHER, null, { kind: 'nested', domain: own.nested }));
    own.bench.done = [];
    own.bench.mustRun(own.driver.flusherOf(own.parent).flush(PAGE));
    assert.deepEqual(namesOf(own.bench.done), ['CMD_TLBI_S2_IPA']);
  });
});

describe('SMMUv3 driver: commands of guests', () => {
  it('lets eight commands through, with the VMID of the parent and physical StreamIDs', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }, { ats: true }));
    bench.done = [];
    const ids = { requesterOf: (id: bigint) => (id === 2n ? DEVICE : undefined), domainOf: () => undefined };
    const vmid = 0x77n << 32n;
    const stream = 2n << 32n;
    const commands = [
      [0x30n, 0n],
      [0x10n | vmid, 0n],
      [0x11n | vmid | (3n << 48n), 0n],
      [0x12n | vmid | (3n << 48n), 0x5000n],
      [0x13n | vmid, 0x5000n],
      [0x05n | stream, 1n],
      [0x06n | stream, 0n],
      [0x40n | stream, 0x5000n],
    ];
    const { handled, outcome } = bench.run(driver.invalidateVirtual(parent, ids, commands));
    assert.ok(outcome.ok);
    assert.equal(handled, 8);
    for (const command of bench.done) {
      if (command.kind === 'device-tlb') assert.equal(command.operation.requester, DEVICE);
      if (command.kind !== 'invalidate') continue;
      for (const { translations, processes } of command.operations) {
        if (translations) assert.equal(translations.vm, 5);
        if (processes) assert.equal(processes.requester, DEVICE);
      }
    }
    assert.equal(namesOf(bench.done).length, 8);
  });

  it('refuses all other commands, and foreign StreamIDs, with EIO and without effect', () => {
    const { bench, driver, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    for (const opcode of [
      0x01, 0x02, 0x03, 0x04, 0x20, 0x21, 0x22, 0x28, 0x2a, 0x41, 0x44, 0x45, 0x46, 0xff,
    ]) {
      bench.done = [];
      const { handled, outcome } = bench.run(driver.invalidateNested(nested, [[BigInt(opcode), 0n]]));
      assert.equal(refusedWith(outcome), 'EIO');
      assert.equal(handled, 0);
      assert.deepEqual(bench.done, []);
    }
    const foreign = bench.run(driver.invalidateNested(nested, [[0x05n | (9n << 32n), 0n]]));
    assert.equal(refusedWith(foreign.outcome), 'EIO');
  });
});
