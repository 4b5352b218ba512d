import { sizedAddress } from '../../../iommu/vendors/ranges';
import { invalidateRequest, riscvCommands } from '../../../iommu/vendors/riscv/commands';
import { type Pasid, type RequesterId } from '../../../values';
import { type RiscvCapabilities } from '../../capabilities/riscv';
import { type DriverPolicy } from '../../driverFaults';
import { type FlushRange } from '../../flusher';
import { addressOf, blockOf, EVERY_ORDER, wholeLeaves, type Block } from '../common/ranges';
import { type EncodedCommand } from '../common/encodedCommand';

// The commands that the driver uses (RISC-V IOMMU 1.0 §3.1).

/** Commands by address after which the whole address space is cheaper. */
const MOST_COMMANDS = 512;

const named = (name: string, words: readonly bigint[]): EncodedCommand => ({ name, words });

export const invalidateEverything = (): EncodedCommand[] => [
  named('IODIR.INVAL_DDT', riscvCommands.invalidateDevice({})),
  named('IOTINVAL.VMA', riscvCommands.invalidateVma({})),
  named('IOTINVAL.GVMA', riscvCommands.invalidateGvma({})),
];

export const invalidateDevice = (requester: RequesterId): EncodedCommand =>
  named('IODIR.INVAL_DDT', riscvCommands.invalidateDevice({ DV: true, DID: requester }));

export const invalidateProcess = (requester: RequesterId, pasid: Pasid | null): EncodedCommand =>
  named('IODIR.INVAL_PDT', riscvCommands.invalidateProcess({ DV: true, DID: requester, PID: pasid ?? 0 }));

/** Null: every page. */
export function invalidateDeviceTlb(
  requester: RequesterId,
  pasid: Pasid | null,
  block: Block | null,
): EncodedCommand {
  const { startPage, order } = block ?? { startPage: 0, order: EVERY_ORDER };
  const segment = requester > 0xffff ? { DSV: true, DSEG: requester >> 16 } : {};
  const process = pasid === null ? {} : { PV: true, PID: pasid };
  const PAYLOAD = invalidateRequest(addressOf(startPage), order);
  const words = riscvCommands.invalidateDeviceTlb({
    RID: requester & 0xffff,
    ...segment,
    ...process,
    PAYLOAD,
  });
  return named('ATS.INVAL', words);
}

/** A first stage of the kernel's own, a second stage, or all first stages over that one. */
export type Target =
  | { readonly kind: 'first'; readonly process: number }
  | { readonly kind: 'second'; readonly guest: number }
  | { readonly kind: 'nested'; readonly guest: number };

interface Where {
  readonly AV?: boolean;
  readonly NL?: boolean;
  readonly S?: boolean;
  readonly ADDR?: bigint;
}

function command(target: Target, where: Where): EncodedCommand {
  switch (target.kind) {
    case 'first':
      return named(
        'IOTINVAL.VMA',
        riscvCommands.invalidateVma({ PSCV: true, PSCID: target.process, ...where }),
      );
    case 'second':
      return named(
        'IOTINVAL.GVMA',
        riscvCommands.invalidateGvma({ GV: true, GSCID: target.guest, ...where }),
      );
    case 'nested':
      return named('IOTINVAL.VMA', riscvCommands.invalidateVma({ GV: true, GSCID: target.guest, ...where }));
  }
}

export const invalidateAll = (target: Target): EncodedCommand => command(target, {});

/**
 * Removes a range, by one command where capabilities.S is 1, else by one a leaf; all of the target where that takes too many,
 * and where table pointers changed that only NL = 1 could reach.
 */
export function invalidateRange(
  target: Target,
  range: FlushRange,
  { nonLeafInvalidation, rangeInvalidation }: RiscvCapabilities,
  policy: DriverPolicy,
): EncodedCommand[] {
  if (range.tables && !nonLeafInvalidation) return [invalidateAll(target)];
  const levels = range.tables ? { NL: true } : {};
  if (rangeInvalidation) {
    const { startPage, order } = blockOf(range, policy);
    const address = addressOf(startPage);
    const where = order === 0 ? { ADDR: address } : { S: true, ADDR: sizedAddress(address, order) };
    return order >= EVERY_ORDER
      ? [invalidateAll(target)]
      : [command(target, { AV: true, ...levels, ...where })];
  }
  const { start, end } = wholeLeaves(range);
  const step = 2 ** (range.smallestShift - 12);
  const count = Math.ceil((end - start) / step);
  if (count > MOST_COMMANDS) return [invalidateAll(target)];
  return Array.from({ length: count }, (_, index) =>
    command(target, { AV: true, ...levels, ADDR: addressOf(start + index * step) }),
  );
}
