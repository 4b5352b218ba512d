/** Words that more than one command writes. */
import { formatRequester, hex, type DomainRow, type Translation } from '../inspection/protocol';

/** `00:02.0`. */
export function deviceName(requester: number): string {
  // A number on the command line was checked to have 32 bits.
  return formatRequester(requester as Parameters<typeof formatRequester>[0]);
}

/** `domain 5 (root 0x3439000) of dmar0`, with the vendor's word where it differs: `domain ASID 1 (root ..) of smmu0`. */
export const domainName = (domain: DomainRow): string =>
  `domain ${domainId(domain)} (root ${hex(domain.root)}) of ${domain.iommu}`;

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
