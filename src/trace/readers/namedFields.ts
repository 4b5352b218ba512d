import { RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { operationCode } from '../model/operation';
import { type LineScanner } from '../text/lineScanner';
import { type Field, FIELDS, isDeviceField, operationOf, type Pending } from './fieldRules';
import { nanosecondsOf, type TimeUnit } from './fieldTexts';

const PAGE = 4096;
const SECOND = 1e9;
const NANO_DIGITS = 9;
const [MINUS, DOT] = [0x2d, 0x2e];
/** Names of one kind at most: a file of noise has a new one in every row. */
const MOST_NAMES = 65_536;
const OTHER = operationCode('other');

const TIME = /^(?:time|timestamp|ts)(s|sec|seconds|ms|us|ns)?$/;
/** Columns that an export has beside what rows keep: numbers and names that are made anew, and the line that was read before. */
const DERIVED = new Set(['row', 'space', 'line']);
/** Columns that a trace has and hardly anything else. */
const ABOUT = new Set(['iova', 'dmaaddr', 'operation', 'op', 'event']);

const plain = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/[-_\s]/g, '');

/** The unit of a column that has times; undefined for others. */
export function timeUnit(name: string): TimeUnit | undefined {
  const match = TIME.exec(plain(name));
  if (!match) return undefined;
  const [, unit = 's'] = match;
  return unit === 'ms' || unit === 'us' || unit === 'ns' ? unit : 's';
}

/** Whether a column names devices. */
export const namesDevice = (name: string): boolean => isDeviceField(plain(name));

/** How sure it is that columns with these names are those of a trace: 0 to 1. */
export function sureOfColumns(names: readonly string[]): number {
  const keys = names.map(plain);
  const known = keys.filter((key) => FIELDS.has(key) || DERIVED.has(key) || TIME.test(key)).length;
  return known >= 2 && keys.some((key) => ABOUT.has(key)) ? 0.5 + known / (2 * keys.length) : 0;
}

/** What every row begins with. */
const NOTHING = {
  row: 0,
  task: undefined,
  pid: null,
  device: undefined,
  operation: undefined,
  event: undefined,
  endPage: Number.NaN,
  endOffset: Number.NaN,
} as const;
/** Before the first row. */
const NO_ROWS = new RowBuilder(0);

/** Rows of formats whose fields have names. */
export class NamedFields {
  readonly #names: TraceNames;
  readonly #origin: bigint;
  readonly #fields = new Map<string, Field | undefined>();
  readonly #pending: Pending = { ...NOTHING, out: NO_ROWS };
  /** The task of the last row that had one. */
  #task: { readonly name: string | undefined; readonly pid: number | null; readonly id: number } | undefined;

  /** `origin`: nanoseconds that times count from; whole seconds. */
  constructor(names: TraceNames, origin: bigint) {
    this.#names = names;
    this.#origin = origin;
  }

  /** The field that a column has; undefined for what rows have no place for. */
  field(name: string): Field | undefined {
    const known = this.#fields.get(name);
    if (known || this.#fields.has(name)) return known;
    const unit = timeUnit(name);
    const field = unit === undefined ? FIELDS.get(plain(name)) : this.#time(unit);
    if (this.#fields.size < MOST_NAMES) this.#fields.set(name, field);
    return field;
  }

  /** Begins a row of what stands at `offset`: what its fields are put into. `finish` or `out.drop` must follow. */
  begin(offset: number, length: number, out: RowBuilder): Pending {
    return Object.assign(this.#pending, NOTHING, { out, row: out.begin(offset, length, OTHER) });
  }

  /** Finishes the row; false when its fields contradict each other, and the row is to be dropped. */
  finish(): boolean {
    const { out, row, task, pid, device, event, endPage } = this.#pending;
    const { events, devices } = this.#names;
    const operation = this.#pending.operation ?? (event === undefined ? undefined : operationOf(event));
    if (operation !== undefined) out.operation[row] = operationCode(operation);
    if (event !== undefined) {
      if (events.size >= MOST_NAMES && events.find(event) === undefined) return false;
      out.event[row] = events.id(event);
    }
    if (device !== undefined) {
      if (devices.size >= MOST_NAMES && devices.find(device) === undefined) return false;
      out.device[row] = devices.id(device);
    }
    if (task !== undefined || pid !== null) out.task[row] = this.#taskOf(task, pid);
    return Number.isNaN(endPage) || this.#sized();
  }

  #taskOf(name: string | undefined, pid: number | null): number {
    if (this.#task?.name !== name || this.#task?.pid !== pid) {
      this.#task = { name, pid, id: this.#names.tasks.id({ name: name ?? '', pid, tgid: null }) };
    }
    return this.#task.id;
  }

  /** The size of a range whose end was given. */
  #sized(): boolean {
    const { out, row, endPage, endOffset } = this.#pending;
    const size = (endPage - (out.iovaPage[row] ?? 0)) * PAGE + endOffset - (out.iovaOffset[row] ?? 0);
    if (Number.isNaN(out.size[row])) out.size[row] = size;
    return !(size < 0);
  }

  #time(unit: TimeUnit): Field {
    const origin = this.#origin;
    const second = Number(origin) / SECOND;
    const text: Field['text'] = (written, { out, row }) => {
      const time = nanosecondsOf(written, unit);
      if (time !== undefined) out.time[row] = Number(time - origin);
      return time !== undefined;
    };
    if (unit !== 's') return { text };
    return {
      text,
      bytes(scanner: LineScanner, { out, row }) {
        // Minus zero is not below zero.
        if (scanner.bytes[scanner.at] === MINUS) return false;
        const seconds = scanner.decimal();
        if (!(seconds >= 0 && Number.isSafeInteger(seconds))) return false;
        let below = 0;
        if (scanner.bytes[scanner.at] === DOT) {
          const first = ++scanner.at;
          const fraction = scanner.decimal();
          const digits = scanner.at - first;
          if (!(fraction >= 0) || digits > NANO_DIGITS) return false;
          below = fraction * 10 ** (NANO_DIGITS - digits);
        }
        if (!scanner.done) return false;
        out.time[row] = (seconds - second) * SECOND + below;
        return true;
      },
    };
  }
}
