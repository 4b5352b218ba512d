import { KERNEL_EVENTS } from '../events/kernel';
import { QEMU_EVENTS } from '../events/qemu';
import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { FLAGS, OPERATIONS, type Operation, operationCode } from '../model/operation';
import { addressOf, integerOf, nanosecondsOf, type TimeUnit } from './fieldTexts';

/** Puts the text of one field into a row; false when it is none of what the field has. */
type Field = (text: string, out: RowBuilder, row: number, pending: Pending) => boolean;

/** What is known of a row before all of its fields were read. */
interface Pending {
  task: string | undefined;
  pid: number | null;
  operation: Operation | undefined;
  event: string | undefined;
  /** Page number and offset of the end. */
  end: readonly [page: number, offset: number] | undefined;
}

const PAGE = 4096;
/** Names of one kind at most: a file of noise has a new one in every row. */
const MOST_NAMES = 65_536;

/** What other tools call an operation. */
const OPERATION_NAMES: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries(OPERATIONS.map((operation) => [operation, operation])),
  inv: 'flush',
  inval: 'flush',
  invalidate: 'flush',
  tlbi: 'flush',
  'iotlb-inv': 'flush',
  translation: 'translate',
  'page-fault': 'fault',
  'io-page-fault': 'fault',
};

/** What other tools call an access: a letter a right, or the direction of the DMA API. */
const ACCESSES: Readonly<Record<string, number>> = {
  r: FLAGS.read,
  ro: FLAGS.read,
  to_device: FLAGS.read,
  w: FLAGS.write,
  wo: FLAGS.write,
  from_device: FLAGS.write,
  rw: FLAGS.read | FLAGS.write,
  bidirectional: FLAGS.read | FLAGS.write,
};
const FLAG_BITS = new Map<string, number>([...Object.entries(ACCESSES), ...Object.entries(FLAGS)]);

const integer =
  (column: 'cpu' | 'size' | 'domain' | 'pasid' | 'done' | 'count'): Field =>
  (text, out, row) => {
    const value = integerOf(text);
    if (value === undefined) return false;
    out[column][row] = value;
    return true;
  };

const address =
  (page: 'iovaPage' | 'paddrPage', offset: 'iovaOffset' | 'paddrOffset'): Field =>
  (text, out, row) => {
    const value = addressOf(text);
    if (value === undefined) return false;
    [out[page][row], out[offset][row]] = value;
    return true;
  };

const end: Field = (text, _out, _row, pending) => {
  pending.end = addressOf(text);
  return pending.end !== undefined;
};
const task: Field = (text, _out, _row, pending) => {
  pending.task = text;
  return true;
};
const pid: Field = (text, _out, _row, pending) => {
  pending.pid = integerOf(text) ?? null;
  return pending.pid !== null;
};
const event: Field = (text, _out, _row, pending) => {
  pending.event = text;
  return true;
};
/** A word that is none of ours is an event of its own name. */
const operation: Field = (text, _out, _row, pending) => {
  const known = operationOf(text);
  pending.operation = known ?? 'other';
  if (known === undefined) pending.event ??= text;
  return true;
};
/** Names joined by a bar, a comma or blanks; what is none of ours says nothing. */
const flags: Field = (text, out, row) => {
  let bits = out.flags[row] ?? 0;
  if (Number.isNaN(bits)) bits = 0;
  for (const name of text.split(/[|,\s]+/))
    bits |= FLAG_BITS.get(name) ?? FLAG_BITS.get(name.toLowerCase()) ?? 0;
  if (bits !== 0) out.flags[row] = bits;
  return true;
};

/** Fields by what columns are called, in lower case and without `-` and `_`. Time is apart: its name may have the unit. */
const FIELDS: Readonly<Record<string, Field>> = {
  cpu: integer('cpu'),
  task,
  comm: task,
  process: task,
  pid,
  tid: pid,
  operation,
  op: operation,
  action: operation,
  type: operation,
  event,
  name: event,
  iova: address('iovaPage', 'iovaOffset'),
  dmaaddr: address('iovaPage', 'iovaOffset'),
  addr: address('iovaPage', 'iovaOffset'),
  address: address('iovaPage', 'iovaOffset'),
  end,
  iovaend: end,
  size: integer('size'),
  sizebytes: integer('size'),
  length: integer('size'),
  len: integer('size'),
  bytes: integer('size'),
  paddr: address('paddrPage', 'paddrOffset'),
  phys: address('paddrPage', 'paddrOffset'),
  physaddr: address('paddrPage', 'paddrOffset'),
  pa: address('paddrPage', 'paddrOffset'),
  hpa: address('paddrPage', 'paddrOffset'),
  domain: integer('domain'),
  domainid: integer('domain'),
  did: integer('domain'),
  asid: integer('domain'),
  pasid: integer('pasid'),
  flags,
  access: flags,
  prot: flags,
  dir: flags,
  direction: flags,
  done: integer('done'),
  unmapped: integer('done'),
  unmappedsize: integer('done'),
  count: integer('count'),
  pages: integer('count'),
  dirtypages: integer('count'),
};
const DEVICE = new Set(['device', 'dev', 'bdf', 'sid', 'requester', 'source']);
const TIME = /^(?:time|timestamp|ts)(s|sec|seconds|ms|us|ns)?$/;
/** Columns that an export has beside what rows keep: numbers and names that are made anew, and the line that was read before. */
const DERIVED = new Set(['row', 'space', 'line']);

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
export const namesDevice = (name: string): boolean => DEVICE.has(plain(name));

