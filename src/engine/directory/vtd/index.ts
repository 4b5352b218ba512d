import { bits } from '../../bits/bitFields';
import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { VtdLegacyDirectory } from './legacyDirectory';
import { TABLE_MODES } from './registers';

/** Intel VT-d: RTADDR names the root table and the table mode. */
export const vtd: DirectoryKind = {
  kind: 'vt-d',
  open(memory, registers) {
    const rtaddr = registers.get('RTADDR');
    if (rtaddr === undefined) {
      return failure(
        'directory/register-missing',
        'RTADDR is not given, so the root table is not known.',
        'Add RTADDR to the registers; the kernel prints it in the DMAR debugfs file dmar_translation_struct.',
      );
    }
    const mode = Number(bits(rtaddr, 11, 10));
    if (mode !== 0) {
      return failure(
        'directory/mode-not-read',
        `RTADDR 0x${rtaddr.toString(16)} selects ${TABLE_MODES[mode] ?? ''} mode (TTM = ${mode}), and only legacy mode (TTM = 0) can be read.`,
        'Boot the guest with intel_iommu=on,sm_off to get legacy tables, or check RTADDR.',
      );
    }
    return success(new VtdLegacyDirectory(memory, registers));
  },
};
