import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { Smmuv3Directory } from './smmuv3Directory';

/** Arm SMMUv3: STRTAB_BASE and STRTAB_BASE_CFG lead to the stream table. */
export const smmuv3: DirectoryKind = {
  kind: 'smmuv3',
  open(memory, registers) {
    for (const name of ['STRTAB_BASE', 'STRTAB_BASE_CFG']) {
      if (registers.has(name)) continue;
      return failure(
        'directory/register-missing',
        `${name} is not given, so the stream table is not known.`,
        `Add ${name} to the registers; a debugger or a memory dump of the SMMU's registers has it.`,
      );
    }
    return success(new Smmuv3Directory(memory, registers));
  },
};
