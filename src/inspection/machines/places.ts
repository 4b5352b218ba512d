import { levelOf } from '../../engine/formats/compile';
import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { type TableStep } from '../../engine/pageTable/tableWalk';
import { walkTables } from '../../engine/pageTable/walk';
import { frameHalves } from '../../engine/values';
import { bytesOf } from '../answers/addresses';
import { type Inspection } from '../inspection';
import { type EntryRef } from '../protocol';
import { domainKey } from '../spaces';
import { type Work } from '../work';

/**
 * The entry at a physical address among those that walks of an input page read, in the tables of any domain: what tells where
 * Domains shows it. Undefined when no such walk comes by.
 */
export function* entryOnTheWay(
  inspection: Inspection,
  address: number,
  page: number,
): Work<EntryRef | undefined> {
  for (const { summary } of inspection.iommus) {
    const { spaces } = yield* inspection.devices(summary.name);
    for (const { space } of spaces) {
      const found = refIn(summary.name, space, address, page);
      if (found) return found;
    }
  }
  return undefined;
}

function refIn(iommu: string, space: AddressSpace, address: number, page: number): EntryRef | undefined {
  const { lo, hi } = frameHalves(page);
  const { steps } = walkTables(space, lo, hi, false);
  const step = steps.find((each) => physicalOf(each) === address);
  if (!step) return undefined;
  const { rule, pagesPerEntry } = levelOf(space.format, step.depth);
  return {
    iommu,
    address: BigInt(address),
    role: 'table',
    domain: domainKey(iommu, space),
    level: rule.level,
    iova: bytesOf(page - (page % pagesPerEntry)),
  };
}

/** Where an entry is in physical memory: its own address may be guest physical. */
function physicalOf({ address, under }: TableStep): number {
  if (!under) return address;
  return under.outcome.ok ? under.outcome.paddrHi * 2 ** 32 + under.outcome.paddrLo : -1;
}
