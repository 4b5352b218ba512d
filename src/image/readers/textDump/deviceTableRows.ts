import { type NamedDevice, parseDevice } from '../../../engine/values';
import { halvesOf } from './hex';
import { type Notes } from './notes';

const MOST_ROWS = 262_144;
const COLUMNS = /^DeviceId\s+QWORD\[3\]\s+QWORD\[2\]\s+QWORD\[1\]\s+QWORD\[0\]\s+iommu$/;
const ROW =
  /^([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+([0-9a-f]{16})\s+([0-9a-f]{16})\s+([0-9a-f]{16})\s+([0-9a-f]{16})\s+(iommu\d{1,5})$/;

/** A device table entry, as devtbl has it: words lowest first. */
export interface DeviceTableRow {
  readonly line: number;
  readonly device: NamedDevice;
  readonly iommu: string;
  readonly words: readonly { readonly lo: number; readonly hi: number }[];
}

/** Rows of Linux' devtbl (drivers/iommu/amd/debugfs.c: dump_dte): a line of column names before each, words highest first. */
export class DeviceTableRows {
  readonly rows: DeviceTableRow[] = [];

  constructor(private readonly notes: Notes) {}

  take(text: string, line: number): boolean {
    if (COLUMNS.test(text)) return true;
    const [whole, name = '', third = '', second = '', first = '', zeroth = '', iommu = ''] =
      ROW.exec(text) ?? [];
    const device = parseDevice(name);
    if (whole === undefined || !device) return false;
    if (this.rows.length >= MOST_ROWS) {
      this.notes.warn('too-many-rows', `Line ${line}: only the first ${MOST_ROWS} entries of devices count.`);
    } else {
      this.rows.push({ line, device, iommu, words: [zeroth, first, second, third].map(halvesOf) });
    }
    return true;
  }
}
