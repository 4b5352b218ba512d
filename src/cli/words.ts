/** Words that more than one command writes. */
import {
  domainTag,
  formatRequester,
  hex,
  type DomainKey,
  type DomainRow,
  type Translation,
  type VendorWords,
} from '../inspection/protocol';
import { type AskedDevice } from './arguments';

/** `00:02.0`. */
export function deviceName(requester: number): string {
  // A number on the command line was checked to have 32 bits.
  return formatRequester(requester as Parameters<typeof formatRequester>[0]);
}

/** `00:02.0` of which segment, when one was given: `0001:00:02.0`. */
export const askedName = ({ requester, segment }: AskedDevice): string =>
  segment === undefined
    ? deviceName(requester)
    : `${segment.toString(16).padStart(4, '0')}:${deviceName(requester)}`;

/**
 * `domain 5 (root 0x3439000) of dmar0`, with the vendor's word where it differs: `domain ASID 1 (root ..) of smmu0`; of a
 * nested one also the stage 2 below it.
 */
export function domainName(domain: DomainRow): string {
  const { iommu, root, below, upper } = domain;
  const parts = [
    `root ${hex(root)}`,
    ...(upper ? ['upper half'] : []),
    ...(below ? [`over stage 2 of ${below.domainId} at ${hex(below.root)}`] : []),
  ];
  return `domain ${domainId(domain)} (${parts.join(', ')}) of ${iommu}`;
}

/** `DID 4`, `ASID 1 on VMID 2`: by the vendor's words. */
export const tagName = (domain: DomainKey, words: VendorWords | undefined): string =>
  words ? domainTag(domain, words) : `domain ${domain.domainId}`;

/** `00:02.0`, `00:02.0 SubstreamID 0x1`. */
export const userName = (
  { requester, pasid }: { readonly requester: number; readonly pasid: number | null },
  words: VendorWords | undefined,
): string =>
  pasid === null
    ? deviceName(requester)
    : `${deviceName(requester)} ${words?.pasid ?? 'PASID'} ${hex(pasid)}`;

const domainId = ({ tag, domainId }: DomainRow): string =>
  (tag === 'DID' ? '' : `${tag} `) + String(domainId);

/** An answer as docs/cli.md describes it. */
export function answerOf(translation: Translation): object {
  if (!translation.ok) {
    const { fault, level, stage } = translation;
    return { ok: false, fault, level, ...(stage === undefined ? {} : { stage }) };
  }
  const { paddr, size, perm, level, entry } = translation;
  return { ok: true, paddr, size, perm, level, entry };
}

/** The same as a line of JSON, put together by hand: a million answers should not wait for JSON.stringify. */
export function answerLine(translation: Translation): string {
  if (!translation.ok) {
    const stage = translation.stage === undefined ? '' : `,"stage":${translation.stage}`;
    return `{"ok":false,"fault":"${translation.fault}","level":${translation.level}${stage}}`;
  }
  const { paddr, size, perm, level, entry } = translation;
  const word = entry === null ? 'null' : `"${hex(entry)}"`;
  return `{"ok":true,"paddr":"${hex(paddr)}","size":"${hex(size)}","perm":"${perm}","level":${level},"entry":${word}}`;
}
