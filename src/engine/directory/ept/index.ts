import { failure, success } from '../../result';
import { hex } from '../../values';
import { type DirectoryKind } from '../deviceDirectory';
import { EptDirectory, levelsOf } from './eptDirectory';

/** Extended page tables of an Intel processor: EPTP, a field of the VMCS, names the root. */
export const ept: DirectoryKind = {
  kind: 'ept',
  open(memory, registers) {
    const eptp = registers.get('EPTP');
    if (eptp === undefined) {
      return failure(
        'directory/register-missing',
        'EPTP is not given, so the root of the extended page tables is not known.',
        'Add EPTP to the registers: it is the EPT pointer of the VMCS of the guest.',
      );
    }
    const levels = levelsOf(eptp);
    if (levels === 4 || levels === 5) return success(new EptDirectory(memory, eptp));
    return failure(
      'directory/mode-not-read',
      `EPTP ${hex(eptp)} selects ${levels} levels, and extended page tables have 4 or 5.`,
      'Check EPTP: bits 5:3 are 3 or 4.',
    );
  },
};
