import assert from 'node:assert/strict';
import { Live, LIVE_VENDORS, type LiveVendor } from './live';

const DEVICE = 0x10;
const OTHER = 0x123;
const PAGE = 0x201;
const FRAME = 0x9000;
const GUEST_PAGE = 0x333;

const vendorOf = (kind: string): LiveVendor => {
  const found = LIVE_VENDORS.find((vendor) => vendor.kind === kind);
  assert.ok(found);
  return found;
};

for (const vendor of LIVE_VENDORS) {
  describe(`DMA through the ${vendor.kind} driver's attachments`, () => {
    for (const stage of [1, 2] as const) {
      it(`meets stage ${stage} tables, passes, and is blocked, with nothing of before left in caches`, () => {
        const live = new Live(vendor);
        assert.equal(live.reach(DEVICE, PAGE), undefined);
        const domain = live.domain(stage);
        live.map(domain, PAGE, FRAME);
        live.attach(DEVICE, { kind: 'paging', domain });
        assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME);
        assert.equal(live.reach(DEVICE, PAGE + 1), undefined);
        const other = live.domain(stage);
        live.map(other, PAGE, FRAME + 5);
        live.attach(DEVICE, { kind: 'paging', domain: other });
        assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME + 5);
        live.attach(DEVICE, { kind: 'pass-through' });
        assert.equal(live.reach(DEVICE, PAGE), PAGE);
        live.attach(DEVICE, { kind: 'paging', domain });
        assert.equal(live.reach(DEVICE, PAGE), FRAME);
        live.attach(DEVICE, { kind: 'blocked' });
        assert.equal(live.reach(DEVICE, PAGE), undefined);
      });

      it(`reaches nothing through IOTLB or device TLB that was unmapped from stage ${stage}`, () => {
        const live = new Live(vendor);
        const domain = live.domain(stage);
        live.map(domain, PAGE, FRAME, 3);
        live.attach(DEVICE, { kind: 'paging', domain }, { ats: true });
        live.attach(OTHER, { kind: 'paging', domain });
        for (const requester of [DEVICE, OTHER])
          assert.equal(live.reach(requester, PAGE + 1, 'write'), FRAME + 1);
        assert.ok(live.device(DEVICE).tlb.size > 0 && live.iommu.caches.iotlb.size > 0);
        live.mustRun(domain.tables.unmap(PAGE, 2));
        for (const requester of [DEVICE, OTHER]) assert.equal(live.reach(requester, PAGE + 1), undefined);
        assert.equal(live.reach(DEVICE, PAGE + 2), FRAME + 2);
      });
    }

    it('meets the tables of its PASID, beside those of the device', () => {
      const live = new Live(vendor);
      const own = live.domain(1);
      const process = live.domain(1);
      live.map(own, PAGE, FRAME);
      live.map(process, PAGE, FRAME + 7);
      live.attach(DEVICE, { kind: 'paging', domain: own }, { ats: true });
      live.attach(DEVICE, { kind: 'paging', domain: process }, { pasid: 5 });
      assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME);
      assert.equal(live.reach(DEVICE, PAGE, 'write', 5), FRAME + 7);
      live.mustRun(process.tables.unmap(PAGE, 1));
      assert.equal(live.reach(DEVICE, PAGE, 'write', 5), undefined);
      assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME);
      live.attach(DEVICE, { kind: 'blocked' }, { pasid: 5 });
      assert.equal(live.reach(DEVICE, PAGE, 'write', 5), undefined);
    });

    it('leaves nothing in a device TLB that was switched on after a PASID was attached', () => {
      const live = new Live(vendor);
      const process = live.domain(1);
      live.map(process, PAGE, FRAME);
      live.attach(DEVICE, { kind: 'paging', domain: process }, { pasid: 5 });
      live.attach(DEVICE, { kind: 'pass-through' }, { ats: true });
      assert.equal(live.reach(DEVICE, PAGE, 'write', 5), FRAME);
      live.mustRun(process.tables.unmap(PAGE, 1));
      assert.equal(live.reach(DEVICE, PAGE, 'write', 5), undefined);
    });

    it('goes through the tables of a guest and of its parent, whose changes reach every cache', () => {
      const live = new Live(vendor);
      const parent = live.domain(2);
      live.map(parent, GUEST_PAGE, FRAME);
      const { attachment, tables } = live.nested(parent);
      live.mustRun(tables.map(PAGE, GUEST_PAGE, 1, 3));
      live.attach(DEVICE, attachment, { ats: true });
      live.attach(OTHER, attachment);
      for (const requester of [DEVICE, OTHER]) assert.equal(live.reach(requester, PAGE, 'write'), FRAME);
      live.mustRun(parent.tables.unmap(GUEST_PAGE, 1));
      for (const requester of [DEVICE, OTHER]) assert.equal(live.reach(requester, PAGE), undefined);
    });

    it('marks each written page dirty again after its mark was taken, of all attachments', () => {
      const live = new Live(vendor);
      const parent = live.domain(2);
      live.map(parent, GUEST_PAGE, FRAME, 4);
      const { attachment, tables } = live.nested(parent);
      live.mustRun(tables.map(PAGE, GUEST_PAGE, 4, 3));
      live.attach(DEVICE, attachment, { ats: true });
      live.attach(OTHER, { kind: 'paging', domain: parent });
      live.harvest(parent, GUEST_PAGE, 4);
      live.mustRun(live.driver.setDirtyTracking(parent, true));
      for (let epoch = 0; epoch < 3; epoch++) {
        assert.equal(live.reach(DEVICE, PAGE + epoch, 'write'), FRAME + epoch);
        assert.equal(live.reach(OTHER, GUEST_PAGE + 3, 'write'), FRAME + 3);
        assert.deepEqual(live.harvest(parent, GUEST_PAGE, 4), [GUEST_PAGE + epoch, GUEST_PAGE + 3]);
      }
      assert.deepEqual(live.harvest(parent, GUEST_PAGE, 4), []);
    });

    it('marks what a switch says, and always where there is none', () => {
      const live = new Live(vendor);
      const domain = live.domain(2);
      live.map(domain, PAGE, FRAME);
      live.attach(DEVICE, { kind: 'paging', domain });
      live.harvest(domain, PAGE, 1);
      const always = vendor.alwaysMarks[2] ? [PAGE] : [];
      live.reach(DEVICE, PAGE, 'write');
      assert.deepEqual(live.harvest(domain, PAGE, 1), always);
      live.mustRun(live.driver.setDirtyTracking(domain, true));
      live.reach(DEVICE, PAGE, 'write');
      assert.deepEqual(live.harvest(domain, PAGE, 1), [PAGE]);
      live.mustRun(live.driver.setDirtyTracking(domain, false));
      live.reach(DEVICE, PAGE, 'write');
      assert.deepEqual(live.harvest(domain, PAGE, 1), always);
    });
  });
}

