import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryLookup,
} from '../../engine/directory/deviceDirectory';
import { addressGateOf, gateOf } from '../../engine/directory/gate';
import { success, type Result } from '../../engine/result';
import { type Inspection, checkPasid, checkRequester } from '../inspection';
import { type TranslateRequest } from '../protocol';
import { type Work } from '../work';
import { ownerOf } from './owner';

/** What one (requester, PASID) meets before any page table. */
export interface Route {
  readonly iommu: string;
  readonly directory: DeviceDirectory;
  readonly lookup: DirectoryLookup;
}

/** Fails when no IOMMU answers for the device, or more than one may. */
export function* routeOf(
  inspection: Inspection,
  { requester, segment, pasid }: Pick<TranslateRequest, 'requester' | 'segment' | 'pasid'>,
  iommu: string | undefined,
): Work<Result<Route>> {
  const owner = yield* ownerOf(inspection, { requester: checkRequester(requester), segment }, iommu);
  if (!owner.ok) return owner;
  const { directory, name, id } = owner.value;
  return success({ iommu: name, directory, lookup: directory.lookup(id, checkPasid(pasid)) });
}

/** What a request meets before any page table, and why when that is not the device's entry. */
export function meets(
  { directory, lookup }: Route,
  request: TranslateRequest,
): { readonly answer: DirectoryAnswer; readonly why?: string; readonly gate: boolean } {
  const gate = gateOf(directory, request.iova, checkPasid(request.pasid));
  if (gate) return { ...gate, gate: true };
  return { answer: lookup.answer, ...addressGateOf(directory, lookup.answer, request.iova), gate: false };
}
