import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { AmdDirectory } from './directory';

/** AMD-Vi: DevTabBase names the device table. */
export const amd: DirectoryKind = {
  kind: 'amd-vi',
  open(memory, registers) {
    if (registers.get('DevTabBase') === undefined) {
      return failure(
        'directory/register-missing',
        'DevTabBase is not given, so the device table is not known.',
        'Add DevTabBase to the registers; it is at offset 0 of the MMIO registers of the IOMMU.',
      );
    }
    return success(new AmdDirectory(memory, registers));
  },
};
