import assert from 'node:assert/strict';
import { defaultCapabilities } from '../../../../../src/engine/driver/capabilities';
import { type RiscvCapabilities } from '../../../../../src/engine/driver/capabilities/riscv';
import { type NestedDomain } from '../../../../../src/engine/driver/iommuDriver';
import { riscvDriver } from '../../../../../src/engine/driver/vendors/riscv';
import { sv39, sv48, sv48x4 } from '../../../../../src/engine/formats/riscv';
import { requesterId } from '../../../../../src/engine/values';
import { Bench, namesOf, pasidOrNull, refusedWith, spaceOf } from './bench';

const DEVICE = requesterId(0x10);
const WIDE = requesterId(0xabcdef);
const PAGE = { startPage: 0x200, endPage: 0x201, smallestShift: 12, largestShift: 12, tables: false };

function start(changes: Partial<RiscvCapabilities> = {}, faults: readonly string[] = []) {
  const capabilities = { ...defaultCapabilities('riscv'), ...changes };
  const bench = new Bench(capabilities);
  const driver = riscvDriver({
    port: bench,
    memory: bench.memory,
    frames: bench.frames,
    capabilities,
    faults,
  });
  bench.mustRun(driver.initialise());
  bench.done = [];
  const first = bench.domain(sv48, 4, { id: 4, stage: 1 });
  const parent = bench.domain(sv48x4, 4, { id: 5, stage: 2 });
  /** fsc: Sv39 at guest page 7; ta: PSCID 3. */
  const nested: NestedDomain = { parent, id: 6, words: [(8n << 60n) | 7n, 3n << 12n] };
  return { bench, driver, first, parent, nested };
}

describe('RISC-V driver: attachments', () => {
  it('refuses every device after its initialisation, in directories of one to three levels of both forms', () => {
    for (const directoryLevels of [1, 2, 3]) {
      for (const msiFlat of [false, true]) {
        const { bench, driver, first } = start({ directoryLevels, msiFlat });
        assert.equal(bench.answer(DEVICE).kind, 'fault');
        bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
        assert.equal(spaceOf(bench.answer(DEVICE)).root, first.tables.root);
      }
    }
  });

  it('attaches first and second stages, with A and D set by hardware', () => {
    const { bench, driver, first, parent } = start();
    bench.mustRun(driver.attach(WIDE, null, { kind: 'paging', domain: first }));
    const one = spaceOf(bench.answer(WIDE));
    assert.deepEqual([one.stage, one.root, one.domainId], [1, first.tables.root, 4]);
    assert.equal(one.format.setsDirty, true);
    bench.mustRun(driver.attach(WIDE, null, { kind: 'paging', domain: parent }));
    const two = spaceOf(bench.answer(WIDE));
    assert.deepEqual([two.stage, two.root, two.domainId], [2, parent.tables.root, 5]);
    assert.equal(two.format.setsDirty, true);
    const plain = start({ hardwareMarks: false });
    plain.bench.mustRun(plain.driver.attach(DEVICE, null, { kind: 'paging', domain: plain.parent }));
    assert.equal(spaceOf(plain.bench.answer(DEVICE)).format.setsDirty, false);
    assert.equal(
      refusedWith(plain.bench.run(plain.driver.setDirtyTracking(plain.parent, true))),
      'EOPNOTSUPP',
    );
  });

  it('nests a first stage, or a process directory, of a guest over the second stage of its parent', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.deepEqual([space.stage, space.root, space.domainId], [1, 7, 3]);
    assert.equal(space.stage2?.root, parent.tables.root);
    const directory = { ...nested, words: [(1n << 60n) | 7n, 0n] };
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: directory }));
    assert.equal(spaceOf(bench.answer(DEVICE)).stage, 2);
    assert.equal(bench.answer(DEVICE, 1).kind, 'fault');
  });

  it('attaches processes through directories of each width, beside a device that passes, is blocked or has a stage 1', () => {
    for (const processBits of [[8], [8, 17], [8, 17, 20]]) {
      const { bench, driver, first } = start({ processBits });
      const process = bench.domain(sv39, 3, { id: 9, stage: 1 });
      const last = 2 ** Math.max(...processBits) - 1;
      bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
      bench.mustRun(driver.attach(DEVICE, pasidOrNull(last), { kind: 'paging', domain: process }));
      assert.equal(spaceOf(bench.answer(DEVICE, last)).root, process.tables.root);
      assert.equal(spaceOf(bench.answer(DEVICE)).root, first.tables.root);
      bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
      assert.equal(bench.answer(DEVICE).kind, 'pass-through');
      bench.mustRun(driver.attach(DEVICE, null, { kind: 'blocked' }));
      assert.equal(bench.answer(DEVICE).kind, 'fault');
      assert.equal(spaceOf(bench.answer(DEVICE, last)).domainId, 9);
      bench.mustRun(driver.attach(DEVICE, pasidOrNull(last), { kind: 'blocked' }));
      assert.equal(bench.answer(DEVICE, last).kind, 'fault');
    }
  });

  it('leaves nothing of an old first stage to requests without process_id, when processes come later', () => {
    const { bench, driver, first } = start();
    const process = bench.domain(sv39, 3, { id: 9, stage: 1 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(7), { kind: 'paging', domain: process }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(7), { kind: 'blocked' }));
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'blocked' }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(7), { kind: 'paging', domain: process }));
    assert.equal(bench.answer(DEVICE).kind, 'fault');
    assert.equal(spaceOf(bench.answer(DEVICE, 7)).root, process.tables.root);
  });

  it('refuses what capabilities has not, and processes over a second stage', () => {
    const { bench, driver, first, parent, nested } = start({
      guestLevels: [3],
      ats: false,
      guestAddressesInAts: false,
    });
    const attach = (
      attachment: Parameters<typeof driver.attach>[2],
      pasid: number | null = null,
      ats = false,
    ) => refusedWith(bench.run(driver.attach(DEVICE, pasidOrNull(pasid), attachment, { ats })));
    assert.equal(attach({ kind: 'paging', domain: parent }), 'EINVAL');
    assert.equal(attach({ kind: 'nested', domain: nested }), 'EINVAL');
    assert.equal(attach({ kind: 'paging', domain: first }, 2 ** 20), 'EINVAL');
    assert.equal(attach({ kind: 'paging', domain: first }, null, true), 'EOPNOTSUPP');
    const deep = start();
    deep.bench.mustRun(deep.driver.attach(DEVICE, null, { kind: 'paging', domain: deep.parent }));
    const process = deep.bench.run(
      deep.driver.attach(DEVICE, pasidOrNull(3), { kind: 'paging', domain: deep.first }),
    );
    assert.equal(refusedWith(process), 'EINVAL');
  });
});

