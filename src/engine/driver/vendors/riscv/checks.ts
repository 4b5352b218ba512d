import { type RiscvCapabilities } from '../../capabilities/riscv';
import { done, refused, type Outcome } from '../../errno';
import { type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type Use } from '../common/uses';
import { guestMode, isGuestDirectory, modeOf } from './entries';

const unsupported = (what: string) => refused('EOPNOTSUPP', what);
const invalid = (what: string) => refused('EINVAL', what);

/** Bits of a device_id and of a process_id that the directories take. */
export interface DirectoryBits {
  readonly deviceBits: number;
  readonly processBits: number;
}

/** What an IOMMU cannot do for a use. */
export function checkUse(
  use: Use,
  others: readonly Use[],
  of: RiscvCapabilities,
  bits: DirectoryBits,
): Outcome<null> {
  if (use.requester >= 2 ** bits.deviceBits) return invalid('the device_id is beyond the device directory');
  if (use.ats && !of.ats) return unsupported('capabilities.ATS is 0');
  const { attachment, pasid } = use;
  if (pasid !== null) {
    const wrong = checkPasid(use, others, bits);
    if (!wrong.ok) return wrong;
  } else if (hasStage2(use) && others.length > 0) {
    return invalid(
      'a device with a second stage of the kernel has no processes of its own: detach them first',
    );
  }
  if (attachment.kind === 'paging') return checkPaging(attachment.domain, of);
  return attachment.kind === 'nested' ? checkNested(attachment.domain, of) : done(null);
}

const hasStage2 = ({ attachment }: Use): boolean =>
  attachment.kind === 'nested' || (attachment.kind === 'paging' && attachment.domain.stage === 2);

function checkPasid(
  { pasid, attachment }: Use,
  others: readonly Use[],
  { processBits }: DirectoryBits,
): Outcome<null> {
  if (processBits === 0) return unsupported('capabilities has none of PD8, PD17 and PD20');
  if (pasid === 0) return invalid('process_id 0 is that of requests without one (tc.DPE)');
  if ((pasid ?? 0) >= 2 ** processBits) return invalid(`a process_id has ${processBits} bits`);
  if (attachment.kind === 'blocked') return done(null);
  if (attachment.kind !== 'paging' || attachment.domain.stage !== 1) {
    return invalid('a process is attached to first-stage tables');
  }
  return others.some((other) => other.pasid === null && hasStage2(other))
    ? invalid('the device has a second stage, and first-stage tables would be nested in it')
    : done(null);
}

function checkPaging(domain: KernelDomain, of: RiscvCapabilities): Outcome<null> {
  const { format, rootDepth } = domain.tables.format;
  if (modeOf(domain) === undefined) {
    return invalid(`tables of format ${format.id} are no stage ${domain.stage} of RISC-V`);
  }
  const levels = domain.stage === 1 ? of.levels : of.guestLevels;
  if (!levels.includes(rootDepth))
    return invalid(`capabilities has no ${rootDepth} levels in stage ${domain.stage}`);
  if (domain.stage === 2 && domain.tables.root % 4 !== 0)
    return invalid('a second-stage root is aligned to 16 KiB');
  if (domain.dirtyTracking && !of.hardwareMarks)
    return invalid('capabilities.AMO_HWAD is 0: nothing is marked');
  const bits = domain.stage === 1 ? 20 : 16;
  return domain.id < 2 ** bits
    ? done(null)
    : refused('ENOSPC', `ids of stage ${domain.stage} have ${bits} bits`);
}

function checkNested(domain: NestedDomain, of: RiscvCapabilities): Outcome<null> {
  const parent = checkPaging(domain.parent, of);
  if (!parent.ok) return parent;
  if (domain.parent.stage !== 2) return invalid('the parent of a nested domain has second-stage tables');
  const mode = guestMode(domain);
  if (mode === 0) return done(null);
  const has = isGuestDirectory(domain)
    ? of.processBits.includes([0, 8, 17, 20][mode] ?? 0)
    : of.levels.includes(mode - 5);
  return has ? done(null) : invalid(`fsc.MODE ${mode} is not what capabilities has`);
}
