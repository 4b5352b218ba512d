import { decodeRiscv } from '../../../engine/iommu/vendors/riscv/commands';
import { decodeFault } from '../../../engine/iommu/vendors/riscv/faults';
import { type RowBuilder } from '../../model/columns';
import { FLAGS } from '../../model/operation';
import { accessFlag, flag } from '../kernel/fields';
import { ABLE, commandRow, wordInto } from './commandRow';
import { device, iova, paddr, unused, word } from './parts';
import { type Part, payload, qemuEvent } from './printFormat';

/** The name of the unit, up to the colon: a path, or `(null)`. */
const unit: Part = (scanner) => scanner.word(':') !== '';
/** Process 0 stands for none. */
const process: Part = (scanner, out, row) => {
  const value = scanner.decimal();
  if (value > 0) out.pasid[row] = value;
  return value >= 0;
};
const ACCESS: Readonly<Record<string, number>> = {
  RO: FLAGS.read,
  WR: FLAGS.write,
  WO: FLAGS.write,
  RW: FLAGS.read | FLAGS.write,
};
const access: Part = (scanner, out, row) => {
  const text = scanner.word();
  const flags = ACCESS[text];
  if (flags !== undefined) flag(out, row, flags);
  return text !== '';
};

/** A physical address of 0 says that nothing was translated; the fault is a row of its own. */
function failedAtZero(out: RowBuilder, row: number): boolean {
  if (out.paddrPage[row] === 0 && out.paddrOffset[row] === 0) {
    out.paddrPage[row] = Number.NaN;
    out.paddrOffset[row] = Number.NaN;
    flag(out, row, FLAGS.failed);
  }
  return true;
}

/** Causes of reads and of writes (RISC-V IOMMU 1.0 §3.2): access faults, page faults, guest page faults. */
const [READS, WRITES] = [new Set([5, 13, 21]), new Set([7, 15, 23])];
const CAUSES = 2n ** 12n;

/** Words of a command, and of a fault record: the first, and the address in the third. */
const words = [0n, 0n];
const [first, second] = [wordInto(words, 0), wordInto(words, 1)];

/** QEMU hw/riscv/trace-events, riscv-iommu.c. */
export const RISCV_IOMMU_EVENTS = [
  qemuEvent(
    'riscv_iommu_dma',
    'translate',
    payload`${unit}: translate ${device} #${process} ${access} ${iova} -> ${paddr}`,
    failedAtZero,
  ),
  qemuEvent('riscv_iommu_msi', 'translate', payload`${unit}: translate ${device} MSI ${iova} -> ${paddr}`),
  qemuEvent(
    'riscv_iommu_flt',
    'fault',
    payload`${unit}: fault ${device} reason: ${first} iova: ${iova}`,
    (out, row) => {
      const reason = words[0] ?? 0n;
      const cause = Number(reason % CAUSES);
      const { pasid, write } = decodeFault([reason, 0n, 0n, 0n]);
      out.count[row] = cause;
      if (pasid !== null) out.pasid[row] = pasid;
      // QEMU's transaction type may contradict the cause, which says what was refused.
      flag(out, row, accessFlag(WRITES.has(cause) || (write && !READS.has(cause))));
      return true;
    },
  ),
  qemuEvent('riscv_iommu_cmd', 'other', payload`${unit}: command ${first} ${second}`, (out, row, names) => {
    commandRow(decodeRiscv(words, ABLE), out, row, names);
    return true;
  }),
  qemuEvent('riscv_iommu_pri', 'other', payload`${unit}: page request ${device} iova: ${iova}`),
  qemuEvent('riscv_iommu_ats', 'other', payload`${unit}: translate request ${device} iova: ${iova}`),
  qemuEvent('riscv_iommu_new', 'other', payload`${unit}: device attached ${device}`),
  qemuEvent(
    'riscv_iommu_mrif_notification',
    'other',
    payload`${unit}: sent MRIF notification ${unused} to ${word}`,
  ),
];
