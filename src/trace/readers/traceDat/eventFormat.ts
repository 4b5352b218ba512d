/** A field of a record, as the kernel's format files describe it (Linux Documentation/trace/events.rst, section 2.1 Event Formats). */
export interface EventField {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** Bytes of an element; the field's size when it is no array. */
  readonly element: number;
  readonly array: boolean;
  /** `__data_loc`: a word with offset and length of the data; `__rel_loc`: offset from behind the word. */
  readonly located: 'record' | 'field' | undefined;
}

export interface EventFormat {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: ReadonlyMap<string, EventField>;
  /** What stands behind `print fmt:`. */
  readonly print: string;
}

const FIELD = /^\s*field(?: special)?:\s*(.+?);\s*offset:\s*(\d+);\s*size:\s*(\d+);(?:\s*signed:\s*(\d+);)?/;
const MOST_FIELDS = 1024;

/** Reads one format file; undefined when it has no name or number. */
export function parseEventFormat(system: string, text: string): EventFormat | undefined {
  const name = /^name:\s*(\S+)/m.exec(text)?.[1];
  const id = /^ID:\s*(\d+)/m.exec(text)?.[1];
  if (name === undefined || id === undefined) return undefined;
  const fields = new Map<string, EventField>();
  for (const line of text.split('\n')) {
    const field = line.includes('field') ? parseField(line) : undefined;
    if (field && fields.size < MOST_FIELDS) fields.set(field.name, field);
  }
  const at = text.indexOf('print fmt:');
  const print = at < 0 ? '' : text.slice(at + 'print fmt:'.length).trim();
  return { system, name, id: Number(id), fields, print };
}

/** One line of a format file, or of header_page. */
export function parseField(line: string): EventField | undefined {
  const [, declaration = '', offset = '', size = '', signed] = FIELD.exec(line) ?? [];
  if (declaration === '') return undefined;
  const located = declaration.startsWith('__data_loc')
    ? 'record'
    : declaration.startsWith('__rel_loc')
      ? 'field'
      : undefined;
  const bracket = /\[([^\]]*)\]\s*$/.exec(declaration);
  const plain = (bracket ? declaration.slice(0, bracket.index) : declaration)
    .replace(/\[[^\]]*\]/g, '')
    .trim();
  const name = /([A-Za-z_]\w*)$/.exec(plain)?.[1];
  if (name === undefined) return undefined;
  const type = plain
    .slice(0, -name.length)
    .replace(/^__(?:data|rel)_loc/, '')
    .trim();
  const bytes = Number(size);
  const count = Number(bracket?.[1]);
  const array = located === undefined && bracket !== null;
  return {
    name,
    type,
    offset: Number(offset),
    size: bytes,
    // Files of before Linux 2.6.31 do not say.
    signed: signed === undefined ? /^(?:int|long|short|s\d+|pid_t)/.test(type) : signed !== '0',
    element: array
      ? count > 0 && bytes % count === 0
        ? bytes / count
        : 1
      : located
        ? elementOf(type)
        : bytes,
    array,
    located,
  };
}

const SIZES: readonly (readonly [RegExp, number])[] = [
  [/\b(?:u64|s64|__u64|__s64|long long|unsigned long|long|dma_addr_t|phys_addr_t|size_t)\b/, 8],
  [/\b(?:u32|s32|__u32|__s32|unsigned int|int|unsigned)\b/, 4],
  [/\b(?:u16|s16|__u16|__s16|short)\b/, 2],
];

/** Bytes of a type's name; 1 when it is not known. Pointers and `long` are those of 64-bit kernels. */
export function elementOf(type: string): number {
  if (type.includes('*')) return 8;
  return SIZES.find(([pattern]) => pattern.test(type))?.[1] ?? 1;
}
