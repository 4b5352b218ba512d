import { frameHalves, parseRequester, type RequesterId } from '../../../engine/values';
import { frameAt, halvesOf } from './hex';
import { type FrameStore } from './frameStore';
import { type Notes } from './notes';
import { type InventedFrames } from './inventedFrames';

const MOST_UNITS = 1024;
/** Rows that are kept: a machine has few thousands. */
const MOST_ROWS = 262_144;
const UNIT = /^IOMMU (\S+): Root Table Address: 0x([0-9a-f]{1,16})$/;
const OFF = /^DMA Remapping is not enabled on (\S+)$/;
const COLUMNS = /^(?:B\.D\.F\s+Root_entry)?\s*(?:Context_entry)?\s*(?:PASID\s+PASID_table_entry)?$/;
const PAIR = '0x([0-9a-f]{16}):0x([0-9a-f]{16})';
const PROCESS = `(-?\\d{1,7})\\s+0x([0-9a-f]{16}):${PAIR}`;
const ROW = new RegExp(
  `^([0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])\\s+${PAIR}(?:\\s+${PAIR}(?:\\s+${PROCESS})?)?$`,
  'i',
);
const CONTEXT_ROW = new RegExp(`^${PAIR}$`, 'i');
const PROCESS_ROW = new RegExp(`^${PROCESS}$`, 'i');

interface Halves {
  readonly lo: number;
  readonly hi: number;
}

/** One present context entry, or one present PASID-table entry below it; words lowest first. */
interface Row {
  readonly line: number;
  readonly requester: RequesterId;
  readonly root: readonly Halves[];
  context?: readonly Halves[];
  /** -1: legacy mode has none. */
  pasid?: number;
  process?: readonly Halves[];
}

/** A remapping unit, as dmar_translation_struct has it. */
export interface DmarUnit {
  readonly name: string;
  readonly line: number;
  /** Halves of the root table's address; undefined: translation is off. */
  readonly rootTable: Halves | undefined;
  readonly rows: Row[];
  /** Set when the rows are placed. */
  scalable: boolean;
}

/**
 * Rows of Linux' dmar_translation_struct (drivers/iommu/intel/debugfs.c: root_tbl_walk, ctx_tbl_walk, pasid_tbl_walk): one for
 * each present context entry in legacy mode (PASID -1), for each present PASID-table entry in scalable mode. Words are printed
 * highest first. The kernel's ABI document breaks rows into three blocks of columns.
 */
export class DmarUnits {
  readonly units: DmarUnit[] = [];
  private current: DmarUnit | undefined;
  /** First row of the page of a wrapped dump, and the row that the next line of its second or third block belongs to. */
  private pageStart = 0;
  private continued = 0;
  private rows = 0;

  constructor(private readonly notes: Notes) {}

  take(text: string, line: number): boolean {
    const unit = UNIT.exec(text) ?? OFF.exec(text);
    if (unit) {
      this.open(unit[1] ?? '', unit[2], line);
      return true;
    }
    const { current } = this;
    if (!current) return false;
    if (text !== '' && COLUMNS.test(text)) {
      if (text.startsWith('B')) this.pageStart = current.rows.length;
      this.continued = this.pageStart;
      return true;
    }
    return this.takeRow(current, text, line);
  }

  end(): void {
    this.current = undefined;
  }

  /** Puts every entry at its address, as far as the addresses are known. */
  place(store: FrameStore, invented: InventedFrames): void {
    for (const unit of this.units) {
      unit.scalable = unit.rows.some(({ pasid }) => pasid !== undefined && pasid >= 0);
      for (const row of unit.rows) this.placeRow(store, invented, unit, row);
    }
  }

