import { bits } from '../../bits/bitFields';
import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { VtdAbortDirectory } from './abortDirectory';
import { VtdLegacyDirectory } from './legacyDirectory';
import { TABLE_MODES } from './registers';
import { VtdScalableDirectory } from './scalableDirectory';

const RESERVED_MODE = 2n;
const ABORT_MODE = 3n;

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
    const mode = bits(rtaddr, 11, 10);
    const selects = `RTADDR 0x${rtaddr.toString(16)} selects`;
    if (mode === RESERVED_MODE) {
      return failure(
        'directory/mode-not-read',
        `${selects} ${TABLE_MODES[2]} mode (TTM = 2): hardware blocks every request (fault reason 30h).`,
        'Check RTADDR: bits 11:10 are 0 in legacy mode and 1 in scalable mode.',
      );
    }
    if (mode === ABORT_MODE) return success(new VtdAbortDirectory(registers));
    return success(
      mode === 0n ? new VtdLegacyDirectory(memory, registers) : new VtdScalableDirectory(memory, registers),
    );
  },
};
