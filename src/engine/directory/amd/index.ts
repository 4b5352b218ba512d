import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { AmdDirectory } from './directory';
import { LOWEST_ENCRYPTION_BIT } from './encryptionBit';

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
    const encryption = registers.get('CBit');
    if (encryption !== undefined && (encryption < LOWEST_ENCRYPTION_BIT || encryption > 51n)) {
      return failure(
        'directory/encryption-bit',
        `CBit is ${encryption}, and the bit that marks encrypted memory is one of the address bits ${LOWEST_ENCRYPTION_BIT} to 51.`,
        'Give the bit that CPUID Fn8000_001F EBX bits 5:0 name, or leave CBit out where memory is not encrypted.',
      );
    }
    return success(new AmdDirectory(memory, registers));
  },
};