describe('Caches that hold what is not present', () => {
  const NOT_SCALABLE = {
    ...{ scalable: false, secondStage: false, firstStage: false, nesting: false, dirtyTracking: false },
    ...{ firstStage1G: false, coherentScalable: false, pasidBits: 0 },
  };
  for (const [name, kind, capabilities, stages] of [
    ['VT-d, legacy mode', 'vt-d', { ...NOT_SCALABLE, cachingMode: true }, [2]],
    ['VT-d, scalable mode', 'vt-d', { cachingMode: true }, [1, 2]],
    ['AMD', 'amd-vi', { cachesNotPresent: true }, [1, 2]],
  ] as const) {
    it(`are told what is attached and mapped: ${name}`, () => {
      for (const stage of stages) {
        const live = new Live(vendorOf(kind), { capabilities, rules: { cachesNotPresent: true } });
        assert.equal(live.reach(DEVICE, PAGE), undefined);
        const domain = live.domain(stage);
        live.attach(DEVICE, { kind: 'paging', domain });
        assert.equal(live.reach(DEVICE, PAGE), undefined);
        live.map(domain, PAGE, FRAME);
        assert.equal(live.reach(DEVICE, PAGE), FRAME);
        live.attach(DEVICE, { kind: 'blocked' });
        assert.equal(live.reach(DEVICE, PAGE), undefined);
        live.attach(DEVICE, { kind: 'pass-through' });
        assert.equal(live.reach(DEVICE, PAGE), PAGE);
      }
    });
  }
});

describe('Operations of a driver', () => {
  it('are refused with EBUSY while another holds the lock and does not go on', () => {
    const live = new Live(vendorOf('vt-d'));
    const domain = live.domain(2);
    const abandoned = live.driver.attach(live.device(DEVICE).requester, null, { kind: 'paging', domain });
    abandoned.next();
    const outcome = live.run(live.driver.setDirtyTracking(domain, true));
    assert.ok(!outcome.ok);
    assert.equal(outcome.errno, 'EBUSY');
    abandoned.return({ ok: true, value: null });
    live.mustRun(live.driver.setDirtyTracking(domain, true));
  });

  it('refuse to build what there is no memory for, and leave the attachment as it was', () => {
    const live = new Live(vendorOf('riscv'));
    const domain = live.domain(1);
    while (live.frames.allocate() !== undefined);
    const outcome = live.run(
      live.driver.attach(live.device(DEVICE).requester, null, { kind: 'paging', domain }),
    );
    assert.ok(!outcome.ok);
    assert.equal(outcome.errno, 'ENOMEM');
    assert.deepEqual(live.driver.attached(live.device(DEVICE).requester, null), { kind: 'blocked' });
  });
});

