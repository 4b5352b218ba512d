/**
 * What a kernel prints for a record, from the event's `format` file alone: the test's own reading of `print fmt`, so that rules are
 * held to what kernels say of themselves.
 */
export interface EventFormat {
  readonly name: string;
  readonly fields: readonly { readonly type: string; readonly name: string }[];
  readonly format: string;
  readonly args: readonly string[];
}

export type FieldValue = bigint | string | readonly bigint[];
export type EventRecord = Readonly<Record<string, FieldValue>>;

/** All formats of a file that has several, one behind the other; the last of a file may be cut, and is left out. */
export function eventFormats(text: string): EventFormat[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const name = /^name: (\w+)$/m.exec(part)?.[1] ?? '';
      const fields = [...part.matchAll(/^\tfield:(.+?)\b(\w+);\toffset/gm)]
        .map(([, type = '', field = '']) => ({ type: type.trim(), name: field }))
        .filter((field) => !field.name.startsWith('common_'));
      const [, format = '', args = ''] = /^print fmt: "([^"]*)"(.*)$/m.exec(part) ?? [];
      return { name, fields, format, args: splitArguments(args) };
    })
    .filter(({ format }) => format !== '');
}

/** Arguments: what stands between commas outside of all brackets and strings. */
function splitArguments(text: string): string[] {
  const args: string[] = [];
  let [depth, quoted, current] = [0, false, ''];
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    if (!quoted && '({['.includes(letter)) depth++;
    if (!quoted && ')}]'.includes(letter)) depth--;
    if (letter === ',' && depth === 0 && !quoted) {
      args.push(current.trim());
      current = '';
    } else current += letter;
  }
  args.push(current.trim());
  return args.slice(1);
}

/** The text that the kernel prints. */
export function print({ format, args }: EventFormat, record: EventRecord): string {
  let next = 0;
  return format.replace(/%(0?\d*)(ll|l|z)?([duxsp])/g, (_, width: string, _size, letter: string) => {
    const value = evaluate(args[next++] ?? '', record);
    if (typeof value === 'string') return value;
    const digits =
      letter === 'x' || letter === 'p' ? BigInt.asUintN(64, value).toString(16) : value.toString();
    const padded = letter === 'p' ? digits.padStart(16, '0') : digits;
    return padded.padStart(Number(width.replace(/^0/, '') || 0), '0');
  });
}

const field = (record: EventRecord, name: string | undefined): bigint => {
  const value = record[name ?? ''];
  return typeof value === 'bigint' ? value : 0n;
};

function evaluate(argument: string, record: EventRecord): bigint | string {
  const array = /__print_array\(__get_dynamic_array\((\w+)\)/.exec(argument)?.[1];
  if (array !== undefined) {
    const values = record[array];
    return `{${(Array.isArray(values) ? (values as bigint[]) : []).map((each) => `0x${each.toString(16)}`).join(',')}}`;
  }
  if (argument.startsWith('decode_prq_descriptor')) return decodePageRequest(record);
  if (argument.includes('__print_flags(')) {
    const [, name, flags = ''] = /__print_flags\(REC->(\w+), "\|", (.*)\)/.exec(argument) ?? [];
    const value = field(record, name);
    // Which of the flags does not matter to a reader: one or two of them, or none.
    const known = [...flags.matchAll(/"(\w+)"/g)].map(([, flag = '']) => flag);
    if (value === 0n) return argument.includes('"none"') ? 'none' : '';
    return [known[0], ...(value > 1n ? [known[1]] : [])].join('|');
  }
  if (argument.startsWith('__print_symbolic(')) {
    const [, name, mask] = /REC->(\w+)(?: & (0x[0-9a-f]+))?/.exec(argument) ?? [];
    const value = field(record, name) & BigInt(mask ?? '0xffffffffffffffff');
    const symbols = [...argument.matchAll(/\{ (\w+), "(\w+)" \}/g)].map(
      ([, number = '', text = ''], index) => ({
        number: /^[0-9]/.test(number) ? BigInt(number) : BigInt(index),
        text,
      }),
    );
    return symbols.find(({ number }) => number === value)?.text ?? `0x${value.toString(16)}`;
  }
  if (argument.includes('REC->truncated ?')) return field(record, 'truncated') === 1n ? ' [TRUNCATED]' : '';
  const text = /^__get_str\((\w+)\)$/.exec(argument)?.[1];
  if (text !== undefined) return String(record[text]);
  const sum = /^REC->(\w+) \+ REC->(\w+)$/.exec(argument);
  if (sum) return field(record, sum[1]) + field(record, sum[2]);
  const value = field(record, /REC->(\w+)/.exec(argument)?.[1]);
  // min(full_nents, DMA_TRACE_MAX_ENTRIES)
  return argument.includes('(128)') && value > 128n ? 128n : value;
}

/** VT-d 5.10 §7.4.1.1 page request descriptor, as drivers/iommu/intel/iommu.h says it. */
function decodePageRequest(record: EventRecord): string {
  const [dw0, dw1] = [field(record, 'dw0'), field(record, 'dw1')];
  const bits = (word: bigint, high: bigint, low: bigint) =>
    ((word >> low) & ((1n << (high - low + 1n)) - 1n)).toString(16);
  const letter = (word: bigint, bit: bigint, text: string) => (((word >> bit) & 1n) === 1n ? text : '-');
  const letters =
    letter(dw1, 0n, 'r') +
    letter(dw1, 1n, 'w') +
    letter(dw0, 52n, 'x') +
    letter(dw0, 53n, 'p') +
    letter(dw1, 2n, 'l');
  return `rid=0x${bits(dw0, 31n, 16n)} addr=0x${bits(dw1, 63n, 12n)} ${letters} pasid=0x${bits(dw0, 51n, 32n)} index=0x${bits(dw1, 11n, 3n)}`;
}
