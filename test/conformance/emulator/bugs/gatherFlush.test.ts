/** What no scenario tells about gathers and flushes: which of two unmaps is told first that its wait is done. */
import assert from 'node:assert/strict';
import { Live, LIVE_VENDORS } from '../../../unit/engine/driver/vendors/live';

const PAGE = 0x201;
const FRAME = 0x9000;
const DEVICE = 0x10;
const FAULT = 'wait-number-unlocked';

describe('Bugs: gathers and the ranges of flushes', () => {
  it('Linux 9e249c484128, which fixes d2a0cac10597: iommu/amd, numbers of completion waits are taken without the lock', () => {
    // One unmap has its number; another takes the next number, and a place in the queue before it: the first is told too early.
    const play = (faults: readonly string[]) => {
      const amd = LIVE_VENDORS.find(({ kind }) => kind === 'amd-vi');
      assert.ok(amd);
      const live = new Live(amd, { faults });
      const domain = live.domain(2);
      live.map(domain, PAGE, FRAME, 2);
      live.attach(DEVICE, { kind: 'paging', domain });
      for (const page of [PAGE, PAGE + 1]) live.reach(DEVICE, page, 'write');
      const first = domain.tables.unmap(PAGE, 1);
      const second = domain.tables.unmap(PAGE + 1, 1);
      for (let step = first.next(); step.done !== true && step.value.kind !== 'submit'; step = first.next());
      first.next();
      // Waits that hardware has done when the first one returns.
      let waits = 0;
      for (let step = second.next(); step.done !== true; step = second.next()) {
        if (step.value.kind !== 'poll' || step.value.done) continue;
        for (let done = live.iommu.runCommand(); done; done = live.iommu.runCommand())
          if (done.kind === 'command' && done.name === 'COMPLETION_WAIT') waits++;
      }
      // Hardware does nothing any more until the first unmap has returned.
      for (let step = first.next(); step.done !== true; step = first.next())
        assert.ok(step.value.kind !== 'poll' || step.value.done, 'it has not been told');
      return waits;
    };
    assert.deepEqual({ broken: play([FAULT]), fixed: play([]) }, { broken: 1, fixed: 2 });
  });
});
