import { FRAME_BYTES } from '../../engine/values';
import { bytesOf } from '../answers/addresses';
import { type Inspection } from '../inspection';
import { type DomainKey, type MachineDomain, type MachineState } from '../protocol';
import { domainKey } from '../spaces';
import { type Work } from '../work';

/** A machine as it stands. */
export function* machineState(inspection: Inspection): Work<MachineState> {
  const { current: machine, operations } = inspection.emulated;
  const domains: MachineDomain[] = [];
  for (const domain of machine.domains) {
    domains.push({
      id: domain.id,
      keys: yield* keysOf(inspection, domain.roots),
      tracking: domain.tracking,
      mappedBytes: bytesOf(domain.mappedPages),
      format: domain.title,
      pageSizes: domain.pageShifts.map((shift) => 2n ** BigInt(shift)),
    });
  }
  const { findings, written, reported } = machine.ledgerTotals;
  const lost = machine.lostPages()?.length ?? 0;
  return {
    spec: machine.spec,
    operations: operations.length,
    domains,
    devices: machine.devices.map(({ unit, requester, pasid, to, ats }) => ({
      ...{ iommu: unit.name, requester, pasid, ats },
      to: typeof to === 'number' && machine.guests.get(to) ? 'nested' : to,
    })),
    iommus: machine.units.map(({ name, iommu }) => ({ name, counters: { ...iommu.counters } })),
    findings: { ...findings, 'lost-dirty': (findings['lost-dirty'] ?? 0) + lost },
    bytes: {
      written: bytesOf(written),
      reported: bytesOf(reported),
      tables: BigInt(machine.memory.counts.frames * FRAME_BYTES),
    },
  };
}

/** The address spaces in the tree that have one of these root tables. */
function* keysOf(inspection: Inspection, roots: ReadonlySet<number>): Work<DomainKey[]> {
  const keys: DomainKey[] = [];
  for (const { summary } of inspection.iommus) {
    const { spaces } = yield* inspection.devices(summary.name);
    for (const { space } of spaces)
      if (!space.stage2 && roots.has(space.root)) keys.push(domainKey(summary.name, space));
  }
  return keys;
}
