import { type CheckedSpec } from '../machine/checkSpec';
import { vendorOf } from '../iommu/vendors/index';
import { type Result } from '../result';
import { sampleMisses, type MissSample } from '../traffic/misses';
import { type MigrationJob } from './job';
import { type LeafMap } from './leafMap';
import { type Slices } from './source';

/** How often the devices' requests miss the IOTLB of this machine with pages of these sizes; undefined: none of them has a rate. */
export function* missesWith(
  { spec, rules }: CheckedSpec,
  { sources, seed }: MigrationJob,
  leaves: LeafMap,
): Slices<Result<MissSample> | undefined> {
  const running = sources.filter(({ traffic }) => (traffic.rate ?? 0) > 0);
  if (running.length === 0) return undefined;
  const cachedShifts = rules.cachedShifts ?? vendorOf(spec.vendor).cachedShifts;
  return yield* sampleMisses({
    sources: running,
    seed,
    iotlb: rules.iotlb,
    ...(cachedShifts ? { cachedShifts } : {}),
    leafShift: (page) => leaves.shiftOf(page),
  });
}
