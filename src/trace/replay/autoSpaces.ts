import { type TraceTable } from '../model/table';
import {
  ATTACH,
  ChunkRows,
  contextOf,
  DETACH,
  DMA_MAP,
  DMA_UNMAP,
  FAULT,
  FLUSH,
  keep,
  MAP,
  ROWS_PER_YIELD,
  TRANSLATE,
  UNMAP,
} from './chunkRows';
import { DeviceIdentity } from './deviceIdentity';
import { readDmaHints } from './dmaHints';
import { Overlays } from './overlays';
import { RANGE_COLUMNS, RowRange } from './rowRange';
import { putSpace, spaceAt, type SpaceIndex } from './spaceIndex';
import { checkMappings } from './tooMany';

const COLUMNS = [...RANGE_COLUMNS, 'cpu', 'task', 'device', 'domain'] as const;
type Columns = ChunkRows<(typeof COLUMNS)[number]>['columns'];

/** What a task unmapped last on a CPU: the flush that follows is of the same space. */
interface Unmapped {
  readonly space: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Tells spaces apart by what the trace has: by the device that a row names; by the device of the DMA API's event around it; by the
 * domain it names; else by what can be mapped at the same time (overlays.ts).
 */
export function* tellByThemselves(table: TraceTable, index: SpaceIndex): Generator<number, void> {
  const devices = new DeviceIdentity(table, index);
  yield* devices.readGroups();
  const hinted = yield* readDmaHints(table, index, devices);
  const teller = new AutoSpaces(index, devices);
  const rows = new ChunkRows(COLUMNS);
  for (let chunk = 0; chunk < table.chunks.length; chunk++) {
    rows.load(table, chunk);
    teller.check(rows.first);
    const spaces = index.chunk(chunk);
    for (let from = 0; from < rows.rows;) {
      const to = Math.min(rows.rows, from + teller.rowsPerYield);
      teller.read(rows, spaces, from, to);
      yield to - from;
      from = to;
    }
  }
  teller.note(hinted);
}

class AutoSpaces {
  readonly #index: SpaceIndex;
  readonly #devices: DeviceIdentity;
  readonly #overlays: Overlays;
  readonly #range = new RowRange();
  readonly #domains = new Map<number, number>();
  /** The space that a domain's number stood for last; -1: for several. */
  readonly #links = new Map<number, number>();
  readonly #unmapped = new Map<number, Unmapped>();
  #row = 0;
  #mapped = 0;
  #unnamed = 0;

  constructor(index: SpaceIndex, devices: DeviceIdentity) {
    this.#index = index;
    this.#devices = devices;
    this.#overlays = new Overlays(index);
  }

