/** Bugs about nested domains, attaching, and switching dirty tracking: what was left out, and that nothing is lost with it. */
import assert from 'node:assert/strict';
import { type DmaRequest } from '../../../../src/engine/iommu/request';
import { requesterId } from '../../../../src/engine/values';
import { compare, DEVICE, FRAME, GUEST_PAGE, OTHER, PAGE, Story } from './story';

const CLEAN = { kinds: [], lost: [] };
const LOST = { kinds: ['lost-dirty'] as const, lost: [FRAME] };
const STALE = { kinds: ['stale-use'] as const, lost: [] };

describe('Bugs: nested domains, attach, enable', () => {
  it('Linux 821985301124: Add missing iotlb flush for parent domain', () => {
    // A page of the parent goes away, and the guest's device still writes to it.
    const unmapped = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const { parent, attachment } = story.guest();
      story.attach(DEVICE, attachment);
      story.reach(DEVICE, PAGE, 'write');
      story.unmap(parent, [[GUEST_PAGE, 1]]);
      story.reach(DEVICE, PAGE, 'write');
      story.copyAll();
      return story.verdict();
    };
    compare('parent-flush-own-did-only', unmapped, STALE, CLEAN);
    // D is taken, the cached translation of the nested domain says that it is set: the next write is not told.
    const harvested = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const { parent, attachment } = story.guest();
      story.attach(DEVICE, attachment);
      story.track(parent);
      story.reach(DEVICE, PAGE, 'write');
      story.round(parent, GUEST_PAGE, 4);
      story.reach(DEVICE, PAGE, 'write');
      story.round(parent, GUEST_PAGE, 4);
      return story.verdict();
    };
    compare('parent-flush-own-did-only', harvested, LOST, CLEAN);
  });

  it('Linux 5e54e861f16f: Add missing device iotlb flush for parent domain', () => {
    const play = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const { parent, attachment } = story.guest();
      story.attach(DEVICE, attachment, { ats: true });
      story.track(parent);
      story.reach(DEVICE, PAGE, 'write');
      story.round(parent, GUEST_PAGE, 4);
      story.reach(DEVICE, PAGE, 'write');
      story.round(parent, GUEST_PAGE, 4);
      return story.verdict();
    };
    compare('no-device-tlb-behind-nested', play, LOST, CLEAN);
  });

  it('Linux f1e1610950ea: Fix missing dirty tracking of nested domains', () => {
    for (const kind of ['vt-d', 'amd-vi'] as const) {
      const play = (faults: readonly string[]) => {
        const story = new Story(kind, { faults });
        const { parent, attachment } = story.guest();
        story.attach(DEVICE, attachment);
        story.track(parent);
        story.reach(DEVICE, PAGE, 'write');
        story.round(parent, GUEST_PAGE, 4);
        return story.verdict();
      };
      compare('no-ssade-for-nested', play, LOST, CLEAN);
    }
  });

  it('Linux 1f0198fce683: dirty tracking when attaching to a nested domain', () => {
    const play = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const { parent, attachment } = story.guest();
      story.attach(OTHER, { kind: 'paging', domain: parent });
      story.track(parent);
      story.attach(DEVICE, attachment);
      story.reach(DEVICE, PAGE, 'write');
      story.reach(OTHER, GUEST_PAGE + 1, 'write');
      story.round(parent, GUEST_PAGE, 4);
      return story.verdict();
    };
    compare('attach-after-enable', play, LOST, CLEAN);
  });

  it('Linux 29e10487d6df: Update iotlb in nested domain attach', () => {
    // The guest remaps a page and says so: its device, which has a TLB, goes on writing to the old one.
    const play = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const { attachment, tables } = story.guest();
      assert.ok(attachment.kind === 'nested');
      story.attach(DEVICE, attachment, { ats: true });
      story.reach(DEVICE, PAGE, 'write');
      story.mustRun(tables.unmap(PAGE, 1));
      story.mustRun(tables.map(PAGE, GUEST_PAGE + 2, 1, 3));
      const entry = [BigInt(PAGE) << 12n, 1n, 0n];
      const { handled } = story.run(story.driver.invalidateNested(attachment.domain, [entry]));
      assert.equal(handled, 1);
      return story.reach(DEVICE, PAGE, 'write');
    };
    compare('nested-attach-forgets-ats', play, FRAME, FRAME + 2);
  });

  it('Linux cc5bd898ff70 and ae2fafc19e7b: Support dirty tracking on PASID', () => {
    for (const late of [false, true]) {
      const play = (faults: readonly string[]) => {
        const story = new Story('vt-d', { faults });
        const { parent, attachment } = story.guest();
        const attach = () => {
          story.attach(DEVICE, attachment, { pasid: 3 });
        };
        if (!late) attach();
        story.track(parent);
        if (late) attach();
        story.reach(DEVICE, PAGE, 'write', 3);
        story.round(parent, GUEST_PAGE, 4);
        return story.verdict();
      };
      compare('no-ssade-for-pasids', play, LOST, CLEAN);
    }
  });

  it('Linux, Lu Baolu, 24 September 2025: SSADS without coherent page walks', () => {
    // Hardware that does not snoop must not set D: the first write of the device is refused for good.
    const play = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults, capabilities: { coherentScalable: false } });
      const domain = story.domain(2);
      story.map(domain, PAGE, FRAME);
      story.attach(DEVICE, { kind: 'paging', domain });
      const set = story.run(story.driver.setDirtyTracking(domain, true));
      const reached = story.reach(DEVICE, PAGE, 'write');
      story.copyAll();
      return { set: set.ok ? 'on' : set.errno, reached, kinds: story.verdict().kinds };
    };
    compare<ReturnType<typeof play>>(
      'marks-without-coherence',
      play,
      { set: 'on', reached: undefined, kinds: ['spurious-fault'] },
      { set: 'EOPNOTSUPP', reached: FRAME, kinds: [] },
    );
  });

  it('CVE-2026-45894: iommu/vt-d, a PASID entry is read in parts while it is zeroed', () => {
    // In the middle of the change hardware caches the old tables under the new domain id, where no flush looks for them.
    const play = (faults: readonly string[]) => {
      const story = new Story('vt-d', { faults });
      const old = story.domain(2);
      const next = story.domain(2);
      story.map(old, PAGE, FRAME);
      story.map(next, PAGE, FRAME + 9);
      story.attach(DEVICE, { kind: 'paging', domain: old });
      const space = { iommu: 'iommu0', requester: DEVICE, pasid: null };
      story.ledger.attachBegins(space, { domain: next.id, nested: false });
      const steps = story.driver.attach(requesterId(DEVICE), null, { kind: 'paging', domain: next });
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind === 'poll' && !step.value.done) while (story.iommu.runCommand() !== undefined);
        story.iommu.caches.processes.clear();
        story.device(DEVICE).runDma(write(PAGE));
      }
      story.ledger.attachEnds(space);
      const met = story.reach(DEVICE, PAGE, 'write');
      story.copyAll();
      return { met, kinds: story.verdict().kinds };
    };
    compare<ReturnType<typeof play>>(
      'torn-pasid-entry',
      play,
      { met: FRAME, kinds: ['stale-use'] },
      { met: FRAME + 9, kinds: [] },
    );
  });

  it('Review of the AMD dirty tracking series: HAD is switched without the lock of the domain', () => {
    const play = (faults: readonly string[]) => {
      const story = new Story('amd-vi', { faults });
      const domain = story.domain(2);
      story.map(domain, PAGE, FRAME);
      story.attach(OTHER, { kind: 'paging', domain });
      const tracking = story.driver.setDirtyTracking(domain, true);
      const attaching = story.driver.attach(requesterId(DEVICE), null, { kind: 'paging', domain });
      // The devices that are to be switched are known; then another one comes, until it is there or waits.
      tracking.next();
      let waits = 0;
      let attached = attaching.next();
      for (; attached.done !== true && waits < 5; attached = attaching.next()) {
        while (story.iommu.runCommand() !== undefined);
        waits = attached.value.name === 'the domain lock is free' ? waits + 1 : 0;
      }
      story.mustRun(tracking);
      if (attached.done !== true) story.mustRun(attaching);
      story.copyAll();
      story.reach(DEVICE, PAGE, 'write');
      story.round(domain, PAGE, 1);
      return story.verdict();
    };
    compare('tracking-without-lock', play, LOST, CLEAN);
  });

  it('Linux 6e6759d71: Global devTLB flush when present context entry changed', () => {
    for (const ats of [false, true]) {
      const play = (faults: readonly string[]) => {
        const story = new Story('vt-d', { faults });
        const old = story.domain(2);
        const next = story.domain(2);
        story.map(old, PAGE, FRAME);
        story.map(next, PAGE, FRAME + 9);
        story.attach(DEVICE, { kind: 'paging', domain: old }, { ats });
        story.reach(DEVICE, PAGE, 'write');
        story.attach(DEVICE, { kind: 'paging', domain: next });
        const met = story.reach(DEVICE, PAGE, 'write');
        story.copyAll();
        return { met, kinds: story.verdict().kinds };
      };
      compare<ReturnType<typeof play>>(
        'context-change-new-did',
        play,
        { met: FRAME, kinds: ['stale-use'] },
        { met: FRAME + 9, kinds: [] },
      );
    }
  });

  it('Linux cbb032fc7432: iommu/arm-smmu-v3, missing barrier in the hitless STE update', () => {
    // From pass-through to tables without an instant in which the device is refused, or sent anywhere else.
    const play = (faults: readonly string[]) => {
      const story = new Story('smmuv3', { faults });
      const domain = story.domain(2);
      story.map(domain, PAGE, FRAME);
      story.attach(DEVICE, { kind: 'pass-through' });
      const met = new Set<number | undefined>();
      const steps = story.driver.attach(requesterId(DEVICE), null, { kind: 'paging', domain });
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind === 'poll' && !step.value.done) while (story.iommu.runCommand() !== undefined);
        story.iommu.caches.contexts.clear();
        met.add(story.reach(DEVICE, PAGE, 'write'));
      }
      return [...met];
    };
    compare('ste-words-unordered', play, [undefined, FRAME], [PAGE, FRAME]);
  });
});

const write = (page: number): DmaRequest => ({
  requester: requesterId(DEVICE),
  pasid: null,
  addressLo: page * 4096,
  addressHi: 0,
  length: 8,
  access: 'write',
  kind: 'untranslated',
});
