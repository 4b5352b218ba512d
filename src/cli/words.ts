/** Words that more than one command writes. */
import { formatRequester, hex, type DomainKey, type Translation } from '../inspection/protocol';

/** `00:02.0`. */
export function deviceName(requester: number): string {
  // A number on the command line was checked to have 16 bits.
  return formatRequester(requester as Parameters<typeof formatRequester>[0]);
}

/** `domain 5 (root 0x3439000) of dmar0`. */
export const domainName = (domain: DomainKey): string =>
  `domain ${domain.domainId} (root ${hex(domain.root)}) of ${domain.iommu}`;

/** Sorts and finds domains. */
export const sameDomain = (one: DomainKey, other: DomainKey): boolean =>
  one.iommu === other.iommu && one.domainId === other.domainId && one.root === other.root;

/** An answer as docs/cli.md describes it. */
export function answerOf(translation: Translation): object {
  if (!translation.ok) return { ok: false, fault: translation.fault, level: translation.level };
  const { paddr, size, perm, level, entry } = translation;
  return { ok: true, paddr, size, perm, level, entry };
}

/** The same as a line of JSON, put together by hand: a million answers should not wait for JSON.stringify. */
export function answerLine(translation: Translation): string {
  if (!translation.ok) {
    return `{"ok":false,"fault":"${translation.fault}","level":${translation.level}}`;
  }
  const { paddr, size, perm, level, entry } = translation;
  const word = entry === null ? 'null' : `"${hex(entry)}"`;
  return `{"ok":true,"paddr":"${hex(paddr)}","size":"${hex(size)}","perm":"${perm}","level":${level},"entry":${word}}`;
}
