import { type EmulatedKind } from '../../iommu/vendor';
import { done, refused, type Outcome } from '../errno';
import { type UserArray, type UserData } from './platform';

/** IOMMU_HWPT_DATA_* of include/uapi/linux/iommufd.h. No number is assigned for RISC-V yet: this is ours. */
export const HWPT_DATA_VTD_S1 = 1;
export const HWPT_DATA_SMMUV3 = 2;
export const HWPT_DATA_AMD_GUEST = 3;
export const HWPT_DATA_RISCV = 0x8000_0001;

/** IOMMU_HWPT_INVALIDATE_DATA_* and IOMMU_VIOMMU_INVALIDATE_DATA_*; that of RISC-V is ours. */
export const INVALIDATE_DATA_VTD_S1 = 0;
export const INVALIDATE_DATA_SMMUV3 = 1;
export const INVALIDATE_DATA_RISCV = 0x8000_0001;

/** What user space says of a stage 1, and how it invalidates it. */
export interface NestedDataRule {
  readonly type: number;
  /** Of the structure, and of the words made of it. */
  readonly bytes: number;
  readonly words: (view: DataView) => readonly bigint[];
  /** Entries for a nested page table; absent: it takes none. */
  readonly invalidation?: ArrayRule;
  /** Entries for a vIOMMU. */
  readonly virtualInvalidation?: ArrayRule;
}

export interface ArrayRule {
  readonly type: number;
  readonly bytes: number;
  readonly words: (view: DataView) => readonly bigint[];
}

const word = (view: DataView, index: number): bigint => view.getBigUint64(8 * index, true);
const half = (view: DataView, index: number): bigint => BigInt(view.getUint32(4 * index, true));
const twoWords = (view: DataView): readonly bigint[] => [word(view, 0), word(view, 1)];

/** struct iommu_hwpt_vtd_s1 and the like, by vendor. */
export const NESTED_DATA: Readonly<Record<EmulatedKind, NestedDataRule>> = {
  'vt-d': {
    type: HWPT_DATA_VTD_S1,
    bytes: 24,
    words: (view) => [word(view, 0), word(view, 1), half(view, 4)],
    invalidation: {
      type: INVALIDATE_DATA_VTD_S1,
      bytes: 24,
      words: (view) => [word(view, 0), word(view, 1), half(view, 4)],
    },
  },
  smmuv3: {
    type: HWPT_DATA_SMMUV3,
    bytes: 16,
    words: twoWords,
    virtualInvalidation: { type: INVALIDATE_DATA_SMMUV3, bytes: 16, words: twoWords },
  },
  // Guests' commands go to hardware queues.
  'amd-vi': {
    type: HWPT_DATA_AMD_GUEST,
    bytes: 32,
    words: (view) => [0, 1, 2, 3].map((index) => word(view, index)),
  },
  // Words fsc and ta of the device context.
  riscv: {
    type: HWPT_DATA_RISCV,
    bytes: 16,
    words: twoWords,
    invalidation: { type: INVALIDATE_DATA_RISCV, bytes: 16, words: twoWords },
  },
};

/** The structure as words. EOPNOTSUPP: another type; EINVAL: too short; EFAULT: bad pointer; E2BIG: more than is known. */
export function readData(rule: NestedDataRule, { type, length, data }: UserData): Outcome<readonly bigint[]> {
  if (type !== rule.type) return refused('EOPNOTSUPP', `data of type ${type} is not known here`);
  const view = viewOf(data, 0, length, rule.bytes);
  return view.ok ? done(rule.words(view.value)) : view;
}

/** The entries up to the first that cannot be read, and why that is. */
export function readArray(
  rule: ArrayRule,
  { type, entryLength, entryNumber, data }: UserArray,
): { readonly entries: readonly (readonly bigint[])[]; readonly outcome: Outcome<null> } {
  const entries: (readonly bigint[])[] = [];
  if (type !== rule.type)
    return { entries, outcome: refused('EINVAL', `entries of type ${type} are not known`) };
  for (let index = 0; index < entryNumber; index++) {
    const view = viewOf(data, index * entryLength, entryLength, rule.bytes);
    if (!view.ok) return { entries, outcome: view };
    entries.push(rule.words(view.value));
  }
  return { entries, outcome: done(null) };
}

function viewOf(data: Uint8Array | null, offset: number, length: number, bytes: number): Outcome<DataView> {
  if (length < bytes)
    return refused('EINVAL', `${length} bytes are fewer than the ${bytes} of the structure`);
  if (!data || offset + length > data.length) return refused('EFAULT', 'the structure is not in user memory');
  if (data.subarray(offset + bytes, offset + length).some((byte) => byte !== 0))
    return refused('E2BIG', 'the structure has more fields than are known');
  return done(new DataView(data.buffer, data.byteOffset + offset, bytes));
}
