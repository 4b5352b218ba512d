import { type DeviceDirectory, type DirectoryAnswer } from '../directory/deviceDirectory';
import { openDirectory } from '../directory/index';
import { type FreshTranslation, rewalkIn, stalenessOf, type Staleness } from '../iommu/caches/staleness';
import { type CachedTranslation } from '../iommu/caches/translationCache';
import { vendorOf } from '../iommu/vendors/index';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { frameHalves, hex, pasid } from '../values';
import { type MachineFunction, type MachineUnit } from './unit';

/** A cached translation with where it is and what memory says of it now. */
export interface CachedRow {
  readonly unit: string;
  /** Set for the TLB of a device. */
  readonly requester?: number;
  /** In the vendor's words. */
  readonly tag: string;
  readonly entry: CachedTranslation;
  readonly stale: Staleness | undefined;
}

type Rewalk = (entry: CachedTranslation) => FreshTranslation;

/** What memory says where there is nothing that leads to tables any more. */
const GONE: Rewalk = () => ({ ok: false, fault: 'context-entry-not-present' });

/** Everything that IOTLBs and device TLBs hold, with what memory says of it by now. Changes nothing. */
export function* cachedRows(
  units: readonly MachineUnit[],
  memory: PhysicalMemory,
  functions: Iterable<MachineFunction>,
): Generator<CachedRow> {
  const directories = new Map<MachineUnit, DeviceDirectory | undefined>();
  for (const unit of units) {
    const opened = openDirectory(unit.iommu.kind, memory, unit.iommu.registers);
    const directory = opened.ok ? opened.value : undefined;
    directories.set(unit, directory);
    const rewalks = directory ? byTag(unit, directory) : new Map<string, Rewalk>();
    for (const entry of unit.iommu.caches.iotlb.entries()) {
      const rewalk = rewalks.get(keyOf(entry.tag)) ?? GONE;
      const stale = stalenessOf(entry, rewalk);
      yield { unit: unit.name, tag: tagText(directory, entry), entry, stale };
    }
  }
  for (const { unit, requester, device } of functions) {
    const directory = directories.get(unit);
    for (const entry of device.tlb.entries()) {
      const { space } = entry.tag;
      const answer = directory?.lookup(requester, space < 0 ? null : pasid(space)).answer;
      const stale = stalenessOf(entry, answer ? rewalkOf(answer) : GONE, true);
      const tag = space < 0 || !directory ? '' : `${directory.words.pasid} ${hex(space)}`;
      yield { unit: unit.name, requester, tag, entry, stale };
    }
  }
}

const keyOf = ({ vm, space }: CachedTranslation['tag']): string => `${vm} ${space}`;

/** How to walk again what is cached under a tag: as the first device does whose translations have it. */
function byTag({ iommu }: MachineUnit, directory: DeviceDirectory): Map<string, Rewalk> {
  const rewalks = new Map<string, Rewalk>();
  const vendor = vendorOf(iommu.kind);
  for (const device of directory.devices()) {
    if (device?.lookup.answer.kind !== 'table') continue;
    const { answer, entries } = device.lookup;
    const context = entries.find(({ role }) => role === 'context');
    const key = keyOf(vendor.tagOf(answer.space, device.requester, device.pasid, context?.words));
    if (!rewalks.has(key)) rewalks.set(key, rewalkOf(answer));
  }
  return rewalks;
}

/** With tables for upper addresses each half has its own. */
function rewalkOf(answer: DirectoryAnswer): Rewalk {
  if (answer.kind === 'fault') return () => ({ ok: false, fault: answer.fault });
  if (answer.kind === 'pass-through') {
    const { permission } = answer;
    return ({ page }) => ({
      ok: true,
      outputPage: page,
      permission,
      stage1Shift: 0,
      stage2Shift: 0,
      clean: false,
    });
  }
  const lower = rewalkIn(answer.space, answer.permission);
  const upper = answer.upper ? rewalkIn(answer.upper, answer.permission) : lower;
  return (entry) => (((frameHalves(entry.page).hi >>> 23) & 1) === 1 ? upper(entry) : lower(entry));
}

/** `DID 1`, `VMID 0 ASID 3`; by the vendor's words. */
function tagText(directory: DeviceDirectory | undefined, { tag, stage1Shift }: CachedTranslation): string {
  const { stage1Tag = 'tag', stage2Tag = 'tag', pasid: process = 'PASID' } = directory?.words ?? {};
  const vm = tag.vm < 0 ? '' : `${stage2Tag} ${tag.vm}`;
  // Where both stages are known by the domain's id, what tells address spaces apart is the PASID.
  const name = stage1Tag === stage2Tag ? process : stage1Tag;
  const space = tag.space < 0 || stage1Shift === 0 ? '' : `${name} ${tag.space}`;
  return [vm, space].filter((part) => part !== '').join(' ');
}
