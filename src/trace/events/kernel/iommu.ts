import { type RowBuilder } from '../../model/columns';
import { type Operation } from '../../model/operation';
import { type LineScanner, literal } from '../../text/lineScanner';
import { type EventRule } from '../eventRule';
import { accessFlag, atEnd, BLANK, endsAt, flag, readDevice, readIova, readPaddr, readSize } from './fields';

const [IOMMU, IOVA, TO] = [literal('IOMMU: '), literal('iova='), literal(' - ')];
const [PADDR, SIZE, UNMAPPED] = [literal(' paddr='), literal(' size='), literal(' unmapped_size=')];
const [GROUP, DEVICE, BARE] = [literal('groupID='), literal('device='), literal('IOMMU:')];
const [FAULT_IOVA, FAULT_FLAGS] = [literal(' iova='), literal(' flags=')];
/** include/linux/iommu.h: IOMMU_FAULT_WRITE; without it the request read. */
const FAULT_WRITE = 1;

/** `iova=0x.. - 0x.. ` or the older `iova=0x..`; the end stays in the scanner. True when there is an end, false when not. */
function readRange(scanner: LineScanner, out: RowBuilder, row: number): boolean | undefined {
  if (!scanner.skip(IOMMU) || !scanner.skip(IOVA) || !readIova(scanner, out, row)) return undefined;
  if (!scanner.skip(TO)) return false;
  return scanner.address() ? true : undefined;
}

/**
 * Linux include/trace/events/iommu.h, map: `IOMMU: iova=0x%016llx - 0x%016llx paddr=0x%016llx size=%zu`; in older kernels
 * `IOMMU: iova=0x%016llx paddr=0x%016llx size=%zu`.
 */
const map: EventRule = {
  event: 'map',
  operation: 'map',
  read(scanner, out, row) {
    const range = readRange(scanner, out, row);
    if (range === undefined) return false;
    const { page, offset } = scanner;
    if (!scanner.skip(PADDR) || !readPaddr(scanner, out, row)) return false;
    if (!scanner.skip(SIZE) || !readSize(scanner, out, row)) return false;
    return (!range || endsAt(out, row, page, offset)) && atEnd(scanner);
  },
};

/** unmap: `IOMMU: iova=0x%016llx - 0x%016llx size=%zu unmapped_size=%zu`; in older kernels without the end. */
const unmap: EventRule = {
  event: 'unmap',
  operation: 'unmap',
  read(scanner, out, row) {
    const range = readRange(scanner, out, row);
    if (range === undefined) return false;
    const { page, offset } = scanner;
    if (!scanner.skip(SIZE) || !readSize(scanner, out, row)) return false;
    if (!scanner.skip(UNMAPPED)) return false;
    const done = scanner.decimal();
    if (!(done >= 0)) return false;
    if (done !== out.size[row]) out.done[row] = done;
    return (!range || endsAt(out, row, page, offset)) && atEnd(scanner);
  },
};

/** iommu_group_event: `IOMMU: groupID=%d device=%s`. The column `count` is the group. */
const group = (event: string, operation: Operation): EventRule => ({
  event,
  operation,
  read(scanner, out, row, names) {
    if (!scanner.skip(IOMMU) || !scanner.skip(GROUP)) return false;
    const number = scanner.decimal();
    if (Number.isNaN(number) || !scanner.skip(BLANK) || !scanner.skip(DEVICE)) return false;
    out.count[row] = number;
    return readDevice(scanner, out, row, names) && atEnd(scanner);
  },
});

/** iommu_device_event: `IOMMU: device=%s`. */
const device = (event: string, operation: Operation): EventRule => ({
  event,
  operation,
  read(scanner, out, row, names) {
    if (!scanner.skip(IOMMU) || !scanner.skip(DEVICE)) return false;
    return readDevice(scanner, out, row, names) && atEnd(scanner);
  },
});

/** iommu_error: `IOMMU:%s %s iova=0x%016llx flags=0x%04x`, driver and device. */
const fault: EventRule = {
  event: 'io_page_fault',
  operation: 'fault',
  read(scanner, out, row, names) {
    if (!scanner.skip(BARE)) return false;
    // A device without a driver prints an empty name in front of the space.
    scanner.word();
    if (!scanner.skip(BLANK) || !readDevice(scanner, out, row, names)) return false;
    if (!scanner.skip(FAULT_IOVA) || !readIova(scanner, out, row) || !scanner.skip(FAULT_FLAGS)) return false;
    const flags = scanner.hex();
    if (Number.isNaN(flags)) return false;
    flag(out, row, accessFlag(flags % 2 === FAULT_WRITE));
    return atEnd(scanner);
  },
};

/** The system `iommu`. */
export const IOMMU_EVENTS: readonly EventRule[] = [
  map,
  unmap,
  group('add_device_to_group', 'attach'),
  group('remove_device_from_group', 'detach'),
  device('attach_device_to_domain', 'attach'),
  device('detach_device_from_domain', 'detach'),
  fault,
];
