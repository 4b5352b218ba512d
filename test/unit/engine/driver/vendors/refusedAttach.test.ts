/** Attachments that cannot be finished as hardware does not answer: what was attached before stays so, for all who ask. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Attachment } from '../../../../../src/engine/driver/iommuDriver';
import { runDriver } from '../../../../../src/engine/machine/runDriver';
import { requesterId } from '../../../../../src/engine/values';
import { Live, LIVE_VENDORS } from './live';

const DEVICE = requesterId(0x10);
const PAGE = 0x201;
const FRAME = 0x9000;
/** As often a driver looks at a queue before it gives up. */
const PATIENCE = 1000;

for (const vendor of LIVE_VENDORS)
  for (const stage of [1, 2] as const)
    for (const ats of [false, true]) {
      const setUp = () => {
        const live = new Live(vendor);
        const [old, next] = [live.domain(stage), live.domain(stage)];
        live.map(old, PAGE, FRAME, 2);
        live.map(next, PAGE, FRAME + 0x100, 2);
        live.attach(DEVICE, { kind: 'paging', domain: old }, { ats });
        assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME);
        /** Attaches while hardware does nothing for so many looks. */
        const attach = (attachment: Attachment, looks: number): string => {
          let left = looks;
          const runCommand = () => (left-- > 0 ? undefined : live.iommu.runCommand());
          const outcome = runDriver(live.driver.attach(DEVICE, null, attachment, { ats }), [{ runCommand }]);
          return outcome.ok ? 'ok' : outcome.errno;
        };
        const isAttached = () => {
          const now = live.driver.attached(DEVICE, null);
          assert.ok(now.kind === 'paging' && now.domain === old);
          assert.equal(live.reach(DEVICE, PAGE, 'write'), FRAME);
          assert.equal(live.reach(DEVICE, PAGE + 1), FRAME + 1);
        };
        return { live, old, next, to: { kind: 'paging', domain: next } as const, attach, isAttached };
      };

      describe(`An attachment that ${vendor.kind} refuses, stage ${stage}${ats ? ', ATS' : ''}`, () => {
        it('leaves the device where it was', () => {
          const { live, old, to, attach, isAttached } = setUp();
          assert.equal(attach(to, PATIENCE), 'ETIMEDOUT');
          isAttached();
          assert.equal(live.driver.mayReach(DEVICE, null, to), false);
          live.mustRun(old.tables.unmap(PAGE, 1));
          assert.equal(live.reach(DEVICE, PAGE), undefined);
          live.attach(DEVICE, to, { ats });
          assert.equal(live.reach(DEVICE, PAGE), FRAME + 0x100);
        });

        it('counts for both as long as caches may hold what was refused', () => {
          const { live, next, to, attach, isAttached } = setUp();
          assert.equal(attach(to, Infinity), 'ETIMEDOUT');
          isAttached();
          // An entry that is made not present first never said what was refused.
          const isHeldBack = vendor.kind === 'vt-d' || (vendor.kind === 'riscv' && stage === 1);
          assert.equal(live.driver.mayReach(DEVICE, null, to), !isHeldBack);
          if (isHeldBack) return;
          const names: string[] = [];
          const flush = live.driver.flusherOf(next).flushAll();
          runDriver(
            (function* () {
              for (let step = flush.next(); step.done !== true; step = flush.next()) {
                names.push(step.value.kind);
                yield step.value;
              }
            })(),
            [live.iommu],
          );
          assert.ok(names.includes('submit'), 'its unmaps are flushed for here, too');
          live.attach(DEVICE, to, { ats });
          assert.equal(live.reach(DEVICE, PAGE), FRAME + 0x100);
          assert.equal(live.driver.mayReach(DEVICE, null, to), false);
          live.attach(DEVICE, { kind: 'blocked' }, { ats });
          assert.equal(live.reach(DEVICE, PAGE), undefined);
        });

        it('is a detach: the device stays attached', () => {
          const { live, old, attach, isAttached } = setUp();
          assert.equal(attach({ kind: 'blocked' }, PATIENCE), 'ETIMEDOUT');
          isAttached();
          live.mustRun(old.tables.unmap(PAGE, 2));
          assert.equal(live.reach(DEVICE, PAGE), undefined);
        });
      });
    }
