/** What no scenario tells about gathers and flushes: which of two unmaps is told first that its wait is done. */
import assert from 'node:assert/strict';
import { compare, DEVICE, FRAME, PAGE, Story } from './story';

describe('Bugs: gathers and the ranges of flushes', () => {
  it('Linux 9e249c484128, which fixes d2a0cac10597: iommu/amd, numbers of completion waits are taken without the lock', () => {
    // One unmap has its number; another takes the next number, and a place in the queue before it: the first is told too early.
    const play = (faults: readonly string[]) => {
      const story = new Story('amd-vi', { faults });
      const domain = story.domain(2);
      story.map(domain, PAGE, FRAME, 2);
      story.attach(DEVICE, { kind: 'paging', domain });
      for (const page of [PAGE, PAGE + 1]) story.reach(DEVICE, page, 'write');
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
});
