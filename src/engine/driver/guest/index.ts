import { type EmulatedKind } from '../../iommu/vendor';
import { amdGuest } from './amd';
import { type GuestKind } from './guestKind';
import { riscvGuest } from './riscv';
import { smmuv3Guest } from './smmuv3';
import { vtdGuest } from './vtd';

const BY_KIND: Readonly<Record<EmulatedKind, GuestKind>> = {
  'vt-d': vtdGuest,
  'amd-vi': amdGuest,
  smmuv3: smmuv3Guest,
  riscv: riscvGuest,
};

export const guestKindOf = (kind: EmulatedKind): GuestKind => BY_KIND[kind];
export const GUEST_KINDS: readonly GuestKind[] = Object.values(BY_KIND);