  read(
    { columns, first }: ChunkRows<(typeof COLUMNS)[number]>,
    spaces: Uint16Array,
    from: number,
    to: number,
  ): void {
    const { operation } = columns;
    for (let row = from; row < to; row++) {
      this.#row = first + row;
      const code = operation[row] ?? 0;
      if (code === MAP) putSpace(spaces, row, this.#map(columns, row, spaceAt(spaces, row)));
      else if (code === UNMAP) putSpace(spaces, row, this.#unmap(columns, row, spaceAt(spaces, row)));
      else if (code === FLUSH) putSpace(spaces, row, this.#flush(columns, row));
      else if (code === TRANSLATE || code === FAULT) putSpace(spaces, row, this.#named(columns, row));
      else if (code === ATTACH || code === DETACH || code === DMA_MAP || code === DMA_UNMAP)
        putSpace(spaces, row, this.#devices.known(columns.device[row] ?? Number.NaN));
    }
  }

  /** Throws TooManyMappings. */
  check(row: number): void {
    checkMappings(this.#overlays.live, row);
  }

  /** Rows of which each may ask all spaces that there are: a few milliseconds. */
  get rowsPerYield(): number {
    return Math.ceil(ROWS_PER_YIELD / (1 + this.#overlays.asked / 8));
  }

  /** What the trace did not let be told apart. */
  note(hinted: boolean): void {
    const { notes } = this.#index;
    const { unnamed, ambiguous, crowded } = this.#overlays;
    const many = (count: number): string => count.toLocaleString('en');
    if (this.#unnamed > 0) {
      const which = hinted
        ? `${many(this.#unnamed)} of ${many(this.#mapped)} maps have no event that names their device`
        : 'The trace does not name the devices of its maps';
      const into =
        unnamed === 1
          ? 'one address space holds them all'
          : `by what was mapped at the same time at the same IOVA there are at least ${unnamed} address spaces`;
      notes.push({
        code: 'trace/no-device-names',
        message: `${which}: ${into}.`,
        hint: 'Split the trace by rules, or record the events dma:* too: they name the device of each buffer. Until then a map over a live mapping opens another address space, so no double-map is found there.',
      });
    }
    if (ambiguous > 0) {
      notes.push({
        code: 'trace/ambiguous-unmaps',
        message: `Unmaps that fit mappings of several address spaces: ${many(ambiguous)}; each took the mapping that was made last.`,
        hint: 'Which of them really went is not in the trace: physical addresses of these IOVAs may be another space’s.',
      });
    }
    if (crowded > 0) {
      notes.push({
        code: 'trace/crowded',
        message: `Maps of IOVAs that all ${unnamed} address spaces map: ${many(crowded)}. Unmaps seem to be missing.`,
        hint: 'Record iommu:unmap too, or look at lost events.',
      });
    }
  }

  #map(columns: Columns, row: number, hint: number): number {
    const named = hint >= 0 ? hint : this.#named(columns, row);
    if (this.#range.mapped(columns, row)) return named;
    const { start, end, frame } = this.#range;
    this.#mapped++;
    if (named < 0) this.#unnamed++;
    const space = named >= 0 ? named : this.#overlays.spaceToMap(start, end, columns.task[row] ?? -1);
    this.#overlays.map(space, start, end, frame, this.#row);
    return space;
  }

  #unmap(columns: Columns, row: number, hint: number): number {
    const named = hint >= 0 ? hint : this.#named(columns, row);
    if (this.#range.unmapped(columns, row)) return named;
    const { start, end } = this.#range;
    const asked = start + this.#range.asked;
    let space = named;
    // The map may have been without an event that names the device.
    if (space < 0 || !this.#overlays.at(space).meets(start, asked)) {
      const holder = this.#overlays.spaceToUnmap(start, end > start ? end : asked);
      if (space < 0 || (holder >= 0 && hint >= 0)) space = holder;
      if (space < 0) space = this.#overlays.lastOf(columns.task[row] ?? -1);
    }
    if (space < 0) return -1;
    this.#overlays.at(space).unmap(start, end);
    keep(this.#unmapped, contextOf(columns, row), { space, start, end: asked });
    return space;
  }

  /** Of the unmap that the same task did just before on this CPU, if it meets its pages; else of the device, or the domain. */
  #flush(columns: Columns, row: number): number {
    const domain = columns.domain[row] ?? Number.NaN;
    const before = this.#unmapped.get(contextOf(columns, row));
    if (before && this.#range.touched(columns, row)) {
      const { start, end } = this.#range;
      if (start < before.end && end > before.start) {
        if (!Number.isNaN(domain)) keep(this.#links, domain, before.space);
        return before.space;
      }
    }
    const known = this.#devices.known(columns.device[row] ?? Number.NaN);
    return known >= 0 ? known : (this.#links.get(domain) ?? this.#domains.get(domain) ?? -1);
  }

  /** By the device that the row names, else by the domain; -1: it names neither. */
  #named(columns: Columns, row: number): number {
    const [device = Number.NaN, domain = Number.NaN] = [columns.device[row], columns.domain[row]];
    if (!Number.isNaN(device)) {
      const space = this.#devices.space(device);
      if (!Number.isNaN(domain)) keep(this.#links, domain, this.#linked(domain, space));
      return space;
    }
    if (Number.isNaN(domain)) return -1;
    const link = this.#links.get(domain) ?? -1;
    if (link >= 0) return link;
    const known = this.#domains.get(domain) ?? this.#index.add(`domain ${domain}`);
    keep(this.#domains, domain, known);
    return known;
  }

  #linked(domain: number, space: number): number {
    const before = this.#links.get(domain) ?? space;
    return before === space ? space : -1;
  }
}
