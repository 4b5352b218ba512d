import assert from 'node:assert/strict';
import { defaultCapabilities } from '../../../../../src/engine/driver/capabilities';
import { type VtdCapabilities } from '../../../../../src/engine/driver/capabilities/vtd';
import { type NestedDomain } from '../../../../../src/engine/driver/iommuDriver';
import { vtdDriver } from '../../../../../src/engine/driver/vendors/vtd';
import { vtdSecondStage } from '../../../../../src/engine/formats/vtdSecondStage';
import { vtdFirstStage } from '../../../../../src/engine/formats/x8664';
import { type Command } from '../../../../../src/engine/iommu/commands';
import { requesterId } from '../../../../../src/engine/values';
import { Bench, namesOf, pasidOrNull, refusedWith, spaceOf } from './bench';

const DEVICE = requesterId(0x10);
const OTHER = requesterId(0x1234);
const PAGE = { startPage: 0x200, endPage: 0x201, smallestShift: 12, largestShift: 12, tables: false };

function start(changes: Partial<VtdCapabilities> = {}, faults: readonly string[] = []) {
  const capabilities = { ...defaultCapabilities('vt-d'), ...changes };
  const bench = new Bench(capabilities);
  const driver = vtdDriver({ port: bench, memory: bench.memory, frames: bench.frames, capabilities, faults });
  bench.mustRun(driver.initialise());
  bench.done = [];
  const parent = bench.domain(vtdSecondStage, 4, { id: 5, stage: 2 });
  const nested: NestedDomain = { parent, id: 6, words: [0n, 0x7000n, 48n] };
  return { bench, driver, parent, nested };
}

const LEGACY: Partial<VtdCapabilities> = {
  scalable: false,
  secondStage: false,
  firstStage: false,
  nesting: false,
  dirtyTracking: false,
  firstStage1G: false,
  coherentScalable: false,
  pasidBits: 0,
};

/** Domain ids that IOTLB invalidations named. */
const didsOf = (commands: readonly Command[]): (number | undefined)[] => [
  ...new Set(
    commands.flatMap((command) =>
      command.kind === 'invalidate'
        ? command.operations.flatMap(({ translations }) => (translations ? [translations.vm] : []))
        : [],
    ),
  ),
];

describe('VT-d driver: attachments', () => {
  it('blocks every device after its initialisation', () => {
    const { bench } = start();
    assert.equal(bench.answer(DEVICE).kind, 'fault');
    const { bench: legacy } = start(LEGACY);
    assert.equal(legacy.answer(DEVICE).kind, 'fault');
  });

  it('attaches a second stage in scalable mode, as the directory reads it', () => {
    const { bench, driver, parent } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.stage, 2);
    assert.equal(space.root, parent.tables.root);
    assert.equal(space.domainId, 5);
    assert.equal(space.format.rootDepth, 4);
    assert.equal(space.format.setsDirty, false);
    assert.equal(bench.answer(OTHER).kind, 'fault');
  });

  it('attaches a second stage in legacy mode, as the directory reads it', () => {
    const { bench, driver, parent } = start(LEGACY);
    bench.mustRun(driver.attach(OTHER, null, { kind: 'paging', domain: parent }));
    const space = spaceOf(bench.answer(OTHER));
    assert.equal(space.root, parent.tables.root);
    assert.equal(space.domainId, 5);
    bench.mustRun(driver.attach(OTHER, null, { kind: 'pass-through' }));
    assert.equal(bench.answer(OTHER).kind, 'pass-through');
    bench.mustRun(driver.attach(OTHER, null, { kind: 'blocked' }));
    assert.equal(bench.answer(OTHER).kind, 'fault');
  });

  it('attaches a first stage to a PASID, and a PASID has no part in requests without one', () => {
    const { bench, driver, parent } = start();
    const first = bench.domain(vtdFirstStage, 4, { id: 9, stage: 1 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.mustRun(driver.attach(DEVICE, pasidOrNull(70_000), { kind: 'paging', domain: first }));
    const space = spaceOf(bench.answer(DEVICE, 70_000));
    assert.equal(space.stage, 1);
    assert.equal(space.root, first.tables.root);
    assert.equal(space.domainId, 9);
    assert.equal(spaceOf(bench.answer(DEVICE)).root, parent.tables.root);
    assert.equal(bench.answer(DEVICE, 70_001).kind, 'fault');
  });

  it('passes requests through, and blocks them again', () => {
    const { bench, driver } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'pass-through' }));
    assert.equal(bench.answer(DEVICE).kind, 'pass-through');
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'blocked' }));
    assert.equal(bench.answer(DEVICE).kind, 'fault');
  });

  it('nests a first stage of a guest over the second stage of its parent', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const space = spaceOf(bench.answer(DEVICE));
    assert.equal(space.stage, 1);
    assert.equal(space.root, 7);
    assert.equal(space.domainId, 6);
    assert.equal(space.stage2?.root, parent.tables.root);
  });

  it('writes the words of VT-d 4.1 §9.6 into a PASID entry', () => {
    const { bench, driver, parent, nested } = start();
    parent.dirtyTracking = true;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const stores = bench.steps.filter((step) => step.kind === 'store' && step.name.startsWith('PASID entry'));
    const last = stores.at(-1);
    assert.ok(last?.kind === 'store');
    const [control, tags, first] = bench.words(last.address, 3);
    // P, AW = 2 (4 levels), PGTT = 3 (nested), SSADE, SSPTPTR.
    assert.equal(control, BigInt(parent.tables.root) * 4096n + 0x1n + (2n << 2n) + (3n << 6n) + (1n << 9n));
    // DID 6, PWSNP.
    assert.equal(tags, 6n | (1n << 23n));
    // FSPTPTR, FSPM = 0 (4 levels).
    assert.equal(first, 0x7000n);
  });

  it('makes a present entry not present, and has it forgotten, before it changes the other words', () => {
    const { bench, driver, parent } = start();
    const second = bench.domain(vtdSecondStage, 4, { id: 8, stage: 2 });
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.steps.length = 0;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: second }));
    const shape = bench.steps.map((step) =>
      step.kind === 'store' ? `${step.name}${(step.word & 1n) === 1n ? ' P' : ''}` : step.kind,
    );
    const polled = shape.indexOf('poll');
    assert.equal(shape[0], 'PASID entry word 0');
    assert.ok(polled > 0 && polled < shape.indexOf('PASID entry word 1'));
    assert.equal(shape.at(-1), 'PASID entry word 0 P');
    assert.deepEqual(didsOf(bench.done), [5]);
  });
});