describe('Faults of a driver, and what becomes of DMA', () => {
  /** A device behind a nested domain has written a page, which the parent then unmaps. */
  function staleAfterParentUnmap(kind: string, faults: readonly string[], ats: boolean): boolean {
    const live = new Live(vendorOf(kind), { faults });
    const parent = live.domain(2);
    live.map(parent, GUEST_PAGE, FRAME);
    const { attachment, tables } = live.nested(parent);
    live.mustRun(tables.map(PAGE, GUEST_PAGE, 1, 3));
    live.attach(DEVICE, attachment, { ats });
    live.attach(OTHER, { kind: 'paging', domain: parent });
    live.reach(DEVICE, PAGE, 'write');
    live.mustRun(parent.tables.unmap(GUEST_PAGE, 1));
    return live.reach(DEVICE, PAGE, 'write') !== undefined;
  }

  for (const kind of ['vt-d', 'amd-vi', 'smmuv3']) {
    it(`parent-flush-own-did-only: a nested device goes on writing to a page that is gone (${kind})`, () => {
      assert.equal(staleAfterParentUnmap(kind, ['parent-flush-own-did-only'], false), true);
      assert.equal(staleAfterParentUnmap(kind, [], false), false);
    });
  }

  for (const { kind } of LIVE_VENDORS) {
    it(`no-device-tlb-behind-nested: its own TLB still leads to the page (${kind})`, () => {
      assert.equal(staleAfterParentUnmap(kind, ['no-device-tlb-behind-nested'], true), true);
      assert.equal(staleAfterParentUnmap(kind, [], true), false);
    });
  }

  /** Whether a page that a nested device wrote is reported. */
  function reported(kind: string, faults: readonly string[], late: boolean, process?: number): boolean {
    const live = new Live(vendorOf(kind), { faults });
    const parent = live.domain(2);
    live.map(parent, GUEST_PAGE, FRAME);
    const { attachment, tables } = live.nested(parent);
    live.mustRun(tables.map(PAGE, GUEST_PAGE, 1, 3));
    const attach = () => {
      live.attach(DEVICE, attachment, process === undefined ? {} : { pasid: process });
    };
    if (!late) attach();
    live.harvest(parent, GUEST_PAGE, 1);
    live.mustRun(live.driver.setDirtyTracking(parent, true));
    if (late) attach();
    assert.equal(live.reach(DEVICE, PAGE, 'write', process ?? null), FRAME);
    return live.harvest(parent, GUEST_PAGE, 1).length === 1;
  }

  for (const kind of ['vt-d', 'amd-vi']) {
    it(`no-ssade-for-nested, attach-after-enable: writes of nested devices are lost (${kind})`, () => {
      assert.equal(reported(kind, ['no-ssade-for-nested'], false), false);
      assert.equal(reported(kind, ['attach-after-enable'], true), false);
      assert.equal(reported(kind, [], false), true);
      assert.equal(reported(kind, [], true), true);
    });
  }

  it('no-ssade-for-pasids: writes of PASIDs of a nested domain are lost', () => {
    assert.equal(reported('vt-d', ['no-ssade-for-pasids'], false, 3), false);
    assert.equal(reported('vt-d', ['no-ssade-for-pasids'], true, 3), false);
    assert.equal(reported('vt-d', [], false, 3), true);
    assert.equal(reported('vt-d', [], true, 3), true);
  });

  it('context-change-new-did: what a device had cached of its old domain stays good for it', () => {
    const stale = (faults: readonly string[]): number | undefined => {
      const live = new Live(vendorOf('vt-d'), { faults });
      const old = live.domain(2);
      const next = live.domain(2);
      live.map(old, PAGE, FRAME);
      live.map(next, PAGE, FRAME + 9);
      live.attach(DEVICE, { kind: 'paging', domain: old }, { ats: true });
      live.reach(DEVICE, PAGE, 'write');
      live.attach(DEVICE, { kind: 'paging', domain: next });
      return live.reach(DEVICE, PAGE, 'write');
    };
    assert.equal(stale(['context-change-new-did']), FRAME);
    assert.equal(stale([]), FRAME + 9);
  });

  it('atc-before-iotlb: a device fills its TLB from the IOTLB between the two invalidations', () => {
    for (const { kind } of LIVE_VENDORS) {
      const stale = (faults: readonly string[]): boolean => {
        const live = new Live(vendorOf(kind), { faults });
        const domain = live.domain(2);
        live.map(domain, PAGE, FRAME);
        live.attach(DEVICE, { kind: 'paging', domain }, { ats: true });
        live.reach(DEVICE, PAGE, 'write');
        const steps = domain.tables.unmap(PAGE, 1);
        let step = steps.next();
        for (; step.done !== true; step = steps.next()) {
          if (step.value.kind !== 'poll' || step.value.done) continue;
          while (live.iommu.runCommand() !== undefined);
          // The device goes on whenever hardware has done what was asked of it.
          live.reach(DEVICE, PAGE, 'write');
        }
        return live.reach(DEVICE, PAGE, 'write') !== undefined;
      };
      assert.equal(stale(['atc-before-iotlb']), true, kind);
      assert.equal(stale([]), false, kind);
    }
  });

  it('torn-pasid-entry: a request meets the old tables under the new domain id', () => {
    const mixed = (faults: readonly string[]): boolean => {
      const live = new Live(vendorOf('vt-d'), { faults });
      const old = live.domain(2);
      const next = live.domain(2);
      live.map(old, PAGE, FRAME);
      live.map(next, PAGE, FRAME + 9);
      live.attach(DEVICE, { kind: 'paging', domain: old });
      const steps = live.driver.attach(live.device(DEVICE).requester, null, { kind: 'paging', domain: next });
      let seen = false;
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind === 'poll' && !step.value.done) while (live.iommu.runCommand() !== undefined);
        live.iommu.caches.processes.clear();
        live.reach(DEVICE, PAGE);
        for (const { tag, outputPage } of live.iommu.caches.iotlb.entries())
          seen ||= tag.vm === next.id && outputPage === FRAME;
      }
      return seen;
    };
    assert.equal(mixed(['torn-pasid-entry']), true);
    assert.equal(mixed([]), false);
  });

  it('flush-all-without-pasid, device-tlb-skips-pasids: what a device holds of a PASID stays', () => {
    const stale = (faults: readonly string[]): boolean => {
      const live = new Live(vendorOf('vt-d'), { faults });
      const domain = live.domain(1);
      live.map(domain, PAGE, FRAME);
      live.attach(DEVICE, { kind: 'paging', domain }, { pasid: 5, ats: true });
      live.reach(DEVICE, PAGE, 'write', 5);
      live.mustRun(domain.tables.flusher.flushAll());
      return live.device(DEVICE).tlb.size > 0;
    };
    assert.equal(stale(['flush-all-without-pasid']), true);
    assert.equal(stale(['device-tlb-skips-pasids']), true);
    assert.equal(stale([]), false);
  });

  it('unaligned-range: the end of an unaligned range stays cached', () => {
    const stale = (faults: readonly string[]): boolean => {
      const live = new Live(vendorOf('vt-d'), { faults });
      const domain = live.domain(2);
      live.map(domain, PAGE, FRAME, 2);
      live.attach(DEVICE, { kind: 'paging', domain });
      live.reach(DEVICE, PAGE + 1, 'write');
      live.mustRun(domain.tables.unmap(PAGE, 2));
      return live.reach(DEVICE, PAGE + 1, 'write') !== undefined;
    };
    assert.equal(stale(['unaligned-range']), true);
    assert.equal(stale([]), false);
  });

  it('tracking-without-lock: a device attached meanwhile does not mark D', () => {
    const marks = (faults: readonly string[]): boolean => {
      const live = new Live(vendorOf('amd-vi'), { faults });
      const domain = live.domain(2);
      live.map(domain, PAGE, FRAME);
      live.attach(OTHER, { kind: 'paging', domain });
      const tracking = live.driver.setDirtyTracking(domain, true);
      const attaching = live.driver.attach(live.device(DEVICE).requester, null, { kind: 'paging', domain });
      // The devices to be switched are known; then the other operation has its turn until it ends or waits for the first.
      tracking.next();
      let waits = 0;
      let attached = attaching.next();
      for (; attached.done !== true && waits < 5; attached = attaching.next()) {
        while (live.iommu.runCommand() !== undefined);
        waits = attached.value.name === 'the domain lock is free' ? waits + 1 : 0;
      }
      live.mustRun(tracking);
      if (attached.done !== true) live.mustRun(attaching);
      live.reach(DEVICE, PAGE, 'write');
      return live.harvest(domain, PAGE, 1).length === 1;
    };
    assert.equal(marks(['tracking-without-lock']), false);
    assert.equal(marks([]), true);
  });
});
