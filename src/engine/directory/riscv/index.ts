import { bits } from '../../bits/bitFields';
import { failure, success } from '../../result';
import { type DirectoryKind } from '../deviceDirectory';
import { RiscvDirectory } from './riscvDirectory';
import { DDTP_MODES } from './registers';

/** RISC-V IOMMU: ddtp names the device directory and its mode, capabilities the form of its entries. */
export const riscv: DirectoryKind = {
  kind: 'riscv',
  open(memory, values) {
    const ddtp = values.get('ddtp');
    if (ddtp === undefined) {
      return failure(
        'directory/register-missing',
        'ddtp is not given, so the device directory is not known.',
        'Add ddtp (8 bytes at offset 0x10 of the IOMMU) to the registers.',
      );
    }
    const mode = Number(bits(ddtp, 3, 0));
    if (DDTP_MODES[mode] === undefined) {
      return failure(
        'directory/mode-not-read',
        `ddtp 0x${ddtp.toString(16)} selects iommu_mode ${mode}, which is reserved or custom.`,
        'Check ddtp: its low four bits are 0 to 4.',
      );
    }
    const capabilities = values.get('capabilities');
    if (capabilities === undefined && mode > 1) {
      return failure(
        'directory/register-missing',
        'capabilities is not given, so it is not known whether device contexts are 32 or 64 bytes.',
        'Add capabilities (8 bytes at offset 0 of the IOMMU) to the registers.',
      );
    }
    const fctl = values.get('fctl') ?? 0n;
    if (bits(fctl, 0) === 1n) {
      return failure(
        'directory/mode-not-read',
        'fctl.BE is 1: the device directory is big-endian, and only little-endian ones can be read.',
        'Check fctl (4 bytes at offset 8).',
      );
    }
    return success(new RiscvDirectory(memory, { ddtp, capabilities: capabilities ?? 0n, fctl }, values));
  },
};
