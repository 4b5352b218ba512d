/** Entries of stage-1 tables as a hostile guest writes them: well formed often enough to be walked far, and wrong otherwise. */
import { type SeededRandom } from '../../../src/engine/random';

interface Flags {
  readonly tables: readonly bigint[];
  readonly leaves: readonly bigint[];
  readonly odd: readonly bigint[];
}

/** Low and high bits that make tables and leaves, with and without marks and permissions, and what makes neither. */
const FLAGS: Readonly<Record<'x86' | 'arm' | 'riscv', Flags>> = {
  // P R/W U/S A D PS, XD.
  x86: {
    tables: [0x7n, 0x27n, 0x67n],
    leaves: [0x7n, 0x27n, 0x67n, 0x87n, 0x5n],
    odd: [0x0n, 0x1n, 0x3n, 0xe7n, 0x8000_0000_0000_0067n],
  },
  // AF, AP[2], DBM; tables that take permission away; blocks; contiguous.
  arm: {
    tables: [0x3n, 0x703n],
    leaves: [0x743n, 0x343n, 0x7c3n, 0x0008_0000_0000_07c3n, 0x0008_0000_0000_0343n],
    odd: [0x0n, 0x741n, 0x341n, 0x4000_0000_0000_0003n, 0x0018_0000_0000_07c3n],
  },
  // V R W X U A D, N; the address stands two bits lower.
  riscv: {
    tables: [0x1n],
    leaves: [0x17n, 0xdfn, 0x57n, 0x53n, 0x97n],
    odd: [0x0n, 0x5n, 0x07n, 0x8000_0000_0000_00dfn],
  },
};

/** `tables`: as `TABLE_CHOICES` names them; `page`: the guest page that the entry names; `leaf`: a leaf rather than a table. */
export function hostileWord(tables: string, page: number, leaf: boolean, random: SeededRandom): bigint {
  const form = tables.startsWith('sv') ? 'riscv' : tables.startsWith('stage1') ? 'arm' : 'x86';
  const { odd, leaves, tables: pointers } = FLAGS[form];
  const which = random.below(10);
  const flags = which === 0 ? odd : leaf === which > 2 ? leaves : pointers;
  const flag = flags[random.below(flags.length)] ?? 0n;
  // Larger leaves have to be aligned.
  const aligned = random.below(8) === 0 ? page - (page % 512) : page;
  return (BigInt(aligned) << (form === 'riscv' ? 10n : 12n)) | flag;
}
