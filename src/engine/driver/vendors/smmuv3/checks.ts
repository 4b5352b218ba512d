import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { done, refused, type Outcome } from '../../errno';
import { type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type Use } from '../common/uses';
import { CONFIG, STE_VALID, USER_WORD_0, USER_WORD_1, userAts, userConfig } from './entries';
import { armTablesOf } from './tables';

const unsupported = (what: string) => refused('EOPNOTSUPP', what);
const invalid = (what: string) => refused('EINVAL', what);

/** What an SMMU cannot do for a use. `substreamBits`: of its CD tables. */
export function checkUse(
  use: Use,
  others: readonly Use[],
  of: Smmuv3Capabilities,
  substreamBits: number,
): Outcome<null> {
  if (use.requester >= 2 ** of.streamBits)
    return invalid('the StreamID is beyond the stream table (IDR1.SIDSIZE)');
  if (use.ats && !of.ats) return unsupported('IDR0.ATS is 0: the SMMU takes no devices with TLBs');
  const { attachment, pasid } = use;
  if (pasid !== null) {
    const wrong = checkPasid(use, others, of, substreamBits);
    if (!wrong.ok) return wrong;
  } else if (hasStage2(use) && others.length > 0) {
    return invalid('a stream with a stage 2 of the kernel has no substreams of its own: detach them first');
  }
  if (attachment.kind === 'paging') return checkPaging(attachment.domain, of);
  return attachment.kind === 'nested' ? checkNested(attachment.domain, of) : done(null);
}

const hasStage2 = ({ attachment }: Use): boolean =>
  attachment.kind === 'nested' || (attachment.kind === 'paging' && attachment.domain.stage === 2);

function checkPasid(
  { pasid, attachment }: Use,
  others: readonly Use[],
  of: Smmuv3Capabilities,
  substreamBits: number,
): Outcome<null> {
  if (!of.stage1 || substreamBits === 0) return unsupported('IDR1.SSIDSIZE is 0: there are no SubstreamIDs');
  if (pasid === 0) return invalid('SubstreamID 0 is that of requests without one (S1DSS)');
  if ((pasid ?? 0) >= 2 ** substreamBits)
    return invalid(`CD tables have ${substreamBits} bits of SubstreamID`);
  if (attachment.kind === 'blocked') return done(null);
  if (attachment.kind !== 'paging' || attachment.domain.stage !== 1) {
    return invalid('a SubstreamID is attached to stage 1 tables');
  }
  return others.some((other) => other.pasid === null && hasStage2(other))
    ? invalid('the stream has a stage 2, and stage 1 tables would be nested in it')
    : done(null);
}

function checkPaging(domain: KernelDomain, of: Smmuv3Capabilities): Outcome<null> {
  const tables = armTablesOf(domain);
  const { id } = domain.tables.format.format;
  if (tables?.stage !== domain.stage)
    return invalid(`tables of format ${id} are no stage ${domain.stage} of Arm`);
  if (!of[`stage${domain.stage}`]) return unsupported(`IDR0 has no stage ${domain.stage}`);
  if (!of.granules.includes(tables.granule)) return invalid(`IDR5 has no ${tables.granule} granule`);
  const form =
    tables.granule === '64K' && of.outputBits === 52 ? 'lpa' : of.wideSmallGranules ? tables.form : '48';
  if (tables.form !== form) return invalid(`tables of format ${id} are not those of OAS and DS in IDR5`);
  if (domain.dirtyTracking && of.httu < 2) return invalid('IDR0.HTTU says that no dirty pages are marked');
  const bits = domain.stage === 1 ? of.asidBits : of.vmidBits;
  if (domain.id >= 2 ** bits) return refused('ENOSPC', `ids of stage ${domain.stage} have ${bits} bits`);
  // VMID 0 is that of streams with stage 1 only.
  return domain.stage === 2 && domain.id === 0 ? invalid('VMID 0 is of streams without stage 2') : done(null);
}

function checkNested(domain: NestedDomain, of: Smmuv3Capabilities): Outcome<null> {
  if (!of.stage1 || !of.stage2) return unsupported('nesting takes both stages (IDR0.S1P, S2P)');
  const parent = checkPaging(domain.parent, of);
  if (!parent.ok) return parent;
  if (domain.parent.stage !== 2) return invalid('the parent of a nested domain has stage 2 tables');
  const [control = 0n, second = 0n] = domain.words;
  if ((control & STE_VALID) === 0n) return done(null);
  if ((control & ~USER_WORD_0) !== 0n || (second & ~USER_WORD_1) !== 0n) {
    return refused('EIO', 'the STE of a guest has fields that are not for guests');
  }
  const config = userConfig(control);
  if (config !== CONFIG.abort && config !== CONFIG.bypass && config !== CONFIG.stage1) {
    return refused('EIO', 'the STE of a guest aborts, bypasses or has a stage 1');
  }
  return userAts(second) > 1 ? refused('EIO', 'the STE of a guest has EATS 0 or 1') : done(null);
}