describe('VT-d driver: what is refused', () => {
  it('refuses PASIDs, nesting and dirty tracking that the unit has not', () => {
    const { bench, driver, parent, nested } = start(LEGACY);
    const paging = { kind: 'paging', domain: parent } as const;
    assert.equal(refusedWith(bench.run(driver.attach(DEVICE, pasidOrNull(1), paging))), 'EOPNOTSUPP');
    assert.equal(
      refusedWith(bench.run(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }))),
      'EOPNOTSUPP',
    );
    assert.equal(refusedWith(bench.run(driver.setDirtyTracking(parent, true))), 'EOPNOTSUPP');
    parent.dirtyTracking = true;
    assert.equal(refusedWith(bench.run(driver.attach(DEVICE, null, paging))), 'EINVAL');
  });

  it('refuses 5 levels that SAGAW has not, and a first stage of a guest that is no page', () => {
    const { bench, driver, parent } = start();
    const wide = bench.domain(vtdSecondStage, 5, { id: 7, stage: 2 });
    assert.equal(
      refusedWith(bench.run(driver.attach(DEVICE, null, { kind: 'paging', domain: wide }))),
      'EINVAL',
    );
    const odd: NestedDomain = { parent, id: 6, words: [0n, 0x7001n, 48n] };
    assert.equal(
      refusedWith(bench.run(driver.attach(DEVICE, null, { kind: 'nested', domain: odd }))),
      'EINVAL',
    );
    const flagged: NestedDomain = { parent, id: 6, words: [0x10n, 0x7000n, 48n] };
    assert.equal(
      refusedWith(bench.run(driver.attach(DEVICE, null, { kind: 'nested', domain: flagged }))),
      'EOPNOTSUPP',
    );
  });

  it('marks no dirty pages where walks are not coherent', () => {
    const { bench, driver, parent } = start({ coherentScalable: false });
    assert.equal(driver.canTrackDirty, false);
    assert.equal(refusedWith(bench.run(driver.setDirtyTracking(parent, true))), 'EOPNOTSUPP');
    const careless = start({ coherentScalable: false }, ['marks-without-coherence']);
    assert.equal(careless.driver.canTrackDirty, true);
  });

  it('gives up a wait that hardware never completes', () => {
    const { driver, parent } = start();
    const steps = driver.attach(DEVICE, null, { kind: 'paging', domain: parent });
    while (steps.next().done !== true);
    const again = driver.flusherOf(parent).flushAll();
    let last = again.next();
    while (last.done !== true) last = again.next();
    assert.equal(refusedWith(last.value), 'ETIMEDOUT');
  });
});

