import { type AmdCapabilities } from '../../capabilities/amd';
import { done, refused, type Outcome } from '../../errno';
import { type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type Use } from '../common/uses';
import { guestDteProblem } from './entries';

const unsupported = (what: string) => refused('EOPNOTSUPP', what);
const invalid = (what: string) => refused('EINVAL', what);

/** Domain ids from here on are those of devices with guest tables of the kernel's, and of those that pass. */
export const FIRST_DEVICE_DOMAIN = 0x8000;

/** What an IOMMU cannot do for a use. `pasids`: places in GCR3 tables. */
export function checkUse(
  use: Use,
  others: readonly Use[],
  of: AmdCapabilities,
  pasids: number,
): Outcome<null> {
  if (use.requester >= 2 ** of.deviceBits) return invalid('the DeviceID is beyond the device table');
  if (use.ats && !of.ats) return unsupported('the IOMMU takes no devices with TLBs (IotlbSup is 0)');
  const { attachment, pasid } = use;
  if (pasid !== null) {
    const wrong = checkPasid(use, others, of, pasids);
    if (!wrong.ok) return wrong;
  } else if (others.some((other) => other.attachment.kind !== 'blocked')) {
    const takesPasids =
      attachment.kind === 'pass-through' ||
      attachment.kind === 'blocked' ||
      (attachment.kind === 'paging' && attachment.domain.stage === 1);
    if (!takesPasids) return invalid('a device with host tables has no PASIDs of its own: detach them first');
  }
  if (attachment.kind === 'paging') return checkPaging(attachment.domain, of);
  return attachment.kind === 'nested' ? checkNested(attachment.domain, of) : done(null);
}

function checkPasid(
  { pasid, attachment }: Use,
  others: readonly Use[],
  of: AmdCapabilities,
  pasids: number,
): Outcome<null> {
  if (of.guestLevels === 0) return unsupported('PASIDs need guest translation (ExtFeat.GTSup)');
  if (pasid === 0) return invalid('PASID 0 is that of requests without a PASID');
  if ((pasid ?? 0) >= Math.min(pasids, 2 ** of.pasidBits))
    return invalid('the PASID is beyond GCR3 table or PASmax');
  if (attachment.kind === 'blocked') return done(null);
  if (attachment.kind !== 'paging' || attachment.domain.stage !== 1) {
    return invalid('a PASID is attached to guest tables, which stage 1 domains have');
  }
  const device = others.find((other) => other.pasid === null)?.attachment;
  const hasHost = device?.kind === 'nested' || (device?.kind === 'paging' && device.domain.stage === 2);
  if (hasHost) return invalid('the device has host tables, and guest tables would be nested in them');
  return device === undefined && !of.guestIo
    ? unsupported('ExtFeat.GIoSup is 0: attach the device first')
    : done(null);
}

function checkPaging(domain: KernelDomain, of: AmdCapabilities): Outcome<null> {
  const { format, rootDepth } = domain.tables.format;
  if (domain.stage === 1) {
    if (of.guestLevels === 0 || !of.guestIo) return unsupported('guest tables need ExtFeat.GTSup and GIoSup');
    if (format.id !== 'amd-v2') return invalid(`tables of format ${format.id} are no guest tables of AMD`);
    if (rootDepth < 4 || rootDepth > of.guestLevels)
      return invalid(`ExtFeat.GATS has no ${rootDepth} levels`);
    if (domain.dirtyTracking) return invalid('guest tables are not tracked');
    return checkId(domain.id);
  }
  if (format.id !== 'amd-v1') return invalid(`tables of format ${format.id} are no host tables of AMD`);
  if (rootDepth > of.levels) return invalid(`ExtFeat.HATS has no ${rootDepth} levels`);
  if (domain.dirtyTracking && !(of.hostAccessed && of.hostDirty)) {
    return invalid('the IOMMU marks no dirty pages (ExtFeat.HASup, HDSup)');
  }
  return checkId(domain.id);
}

function checkNested(domain: NestedDomain, of: AmdCapabilities): Outcome<null> {
  if (of.guestLevels === 0 || !of.gcr3AtGuestAddress) {
    return unsupported('nesting needs guest translation, and GCR3 tables at guest addresses (GCR3TRPMode)');
  }
  const parent = checkPaging(domain.parent, of);
  if (!parent.ok) return parent;
  if (domain.parent.stage !== 2) return invalid('the parent of a nested domain has host tables');
  const problem = guestDteProblem(domain.words);
  return problem === undefined ? checkId(domain.id) : invalid(problem);
}

function checkId(id: number): Outcome<null> {
  return id < FIRST_DEVICE_DOMAIN
    ? done(null)
    : refused(
        'ENOSPC',
        `domain ids end at 0x${(FIRST_DEVICE_DOMAIN - 1).toString(16)} here: the others are of devices`,
      );
}
