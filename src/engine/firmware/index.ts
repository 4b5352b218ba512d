import { type Failure } from '../result';
import { formatRequester, requesterId } from '../values';
import { type AcpiTable, type TableSignature } from './acpiTable';
import { readDmar } from './dmar';
import { readIort } from './iort';
import { readIvrs } from './ivrs';
import { decide, type FirmwareIommu, type Ownership, type TableContents } from './ownership';

export { type AcpiTable, type TableSignature } from './acpiTable';
export { type FirmwareIommu, type FirmwareIommuKind, type Owner, type Ownership } from './ownership';
export { type FoundTables, tablesOfRootPointer } from './rootPointer';
export { type ByteRange, scanForTables } from './scan';

/** One reader a table; each answers alike. */
const READERS: Readonly<Record<TableSignature, (table: AcpiTable) => TableContents>> = {
  DMAR: readDmar,
  IVRS: readIvrs,
  IORT: readIort,
};

/** What the firmware says about the machine's IOMMUs. */
export interface FirmwareOwnership {
  /** In the order of the tables; the same registers once. Empty when there were no tables. */
  readonly iommus: readonly FirmwareIommu[];
  /** What could not be read, at most 50 a table. */
  readonly problems: readonly Failure[];
  /** Which IOMMU owns the PCI device with this requester id (16 bits) on a segment. */
  readonly ownerOf: (segment: number, requester: number) => Ownership;
}

/** Reads the tables that `tablesOfRootPointer` or `scanForTables` found. */
export function readFirmware(tables: readonly AcpiTable[]): FirmwareOwnership {
  const contents = tables.map((table) => READERS[table.signature](table));
  const iommus = new Map<string, FirmwareIommu>();
  for (const iommu of contents.flatMap((each) => each.iommus)) {
    const key = `${iommu.kind} ${iommu.base}`;
    if (!iommus.has(key)) iommus.set(key, iommu);
  }
  return {
    iommus: [...iommus.values()],
    problems: contents.flatMap(({ problems }) => problems),
    ownerOf: (segment, requester) => {
      const device = `${segment.toString(16).padStart(4, '0')}:${formatRequester(requesterId(requester))}`;
      return decide(
        contents.flatMap((each) => each.claims(segment, requester)),
        device,
      );
    },
  };
}
