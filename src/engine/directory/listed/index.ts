import { success, type Result } from '../../result';
import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type RequesterId } from '../../values';
import { amd } from '../amd';
import { type DeviceDirectory } from '../deviceDirectory';
import { vtd } from '../vtd';
import { DumpedDirectory } from './dumpedDirectory';
import { ListedDirectory, type ListedTables } from './listedDirectory';

export { type ListedTables } from './listedDirectory';

/** What a text dump tells of one IOMMU. Its memory knows which words the text says (`PhysicalMemory.knows`). */
export type ListedIommu =
  /** VT-d page tables of devices, without the structures above them. `off`: translation is off, as the sentence says. */
  | { readonly kind: 'tables'; readonly devices: readonly ListedTables[]; readonly off?: string }
  /** Structures from the root table on stand in memory at their addresses; PASID tables at invented ones. */
  | { readonly kind: 'vt-d'; readonly registers: ReadonlyMap<string, bigint> }
  /** Entries of these devices stand in memory, in a device table at an invented address that `base` has as DevTabBase. */
  | { readonly kind: 'amd-vi'; readonly base: bigint; readonly requesters: readonly RequesterId[] };

/** The directory of an IOMMU of which a dump lists some entries. */
export function openListed(memory: PhysicalMemory, listed: ListedIommu): Result<DeviceDirectory> {
  if (listed.kind === 'tables') return success(new ListedDirectory(memory, listed.devices, listed.off));
  if (listed.kind === 'amd-vi') {
    const opened = amd.open(memory, new Map([['DevTabBase', listed.base]]));
    if (!opened.ok) return opened;
    const { requesters } = listed;
    return success(
      new DumpedDirectory(opened.value, memory, { unplaced: 'context', requesters, registers: [] }),
    );
  }
  const opened = vtd.open(memory, listed.registers);
  return opened.ok ? success(new DumpedDirectory(opened.value, memory, { unplaced: 'process' })) : opened;
}
