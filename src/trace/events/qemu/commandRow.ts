import { ALL_PAGES } from '../../../engine/pageTable/addressSpace';
import { type PageRange } from '../../../engine/iommu/cacheOperation';
import { type Command } from '../../../engine/iommu/commands';
import { type RegisterFile } from '../../../engine/iommu/vendor';
import { formatRequester, requesterId } from '../../../engine/values';
import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { FLAGS, operationCode } from '../../model/operation';
import { flag } from '../kernel/fields';
import { type Part } from './printFormat';

const EVERY_BIT = 2n ** 64n - 1n;
const PAGE = 4096;

/** Registers of an IOMMU that can do everything, which a trace does not tell: commands are read by it as far as they can be. */
export const ABLE: RegisterFile = new Map(['CAP', 'ECAP', 'capabilities'].map((name) => [name, EVERY_BIT]));

/** Reads a 64-bit word into `words[index]`. */
export const wordInto =
  (words: bigint[], index: number): Part =>
  (scanner) => {
    if (!scanner.address()) return false;
    words[index] = BigInt(scanner.page) * 4096n + BigInt(scanner.offset);
    return true;
  };

/**
 * Makes a row a flush if the command drops cached translations, of the IOMMU or of a device: of which pages, which domain, or all.
 */
export function commandRow(command: Command, out: RowBuilder, row: number, names: TraceNames): void {
  if (command.kind === 'device-tlb') {
    const { requester, pasid, pages } = command.operation;
    out.device[row] = names.devices.id(formatRequester(requesterId(requester & 0xffff)));
    if (pasid !== null) out.pasid[row] = pasid;
    flush(pages, FLAGS.domainWide, out, row);
    return;
  }
  if (command.kind !== 'invalidate') return;
  const selection = command.operations.find(({ translations }) => translations !== undefined)?.translations;
  if (selection === undefined) return;
  const { vm = -1, space = -1, pages = selection.guestPages } = selection;
  const tagged = vm >= 0 || space >= 0;
  if (vm >= 0) out.domain[row] = vm;
  if (space >= 0) out[vm >= 0 ? 'pasid' : 'domain'][row] = space;
  if (selection.stage1 === true) flag(out, row, FLAGS.stage1);
  flush(pages, tagged ? FLAGS.domainWide : FLAGS.global, out, row);
}

/** `everything`: how to say that no page is left out. */
function flush(pages: PageRange | undefined, everything: number, out: RowBuilder, row: number): void {
  out.operation[row] = operationCode('flush');
  if (pages && pages.endPage - pages.startPage < ALL_PAGES) {
    out.iovaPage[row] = pages.startPage;
    out.iovaOffset[row] = 0;
    out.size[row] = PAGE * (pages.endPage - pages.startPage);
  } else flag(out, row, everything);
}
