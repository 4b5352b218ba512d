import { type Notes } from './notes';

const UNIT = /^IOMMU: (\S+) Register Base Address: ([0-9a-f]{1,13})$/;
const COLUMNS = /^Name\s+Offset\s+Contents$/;
const ROW = /^([A-Z][A-Za-z0-9_]{1,24})\s+0x[0-9a-f]{1,4}\s+0x([0-9a-f]{1,16})$/;
/** Those that say how tables are read. */
const USED = ['RTADDR', 'GSTS', 'CAP', 'ECAP'];
const MOST_UNITS = 1024;

/** Registers of a unit, as iommu_regset has them. */
export interface UnitRegisters {
  /** Physical address of its registers. */
  readonly base: number;
  readonly values: Map<string, bigint>;
}

/** Rows of Linux' iommu_regset (drivers/iommu/intel/debugfs.c: iommu_regset_show): the registers of each unit by name. */
export class RegisterRows {
  readonly units = new Map<string, UnitRegisters>();
  private current: UnitRegisters | undefined;

  constructor(private readonly notes: Notes) {}

  take(text: string, line: number): boolean {
    const unit = UNIT.exec(text);
    if (unit) {
      this.open(unit[1] ?? '', parseInt(unit[2] ?? '', 16));
      return true;
    }
    if (!this.current) return false;
    const [whole, name = '', value = ''] = ROW.exec(text) ?? [];
    if (whole === undefined) return COLUMNS.test(text);
    const known = this.current.values.get(name);
    if (known !== undefined && known !== BigInt(`0x${value}`)) {
      this.notes.warn(
        'contradiction',
        `Line ${line} says 0x${value} for ${name}, an earlier one 0x${known.toString(16)}.`,
      );
    } else if (USED.includes(name)) this.current.values.set(name, BigInt(`0x${value}`));
    return true;
  }

  end(): void {
    this.current = undefined;
  }

  private open(name: string, base: number): void {
    if (this.units.size >= MOST_UNITS) return;
    this.current = this.units.get(name) ?? { base, values: new Map() };
    this.units.set(name, this.current);
  }
}