/** How sure it is that columns with these names are those of a trace: 0 to 1. */
export function sureOfColumns(names: readonly string[]): number {
  const known = names.filter((name) => isKnown(plain(name)) || timeUnit(name) !== undefined);
  const about = known.some((name) => ['iova', 'dmaaddr', 'operation', 'op', 'event'].includes(plain(name)));
  return about && known.length >= 2 ? 0.5 + known.length / (2 * names.length) : 0;
}

const isKnown = (name: string): boolean =>
  Object.hasOwn(FIELDS, name) || DEVICE.has(name) || DERIVED.has(name);

/** What an operation or an event is in terms of the IOMMU; undefined for a word that nobody knows. */
function operationOf(text: string): Operation | undefined {
  const name = text.toLowerCase().replaceAll('_', '-');
  if (Object.hasOwn(OPERATION_NAMES, name)) return OPERATION_NAMES[name];
  return (KERNEL_EVENTS.get(text) ?? QEMU_EVENTS.get(text))?.operation;
}

/** Rows of formats whose fields have names. */
export class NamedFields {
  readonly #names: TraceNames;
  readonly #origin: bigint;
  readonly #fields = new Map<string, Field | undefined>();

  /** `origin`: nanoseconds that times count from. */
  constructor(names: TraceNames, origin: bigint) {
    this.#names = names;
    this.#origin = origin;
  }

  /**
   * Begins a row of what stands at `offset`.
   *
   * @returns False when a field is none of its kind: no row was begun then.
   */
  row(
    fields: Iterable<readonly [name: string, text: string]>,
    offset: number,
    length: number,
    out: RowBuilder,
  ): boolean {
    const row = out.begin(offset, length, operationCode('other'));
    const pending: Pending = {
      task: undefined,
      pid: null,
      operation: undefined,
      event: undefined,
      end: undefined,
    };
    for (const [name, text] of fields) {
      if (text !== '' && this.#field(name)?.(text, out, row, pending) === false) {
        out.drop();
        return false;
      }
    }
    if (this.#finish(pending, out, row)) return true;
    out.drop();
    return false;
  }

  #field(name: string): Field | undefined {
    const known = this.#fields.get(name);
    if (known || this.#fields.has(name)) return known;
    const field = this.#make(name);
    if (this.#fields.size < MOST_NAMES) this.#fields.set(name, field);
    return field;
  }

  #make(name: string): Field | undefined {
    const unit = timeUnit(name);
    if (unit !== undefined) {
      return (text, out, row) => {
        const time = nanosecondsOf(text, unit);
        if (time === undefined) return false;
        out.time[row] = Number(time - this.#origin);
        return true;
      };
    }
    const key = plain(name);
    if (namesDevice(name)) {
      return (text, out, row) => {
        const { devices } = this.#names;
        if (devices.size >= MOST_NAMES && devices.find(text) === undefined) return false;
        out.device[row] = devices.id(text);
        return true;
      };
    }
    return Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
  }

  #finish(pending: Pending, out: RowBuilder, row: number): boolean {
    const { events, tasks } = this.#names;
    const { task, pid, event, end } = pending;
    if (task !== undefined || pid !== null) {
      if (tasks.size >= MOST_NAMES) return false;
      out.task[row] = tasks.id({ name: task ?? '', pid, tgid: null });
    }
    const operation = pending.operation ?? (event === undefined ? undefined : operationOf(event)) ?? 'other';
    out.operation[row] = operationCode(operation);
    if (event !== undefined) {
      if (events.size >= MOST_NAMES && events.find(event) === undefined) return false;
      out.event[row] = events.id(event);
    }
    if (end !== undefined) {
      const size = (end[0] - (out.iovaPage[row] ?? 0)) * PAGE + end[1] - (out.iovaOffset[row] ?? 0);
      if (size < 0) return false;
      if (!Number.isNaN(size) && Number.isNaN(out.size[row])) out.size[row] = size;
    }
    return true;
  }
}
