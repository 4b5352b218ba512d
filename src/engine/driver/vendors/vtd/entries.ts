import { type VtdCapabilities } from '../../capabilities/vtd';
import { FRAME_BYTES } from '../../../values';
import { type KernelDomain, type NestedDomain } from '../../iommuDriver';
import { type Use } from '../common/uses';

/** Words of the structures that lead to tables, as VT-d 4.1 §9 lays them out. */
export const PRESENT = 1n;
/** SSADE, bit 9 of word 0 of a PASID-table entry. */
export const SSADE = 1n << 9n;
/** DTE, bit 2 of word 0 of a scalable-mode context entry. */
export const CONTEXT_DEVICE_TLB = 1n << 2n;
const PASIDE = 1n << 3n;
const PWSNP = 1n << 23n;

export const PGTT = { first: 1n, second: 2n, nested: 3n, passThrough: 4n } as const;

/** Flags of a guest's first stage (include/uapi/linux/iommufd.h, IOMMU_VTD_S1_*). */
export const S1_FLAGS = { SRE: 1n, EAFE: 2n, WPE: 4n } as const;

export const levelsOf = ({ tables }: KernelDomain): number => tables.format.rootDepth;
const widthCode = (levels: number): bigint => BigInt(levels - 2);
const rootOf = ({ tables }: KernelDomain): bigint => BigInt(tables.root) * BigInt(FRAME_BYTES);

/** The domain id of requests that pass: the uppermost, which no domain gets. */
export const passThroughDid = ({ domainBits }: VtdCapabilities): number => 2 ** domainBits - 1;

/** The id that caches know the translations of a use by. */
export function didOf({ attachment }: Use, capabilities: VtdCapabilities): number {
  if (attachment.kind === 'paging' || attachment.kind === 'nested') return attachment.domain.id;
  return passThroughDid(capabilities);
}

/** Eight words of a PASID-table entry (§9.6); zeros: blocked. `marks`: SSADE. */
export function pasidEntry({ attachment }: Use, of: VtdCapabilities, marks: boolean): bigint[] {
  const snoops = of.coherentScalable ? PWSNP : 0n;
  const most = Math.max(...of.levels);
  switch (attachment.kind) {
    case 'blocked':
      return words();
    case 'pass-through':
      return words(
        PRESENT | (widthCode(most) << 2n) | (PGTT.passThrough << 6n),
        BigInt(passThroughDid(of)) | snoops,
      );
    case 'paging': {
      const { domain } = attachment;
      const tags = BigInt(domain.id) | snoops;
      if (domain.stage === 2) return words(secondStage(domain, PGTT.second, marks), tags);
      const mode = levelsOf(domain) === 5 ? 1n : 0n;
      return words(
        PRESENT | (widthCode(most) << 2n) | (PGTT.first << 6n),
        tags,
        rootOf(domain) | (mode << 2n),
      );
    }
    case 'nested': {
      const { domain } = attachment;
      return words(
        secondStage(domain.parent, PGTT.nested, marks),
        BigInt(domain.id) | snoops,
        guestFirstStage(domain),
      );
    }
  }
}

function secondStage(domain: KernelDomain, type: bigint, marks: boolean): bigint {
  const control = PRESENT | (widthCode(levelsOf(domain)) << 2n) | (type << 6n) | rootOf(domain);
  return control | (marks ? SSADE : 0n);
}

/** Word 2 from what a guest gives: flags, the guest physical address of its root, bits of its addresses. */
function guestFirstStage({ words: [flags = 0n, root = 0n, width = 0n] }: NestedDomain): bigint {
  const sre = (flags & S1_FLAGS.SRE) !== 0n ? 1n : 0n;
  const wpe = (flags & S1_FLAGS.WPE) !== 0n ? 1n << 4n : 0n;
  const eafe = (flags & S1_FLAGS.EAFE) !== 0n ? 1n << 7n : 0n;
  return root | sre | (width === 57n ? 1n << 2n : 0n) | wpe | eafe;
}

function words(control = 0n, tags = 0n, first = 0n): bigint[] {
  return [control, tags, first, 0n, 0n, 0n, 0n, 0n];
}

/** Four words of a scalable-mode context entry (§9.4); requests without a PASID have PASID 0. `order`: PDTS. */
export function scalableContext(
  directory: number,
  order: number,
  ats: boolean,
  of: VtdCapabilities,
): bigint[] {
  const control =
    PRESENT |
    (ats ? CONTEXT_DEVICE_TLB : 0n) |
    (of.pasidBits > 0 ? PASIDE : 0n) |
    (BigInt(order) << 9n) |
    BigInt(directory);
  return [control, 0n, 0n, 0n];
}

const TRANSLATION = { tables: 0n, tablesAndAts: 1n, passThrough: 2n } as const;

/** Two words of a legacy context entry (§9.3); zeros: blocked. */
export function legacyContext({ attachment, ats }: Use, of: VtdCapabilities): bigint[] {
  if (attachment.kind === 'pass-through') {
    const width = widthCode(Math.max(...of.levels));
    return [PRESENT | (TRANSLATION.passThrough << 2n), width | (BigInt(passThroughDid(of)) << 8n)];
  }
  if (attachment.kind !== 'paging') return [0n, 0n];
  const { domain } = attachment;
  const type = ats ? TRANSLATION.tablesAndAts : TRANSLATION.tables;
  return [PRESENT | (type << 2n) | rootOf(domain), widthCode(levelsOf(domain)) | (BigInt(domain.id) << 8n)];
}
