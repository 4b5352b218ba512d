import { type Failure } from '../result';
import { hex } from '../values';
import { type AcpiTable } from './acpiTable';

/** More than this many tell nothing new. */
const MAX_PROBLEMS = 50;

/** Collects what is wrong in one table. */
export class TableProblems {
  readonly list: Failure[] = [];

  constructor(private readonly table: AcpiTable) {}

  /** `what` ends the sentence "DMAR at 0x…, offset 0x30: …". */
  report(offset: number, what: string): void {
    if (this.list.length >= MAX_PROBLEMS) return;
    const { signature, address } = this.table;
    this.list.push({
      code: 'firmware/structure',
      message: `${signature} at ${hex(address)}, offset ${hex(offset)}: ${what}.`,
      hint: 'It is skipped. Say in the description which devices each IOMMU owns ("requesters").',
    });
  }
}
