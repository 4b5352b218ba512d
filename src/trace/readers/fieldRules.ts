import { KERNEL_EVENTS } from '../events/kernel';
import { flag } from '../events/kernel/fields';
import { QEMU_EVENTS } from '../events/qemu';
import { type RowBuilder } from '../model/columns';
import { FLAGS, OPERATIONS, type Operation } from '../model/operation';
import { type LineScanner } from '../text/lineScanner';
import { addressOf, integerOf } from './fieldTexts';

/** The row that is being read, and what is known of it before all of its fields were. */
export interface Pending {
  out: RowBuilder;
  row: number;
  task: string | undefined;
  pid: number | null;
  device: string | undefined;
  operation: Operation | undefined;
  event: string | undefined;
  endPage: number;
  endOffset: number;
}

/** What a field is made of. Absent fields are not asked: their text is never empty. */
export interface Field {
  /** Puts the text into the row; false when it is none of what the field has. */
  text(text: string, into: Pending): boolean;
  /** The same for bytes up to the scanner's end, without making a string; false leaves them to `text`. */
  bytes?(scanner: LineScanner, into: Pending): boolean;
}

const [ZERO, X] = [0x30, 0x78];

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

/** What an operation or an event is in terms of the IOMMU; undefined for a word that nobody knows. */
export const operationOf = remembered((text): Operation | undefined => {
  const name = text.toLowerCase().replaceAll('_', '-');
  if (Object.hasOwn(OPERATION_NAMES, name)) return OPERATION_NAMES[name];
  return (KERNEL_EVENTS.get(text) ?? QEMU_EVENTS.get(text))?.operation;
});

/** What other tools call an access: a letter a right, or the direction of the DMA API. */
const FLAG_BITS = new Map<string, number>([
  ['r', FLAGS.read],
  ['ro', FLAGS.read],
  ['to_device', FLAGS.read],
  ['w', FLAGS.write],
  ['wo', FLAGS.write],
  ['from_device', FLAGS.write],
  ['rw', FLAGS.read | FLAGS.write],
  ['bidirectional', FLAGS.read | FLAGS.write],
  ...Object.entries(FLAGS),
]);
/** Names joined by a bar, a comma or blanks; what is none of ours says nothing. */
const flagBits = remembered((text) =>
  text
    .split(/[|,\s]+/)
    .reduce((bits, name) => bits | (FLAG_BITS.get(name) ?? FLAG_BITS.get(name.toLowerCase()) ?? 0), 0),
);

/** Answers of few different texts. */
function remembered<T>(answer: (text: string) => T): (text: string) => T {
  const answers = new Map<string, T>();
  const most = 1024;
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined || answers.has(text)) return known as T;
    const made = answer(text);
    if (answers.size < most) answers.set(text, made);
    return made;
  };
}

const isPrefixed = ({ bytes, at }: LineScanner): boolean =>
  bytes[at] === ZERO && ((bytes[at + 1] ?? 0) | 0x20) === X;

/** A number of either base that a double holds, up to the scanner's end. NaN for all else. */
function integerAt(scanner: LineScanner): number {
  const value = isPrefixed(scanner) ? scanner.hex() : scanner.decimal();
  return scanner.done && value >= 0 && Number.isSafeInteger(value) ? value : Number.NaN;
}

const integer = (column: 'cpu' | 'size' | 'domain' | 'pasid' | 'done' | 'count'): Field => ({
  text(text, { out, row }) {
    const value = integerOf(text);
    if (value !== undefined) out[column][row] = value;
    return value !== undefined;
  },
  bytes(scanner, { out, row }) {
    const value = integerAt(scanner);
    if (Number.isNaN(value)) return false;
    out[column][row] = value;
    return true;
  },
});

const address = (page: 'iovaPage' | 'paddrPage', offset: 'iovaOffset' | 'paddrOffset'): Field => ({
  text(text, { out, row }) {
    const value = addressOf(text);
    if (value) [out[page][row], out[offset][row]] = value;
    return value !== undefined;
  },
  bytes(scanner, { out, row }) {
    if (!isPrefixed(scanner) || !scanner.address() || !scanner.done) return false;
    out[page][row] = scanner.page;
    out[offset][row] = scanner.offset;
    return true;
  },
});

/** A field that is any text. */
const taken = (take: (text: string, into: Pending) => void): Field => ({
  text(text, into) {
    take(text, into);
    return true;
  },
});

const iova = address('iovaPage', 'iovaOffset');
const paddr = address('paddrPage', 'paddrOffset');
const size = integer('size');
const done = integer('done');
const count = integer('count');
const domain = integer('domain');
const device = taken((text, into) => {
  into.device = text;
});
const event = taken((text, into) => {
  into.event = text;
});
const task = taken((text, into) => {
  into.task = text;
});
const pid: Field = {
  text(text, into) {
    into.pid = integerOf(text) ?? null;
    return into.pid !== null;
  },
  bytes(scanner, into) {
    const value = integerAt(scanner);
    into.pid = value;
    return !Number.isNaN(value);
  },
};
/** A word that is none of ours is an event of its own name. */
const operation = taken((text, into) => {
  const known = operationOf(text);
  into.operation = known ?? 'other';
  if (known === undefined) into.event ??= text;
});
const flags = taken((text, { out, row }) => {
  const bits = flagBits(text);
  if (bits !== 0) flag(out, row, bits);
});
/** The end of the IOVA's range, exclusive. */
const end: Field = {
  text(text, into) {
    const value = addressOf(text);
    if (value) [into.endPage, into.endOffset] = value;
    return value !== undefined;
  },
};

/** Fields by what columns are called, in lower case and without `-` and `_`. Time is apart: its name may have the unit. */
export const FIELDS: ReadonlyMap<string, Field> = new Map(
  Object.entries({
    cpu: integer('cpu'),
    task,
    comm: task,
    process: task,
    pid,
    tid: pid,
    device,
    dev: device,
    bdf: device,
    sid: device,
    requester: device,
    source: device,
    operation,
    op: operation,
    action: operation,
    type: operation,
    event,
    name: event,
    iova,
    dmaaddr: iova,
    addr: iova,
    address: iova,
    end,
    iovaend: end,
    size,
    sizebytes: size,
    length: size,
    len: size,
    bytes: size,
    paddr,
    phys: paddr,
    physaddr: paddr,
    pa: paddr,
    hpa: paddr,
    domain,
    domainid: domain,
    did: domain,
    asid: domain,
    pasid: integer('pasid'),
    flags,
    access: flags,
    prot: flags,
    dir: flags,
    direction: flags,
    done,
    unmapped: done,
    unmappedsize: done,
    count,
    pages: count,
    dirtypages: count,
  }),
);

/** Whether a column names devices. */
export const isDeviceField = (name: string): boolean => FIELDS.get(name) === device;
