/** Bugs about what an invalidation covers, and when it is done. */
import assert from 'node:assert/strict';
import { compare, DEVICE, FRAME, PAGE, Story } from './story';

const CLEAN = { kinds: [], lost: [] };
const STALE = { kinds: ['stale-use'] as const, lost: [] };

/** A device that has written a page of a domain of its own. */
function written(kind: 'vt-d' | 'amd-vi' | 'smmuv3' | 'riscv', faults: readonly string[], ats = false) {
  const story = new Story(kind, { faults });
  const domain = story.domain(2);
  story.map(domain, PAGE, FRAME, 2);
  story.attach(DEVICE, { kind: 'paging', domain }, { ats });
  for (const page of [PAGE, PAGE + 1]) story.reach(DEVICE, page, 'write');
  return { story, domain };
}

function verdictAfter(story: Story, pages: readonly number[]) {
  for (const page of pages) story.reach(DEVICE, page, 'write');
  story.copyAll();
  return story.verdict();
}

describe('Bugs: gathers and the ranges of flushes', () => {
  it('Linux b48ca9206138: iommupt, a range apart from what is gathered is not gathered', () => {
    const play = (faults: readonly string[]) => {
      const { story, domain } = written('vt-d', faults);
      const far = PAGE + 0x1000;
      story.map(domain, far, FRAME + 0x100);
      story.reach(DEVICE, far, 'write');
      story.unmap(domain, [
        [PAGE, 2],
        [far, 1],
      ]);
      return verdictAfter(story, [PAGE, far]);
    };
    compare('gather-drops-disjoint', play, STALE, CLEAN);
  });

  it('Linux ee6e69d03255, CVE-2026-31735: iommupt, of a leaf that goes as a whole a part is flushed', () => {
    for (const kind of ['vt-d', 'amd-vi'] as const) {
      const play = (faults: readonly string[]) => {
        const story = new Story(kind, { faults });
        const domain = story.domain(2);
        story.map(domain, 0x400, 0xa000, 512);
        story.attach(DEVICE, { kind: 'paging', domain });
        story.reach(DEVICE, 0x5ff, 'write');
        story.unmap(domain, [[0x400, 16]]);
        return verdictAfter(story, [0x5ff]);
      };
      compare('gather-asked-only', play, STALE, CLEAN);
    }
  });

  it('Linux 90c5def10bea: empty gathers are not synced, and a driver that never fills them never flushes', () => {
    // The address is used again for other memory, and the device still writes to the old one.
    const play = (faults: readonly string[]) => {
      const { story, domain } = written('riscv', faults);
      story.unmap(domain, [[PAGE, 2]]);
      story.map(domain, PAGE, FRAME + 0x10, 2);
      return verdictAfter(story, [PAGE]);
    };
    compare('gather-never-filled', play, STALE, CLEAN);
  });

  it('Linux iommu/vt-d, 2025: cache_tag_flush_all missed the PASID of device TLB invalidations', () => {
    compare('flush-all-without-pasid', processUnmapped('everything'), STALE, CLEAN);
  });

  it('Linux 05adba9f1: iommu/vt-d, device TLB invalidations leave out what is attached by PASID', () => {
    compare('device-tlb-skips-pasids', processUnmapped('gathered'), STALE, CLEAN);
  });

  it('Linux 0cdc78ab5: iommu/vt-d, unaligned ranges are invalidated from an unaligned address on', () => {
    const play = (faults: readonly string[]) => {
      const { story, domain } = written('vt-d', faults);
      story.unmap(domain, [[PAGE, 2]]);
      return verdictAfter(story, [PAGE + 1]);
    };
    compare('unaligned-range', play, STALE, CLEAN);
  });

  it('Linux 56f3e2cd9: iommu/arm-smmu-v3, the ATC is invalidated before the TLB', () => {
    const play = (faults: readonly string[]) => {
      const { story, domain } = written('smmuv3', faults, true);
      const range = { startPage: PAGE, endPage: PAGE + 1 };
      story.ledger.unmapBegins(domain.id, range);
      const steps = domain.tables.unmap(PAGE, 1);
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind !== 'poll' || step.value.done) continue;
        while (story.iommu.runCommand() !== undefined);
        // The device goes on whenever hardware has done what was asked of it.
        story.reach(DEVICE, PAGE, 'write');
      }
      story.ledger.invalidationDone(domain.id, range);
      return verdictAfter(story, [PAGE]);
    };
    compare('atc-before-iotlb', play, STALE, CLEAN);
  });

  it('Linux 9e249c484128, which fixes d2a0cac10597: iommu/amd, numbers of completion waits are taken without the lock', () => {
    // One unmap has its number; another takes the next number, and a place in the queue before it: the first is told too early.
    const play = (faults: readonly string[]) => {
      const { story, domain } = written('amd-vi', faults);
      const first = domain.tables.unmap(PAGE, 1);
      const second = domain.tables.unmap(PAGE + 1, 1);
      for (let step = first.next(); step.done !== true && step.value.kind !== 'submit'; step = first.next());
      first.next();
      let waits = 0;
      for (let step = second.next(); step.done !== true; step = second.next()) {
        if (step.value.kind !== 'poll' || step.value.done) continue;
        for (let done = story.iommu.runCommand(); done; done = story.iommu.runCommand())
          if (done.kind === 'command' && done.name === 'COMPLETION_WAIT') waits++;
      }
      // Hardware does nothing any more until the first unmap has returned.
      for (let step = first.next(); step.done !== true; step = first.next())
        assert.ok(step.value.kind !== 'poll' || step.value.done, 'it has not been told');
      return { returned: 2, waits };
    };
    compare('wait-number-unlocked', play, { returned: 2, waits: 1 }, { returned: 2, waits: 2 });
  });

  it('Xen XSA-346: tables and pages are given back before a deferred flush', () => {
    // Whoever gets the table next writes into what the IOTLB and the walk caches still lead to.
    const play = (faults: readonly string[]) => {
      const story = new Story('amd-vi', { faults });
      const domain = story.domain(2);
      // Frames apart, so that each page has an entry of its own in one table.
      for (let page = 0; page < 512; page++) story.map(domain, 0x400 + page, 0xa000 + 3 * page);
      story.attach(DEVICE, { kind: 'paging', domain });
      story.reach(DEVICE, 0x400, 'write');
      const { iotlb, walk } = story.iommu.caches;
      let left: unknown;
      const steps = domain.tables.unmap(0x400, 512);
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind === 'poll' && !step.value.done) while (story.iommu.runCommand() !== undefined);
        if (step.value.kind === 'software' && step.value.name.startsWith('free'))
          left = { translations: iotlb.size > 0, tables: walk.size > 0 };
      }
      return left;
    };
    const [broken, fixed] = [true, false].map((left) => ({ translations: left, tables: left }));
    compare<unknown>('free-before-flush', play, broken, fixed);
  });
});

/** A page of a process goes away; its device has a TLB of its own. */
const processUnmapped = (flush: 'gathered' | 'everything') => (faults: readonly string[]) => {
  const story = new Story('vt-d', { faults });
  const domain = story.domain(1);
  story.map(domain, PAGE, FRAME);
  story.attach(DEVICE, { kind: 'paging', domain }, { pasid: 5, ats: true });
  story.reach(DEVICE, PAGE, 'write', 5);
  story.unmap(domain, [[PAGE, 1]], flush);
  story.reach(DEVICE, PAGE, 'write', 5);
  story.copyAll();
  return story.verdict();
};