  private open(name: string, root: string | undefined, line: number): void {
    this.current = undefined;
    const rootTable = root === undefined ? undefined : halvesOf(root);
    const known = this.units.find((unit) => unit.name === name);
    const same = known && known.rootTable?.lo === rootTable?.lo && known.rootTable?.hi === rootTable?.hi;
    if (known && same) {
      this.current = known;
    } else if (known) {
      this.notes.warn(
        'contradiction',
        `Line ${line} says something else of ${name} than line ${known.line}: line ${known.line} is believed.`,
        'Put dumps of different machines or times into different files.',
      );
    } else if (this.units.length >= MOST_UNITS) {
      this.notes.warn('too-many-units', `Line ${line}: only the first ${MOST_UNITS} IOMMUs count.`);
    } else if (rootTable && ((rootTable.lo & 0xfff) !== 0 || rootTable.hi >= 0x100000)) {
      this.notes.badLine('has a root table at an impossible address', `IOMMU ${name}: 0x${root ?? ''}`, line);
    } else {
      this.current = { name, line, rootTable, rows: [], scalable: false };
      this.units.push(this.current);
    }
    this.pageStart = this.current?.rows.length ?? 0;
    this.continued = this.pageStart;
  }

  private takeRow(unit: DmarUnit, text: string, line: number): boolean {
    const [whole, name = '', rootHi = '', rootLo = '', contextHi, contextLo = '', ...process] =
      ROW.exec(text) ?? [];
    if (whole !== undefined) {
      const requester = parseRequester(name);
      if (requester === undefined) return false;
      if (this.rows++ >= MOST_ROWS) {
        this.notes.warn(
          'too-many-rows',
          `Line ${line}: only the first ${MOST_ROWS} entries of devices count.`,
        );
        return true;
      }
      const row: Row = { line, requester, root: [halvesOf(rootLo), halvesOf(rootHi)] };
      if (contextHi !== undefined) row.context = [halvesOf(contextLo), halvesOf(contextHi)];
      takeProcess(row, process);
      unit.rows.push(row);
      return true;
    }
    const row = unit.rows[this.continued];
    if (!row) return false;
    const context = CONTEXT_ROW.exec(text);
    const found = PROCESS_ROW.exec(text);
    if (context) row.context = [halvesOf(context[2] ?? ''), halvesOf(context[1] ?? '')];
    else if (found) takeProcess(row, found.slice(1));
    else return false;
    this.continued++;
    return true;
  }

  private placeRow(store: FrameStore, invented: InventedFrames, unit: DmarUnit, row: Row): void {
    const { requester, root, context, line, pasid, process } = row;
    if (!unit.rootTable) return;
    const table = frameAt(unit.rootTable.lo, unit.rootTable.hi);
    this.placeWords(store, table, 2 * (requester >> 8), root, line);
    const function_ = requester & 0xff;
    const upper = unit.scalable && function_ >= 128;
    const pointer = root[upper ? 1 : 0];
    if (!context || !pointer) return;
    const index = unit.scalable ? 4 * (function_ & 127) : 2 * function_;
    this.placeWords(store, frameAt(pointer.lo, pointer.hi), index, context, line);
    if (!unit.scalable) return;
    const [control] = context;
    if (!control || !process || pasid === undefined || pasid < 0 || pasid >= 2 ** 20) {
      this.notes.warn(
        'mode',
        `Line ${line} is of legacy mode, and others of ${unit.name} are of scalable mode.`,
      );
      return;
    }
    // The entry of the PASID directory is not printed, so that the address of the PASID table is not known.
    const directory = frameAt(control.lo, control.hi);
    const group = pasid >> 6;
    const place = invented.frame(`${directory} ${group}`);
    this.placeWords(store, place, 8 * (pasid & 63), process, line);
    const { lo, hi } = frameHalves(place);
    store.assume(directory + (group >> 9), group & 511, lo + 1, hi);
  }

  private placeWords(
    store: FrameStore,
    frame: number,
    index: number,
    words: readonly Halves[],
    line: number,
  ): void {
    words.forEach(({ lo, hi }, word) => {
      this.notes.place(store, frame, index + word, lo, hi, line);
    });
  }
}

function takeProcess(
  row: Row,
  [pasid, high = '', middle = '', low = '']: readonly (string | undefined)[],
): void {
  if (pasid === undefined) return;
  row.pasid = parseInt(pasid, 10);
  row.process = [halvesOf(low), halvesOf(middle), halvesOf(high)];
}