describe('VT-d driver: dirty tracking', () => {
  it('switches SSADE for devices of the domain, behind nested domains, and of PASIDs', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }));
    bench.mustRun(driver.attach(OTHER, null, { kind: 'nested', domain: nested }));
    bench.mustRun(driver.attach(OTHER, pasidOrNull(3), { kind: 'nested', domain: nested }));
    const marks = () => [
      spaceOf(bench.answer(DEVICE)).format.setsDirty,
      spaceOf(bench.answer(OTHER)).stage2?.format.setsDirty,
      spaceOf(bench.answer(OTHER, 3)).stage2?.format.setsDirty,
    ];
    bench.done = [];
    bench.mustRun(driver.setDirtyTracking(parent, true));
    assert.deepEqual(marks(), [true, true, true]);
    assert.equal(parent.dirtyTracking, true);
    assert.deepEqual(didsOf(bench.done), [5, 6]);
    assert.equal(namesOf(bench.done).filter((name) => name === 'pasid-cache').length, 3);
    bench.mustRun(driver.setDirtyTracking(parent, false));
    assert.deepEqual(marks(), [false, false, false]);
  });

  it('marks D for a device that is attached while the parent tracks', () => {
    const { bench, driver, parent, nested } = start();
    bench.mustRun(driver.setDirtyTracking(parent, true));
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    assert.equal(spaceOf(bench.answer(DEVICE)).stage2?.format.setsDirty, true);
  });

  it('leaves nested devices, late ones and PASIDs alone with the faults of that name', () => {
    const nestedFault = start({}, ['no-ssade-for-nested']);
    nestedFault.bench.mustRun(
      nestedFault.driver.attach(DEVICE, null, { kind: 'nested', domain: nestedFault.nested }),
    );
    nestedFault.bench.mustRun(nestedFault.driver.setDirtyTracking(nestedFault.parent, true));
    assert.equal(spaceOf(nestedFault.bench.answer(DEVICE)).stage2?.format.setsDirty, false);

    const late = start({}, ['attach-after-enable']);
    late.bench.mustRun(late.driver.setDirtyTracking(late.parent, true));
    late.bench.mustRun(late.driver.attach(DEVICE, null, { kind: 'nested', domain: late.nested }));
    assert.equal(spaceOf(late.bench.answer(DEVICE)).stage2?.format.setsDirty, false);

    const pasids = start({}, ['no-ssade-for-pasids']);
    pasids.bench.mustRun(
      pasids.driver.attach(DEVICE, pasidOrNull(3), { kind: 'nested', domain: pasids.nested }),
    );
    pasids.bench.mustRun(pasids.driver.setDirtyTracking(pasids.parent, true));
    assert.equal(spaceOf(pasids.bench.answer(DEVICE, 3)).stage2?.format.setsDirty, false);
  });
});

