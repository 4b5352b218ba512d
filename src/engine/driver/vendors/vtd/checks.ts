import { type VtdCapabilities } from '../../capabilities/vtd';
import { done, refused, type Outcome } from '../../errno';
import { type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type Use } from '../common/uses';
import { levelsOf, passThroughDid, S1_FLAGS } from './entries';

const unsupported = (what: string) => refused('EOPNOTSUPP', what);
const invalid = (what: string) => refused('EINVAL', what);

/** What a unit cannot do for a use. */
export function checkUse(use: Use, of: VtdCapabilities, marksDirty: boolean): Outcome<null> {
  if (use.ats && !of.ats) return unsupported('ECAP.DT is 0: the unit has no device TLBs');
  const wrongPasid = checkPasid(use, of);
  if (!wrongPasid.ok) return wrongPasid;
  const { attachment } = use;
  switch (attachment.kind) {
    case 'blocked':
      return done(null);
    case 'pass-through':
      return of.passThrough ? done(null) : unsupported('ECAP.PT is 0: requests cannot pass untranslated');
    case 'paging':
      return checkPaging(attachment.domain, of, marksDirty);
    case 'nested':
      return checkNested(attachment.domain, of, marksDirty);
  }
}

function checkPasid({ pasid }: Use, { scalable, pasidBits }: VtdCapabilities): Outcome<null> {
  if (pasid === null) return done(null);
  if (!scalable || pasidBits === 0) return unsupported('PASIDs need scalable mode and ECAP.PASID');
  if (pasid === 0) return invalid('PASID 0 is that of requests without a PASID (RID_PASID)');
  return pasid < 2 ** pasidBits ? done(null) : invalid(`PASIDs have ${pasidBits} bits (ECAP.PSS)`);
}

function checkPaging(domain: KernelDomain, of: VtdCapabilities, marksDirty: boolean): Outcome<null> {
  const levels = levelsOf(domain);
  const { id } = domain.tables.format.format;
  if (domain.stage === 1) {
    if (!of.firstStage) return unsupported('a first stage needs scalable mode and ECAP.FSTS');
    if (id !== 'vtd-first-stage') return invalid(`tables of format ${id} are no first stage of VT-d`);
    if (levels === 5 && !of.firstStage5Levels)
      return invalid('first-stage tables of 5 levels need CAP.FS5LP');
  } else {
    if (of.scalable && !of.secondStage) return unsupported('ECAP.SSTS is 0: there is no second stage');
    if (!id.startsWith('vtd-second-stage'))
      return invalid(`tables of format ${id} are no second stage of VT-d`);
    if (!of.levels.includes(levels)) return invalid(`CAP.SAGAW has no ${levels} levels`);
  }
  if (domain.dirtyTracking && !marksDirty)
    return invalid('the unit marks no dirty pages (ECAP.SSADS, SMPWCS)');
  return checkId(domain.id, of);
}

function checkNested(domain: NestedDomain, of: VtdCapabilities, marksDirty: boolean): Outcome<null> {
  if (!of.nesting) return unsupported('ECAP.NEST is 0: there is no nested translation');
  const parent = checkPaging(domain.parent, of, marksDirty);
  if (!parent.ok) return parent;
  if (domain.parent.stage !== 2) return invalid('the parent of a nested domain has second-stage tables');
  const [flags = 0n, root = 0n, width = 0n] = domain.words;
  if ((flags & ~(S1_FLAGS.SRE | S1_FLAGS.EAFE | S1_FLAGS.WPE)) !== 0n)
    return unsupported('unknown flag of a stage 1');
  if ((flags & S1_FLAGS.SRE) !== 0n && !of.supervisorRequests) return invalid('SRE needs ECAP.SRS');
  if ((flags & S1_FLAGS.EAFE) !== 0n && !of.extendedAccessed) return invalid('EAFE needs ECAP.EAFS');
  if (width !== 48n && !(width === 57n && of.firstStage5Levels))
    return invalid(`no first stage takes ${width} bits`);
  if (root % 4096n !== 0n || root >> 52n !== 0n)
    return invalid('the root of a first stage is a page below 2^52');
  return checkId(domain.id, of);
}

function checkId(id: number, of: VtdCapabilities): Outcome<null> {
  if (id === 0 && of.cachingMode) return invalid('with CAP.CM domain id 0 is that of not-present entries');
  return id < passThroughDid(of)
    ? done(null)
    : refused('ENOSPC', `CAP.ND has domain ids of ${of.domainBits} bits`);
}