describe('RISC-V driver: flushes and commands of guests', () => {
  it('removes leaves by address, all of an id where table pointers changed or it takes too many', () => {
    const { bench, driver, first, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    bench.mustRun(driver.attach(WIDE, null, { kind: 'paging', domain: parent }));
    const flushed = (domain: typeof first, range: typeof PAGE) => {
      bench.done = [];
      bench.mustRun(driver.flusherOf(domain).flush(range));
      return bench.done.flatMap((command) => (command.kind === 'invalidate' ? command.operations : []));
    };
    assert.deepEqual(flushed(first, { ...PAGE, endPage: 0x202 }), [
      {
        translations: {
          vm: -1,
          stage1: true,
          space: 4,
          keepsGlobal: true,
          pages: { startPage: 0x200, endPage: 0x201 },
        },
      },
      {
        translations: {
          vm: -1,
          stage1: true,
          space: 4,
          keepsGlobal: true,
          pages: { startPage: 0x201, endPage: 0x202 },
        },
      },
    ]);
    assert.equal(flushed(first, { ...PAGE, tables: true })[0]?.translations?.pages, undefined);
    assert.deepEqual(flushed(parent, PAGE)[0]?.translations, {
      vm: 5,
      guestPages: { startPage: 0x200, endPage: 0x201 },
    });
    assert.equal(flushed(parent, { ...PAGE, endPage: 0x1200 }).length, 2);
  });

  it('uses ranges and non-leaf invalidation where capabilities has them', () => {
    const { bench, driver, first } = start({ nonLeafInvalidation: true, rangeInvalidation: true });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: first }));
    bench.done = [];
    bench.mustRun(driver.flusherOf(first).flush({ ...PAGE, endPage: 0x240, tables: true }));
    const [command] = bench.done;
    assert.ok(command?.kind === 'invalidate');
    assert.deepEqual(command.operations[0]?.translations?.pages, { startPage: 0x200, endPage: 0x240 });
    assert.deepEqual(command.operations[0].tables?.pages, { startPage: 0x200, endPage: 0x240 });
  });

  it('names the device behind a segment, and its process', () => {
    const { bench, driver, first } = start();
    bench.mustRun(driver.attach(WIDE, pasidOrNull(70), { kind: 'paging', domain: first }, { ats: true }));
    bench.done = [];
    bench.mustRun(driver.flusherOf(first).flushAll());
    const device = bench.done.find(({ kind }) => kind === 'device-tlb');
    assert.ok(device?.kind === 'device-tlb');
    assert.equal(device.operation.requester, WIDE);
    assert.equal(device.operation.pasid, 70);
  });

  it('gives first-stage invalidations of a guest its GSCID, and refuses those of the second stage', () => {
    const { bench, driver, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    bench.done = [];
    const vma = [1n | (1n << 10n) | (9n << 44n), 0x5000n >> 2n];
    const gvma = [1n | (1n << 7n), 0n];
    const { handled, outcome } = bench.run(driver.invalidateNested(nested, [vma, [2n, 0n], gvma]));
    assert.equal(handled, 2);
    assert.equal(refusedWith(outcome), 'EIO');
    assert.deepEqual(namesOf(bench.done), ['IOTINVAL.VMA']);
    const [command] = bench.done;
    assert.ok(command?.kind === 'invalidate');
    assert.equal(command.operations[0]?.translations?.vm, 5);
  });
});