describe('VT-d driver: flushes', () => {
  function attached(faults: readonly string[] = []) {
    const machine = start({}, faults);
    const { bench, driver, parent, nested } = machine;
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'paging', domain: parent }, { ats: true }));
    bench.mustRun(driver.attach(OTHER, null, { kind: 'nested', domain: nested }, { ats: true }));
    bench.done = [];
    return machine;
  }
  const devicesOf = (commands: readonly Command[]) =>
    commands.flatMap((command) => (command.kind === 'device-tlb' ? [command.operation.requester] : []));

  it('names the ids of the domain and of its nested domains, and the device TLBs behind both, last', () => {
    const { bench, driver, parent } = attached();
    bench.mustRun(driver.flusherOf(parent).flush(PAGE));
    assert.deepEqual(didsOf(bench.done), [5, 6]);
    assert.deepEqual(devicesOf(bench.done), [DEVICE, OTHER]);
    assert.deepEqual(namesOf(bench.done), ['iotlb', 'iotlb', 'device-tlb', 'device-tlb']);
  });

  it('leaves out what the faults of nested parents leave out', () => {
    const own = attached(['parent-flush-own-did-only']);
    own.bench.mustRun(own.driver.flusherOf(own.parent).flush(PAGE));
    assert.deepEqual(didsOf(own.bench.done), [5]);
    const tlb = attached(['no-device-tlb-behind-nested']);
    tlb.bench.mustRun(tlb.driver.flusherOf(tlb.parent).flush(PAGE));
    assert.deepEqual(devicesOf(tlb.bench.done), [DEVICE]);
    const order = attached(['atc-before-iotlb']);
    order.bench.mustRun(order.driver.flusherOf(order.parent).flush(PAGE));
    assert.deepEqual(namesOf(order.bench.done).slice(0, 2), ['device-tlb', 'device-tlb']);
  });

  it('covers a range by one aligned block, no smaller than the largest cached leaf', () => {
    const { bench, driver, parent } = attached();
    bench.mustRun(
      driver.flusherOf(parent).flush({ ...PAGE, startPage: 0x201, endPage: 0x203, largestShift: 12 }),
    );
    const [first] = bench.done;
    assert.ok(first?.kind === 'invalidate');
    assert.deepEqual(first.operations[0]?.translations?.pages, { startPage: 0x200, endPage: 0x204 });
    bench.done = [];
    bench.mustRun(
      driver.flusherOf(parent).flush({ ...PAGE, startPage: 0x201, endPage: 0x202, largestShift: 21 }),
    );
    const [large] = bench.done;
    assert.ok(large?.kind === 'invalidate');
    assert.deepEqual(large.operations[0]?.translations?.pages, { startPage: 0x200, endPage: 0x400 });
    assert.equal(large.operations[0].translations.largestShift, 21);
  });

  it('takes the whole domain for what one descriptor cannot say', () => {
    const { bench, driver, parent } = attached();
    const range = { startPage: 0, endPage: 2 ** 30, smallestShift: 12, largestShift: 12, tables: true };
    bench.mustRun(driver.flusherOf(parent).flush(range));
    const [first] = bench.done;
    assert.ok(first?.kind === 'invalidate');
    assert.deepEqual(first.operations, [{ translations: { vm: 5 }, tables: { vm: 5 } }]);
  });

  it('removes nothing of an empty range, and nothing where no device is attached', () => {
    const { bench, driver, parent } = attached();
    bench.mustRun(driver.flusherOf(parent).flush({ ...PAGE, endPage: PAGE.startPage }));
    bench.mustRun(driver.flusherOf(bench.domain(vtdSecondStage, 4, { id: 11, stage: 2 })).flushAll());
    assert.deepEqual(bench.done, []);
  });
});

describe('VT-d driver: invalidations of guests', () => {
  it('turns ranges of the first stage into PASID-based descriptors under the id of the nested domain', () => {
    const { bench, driver, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }, { ats: true }));
    bench.done = [];
    const { handled, outcome } = bench.run(driver.invalidateNested(nested, [[0x4000n, 2n, 1n]]));
    assert.ok(outcome.ok);
    assert.equal(handled, 1);
    const [first, second] = bench.done;
    assert.ok(first?.kind === 'invalidate' && second?.kind === 'device-tlb');
    assert.deepEqual(first.operations[0]?.translations, {
      vm: 6,
      space: 0,
      stage1: true,
      pages: { startPage: 4, endPage: 6 },
      largestShift: 13,
    });
    assert.deepEqual(second.operation.pages, { startPage: 4, endPage: 6 });
  });

  it('does what stands before the first bad entry, and says how many that were', () => {
    const { bench, driver, nested } = start();
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }));
    const all = 2n ** 64n - 1n;
    const good = [0n, all, 0n];
    const cases = [
      { bad: [0x1000n, 1n, 2n], errno: 'EOPNOTSUPP' },
      { bad: [0x1001n, 1n, 0n], errno: 'EINVAL' },
      { bad: [0x1000n, all, 0n], errno: 'EINVAL' },
    ];
    for (const { bad, errno } of cases) {
      bench.done = [];
      const { handled, outcome } = bench.run(driver.invalidateNested(nested, [good, good, bad, good]));
      assert.equal(handled, 2);
      assert.equal(refusedWith(outcome), errno);
      assert.equal(namesOf(bench.done).length, 2);
    }
  });

  it('forgets the device TLB of a nested device with the fault of that name', () => {
    const { bench, driver, nested } = start({}, ['nested-attach-forgets-ats']);
    bench.mustRun(driver.attach(DEVICE, null, { kind: 'nested', domain: nested }, { ats: true }));
    bench.done = [];
    bench.run(driver.invalidateNested(nested, [[0x4000n, 2n, 1n]]));
    assert.deepEqual(namesOf(bench.done), ['pasid-iotlb']);
  });
});
