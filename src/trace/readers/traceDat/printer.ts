import { type EventField, type EventFormat } from './eventFormat';
import { type Evaluate } from './printArgument';
import { PrintParser, Unprintable } from './printExpression';
import { compilePrintf, type PrintValue } from './printf';
import { printTokens } from './printTokens';
import { type TraceRecord } from './record';

/** A record as the text that stands behind `event: ` in the kernel's own trace. */
export type Printer = (record: TraceRecord) => string;

const MOST_ARGUMENTS = 256;
const MOST_LISTED = 64;

/** The printer of a format: by its print format, or field by field when that has what is not known. */
export function printerOf(format: EventFormat): Printer {
  try {
    return compile(format);
  } catch (error) {
    if (error instanceof Unprintable) return (record) => listFields(format, record);
    throw error;
  }
}

function compile(format: EventFormat): Printer {
  const tokens = printTokens(format.print);
  if (!tokens) throw new Unprintable('not C');
  const parser = new PrintParser(tokens, format);
  const printf = compilePrintf(parser.literal());
  const values: Evaluate[] = [];
  while (parser.accept(',')) {
    values.push(parser.expression().value);
    if (values.length > MOST_ARGUMENTS) throw new Unprintable('too many arguments');
  }
  if (!parser.done) throw new Unprintable('more than arguments');
  return (record) => {
    const variables = new Map<string, PrintValue>();
    return printf(values.map((value) => value(record, variables)));
  };
}

/** `name=value` of each field that is not common to all events. */
function listFields({ fields }: EventFormat, record: TraceRecord): string {
  return [...fields.values()]
    .filter(({ name }) => !name.startsWith('common_'))
    .map((field) => `${field.name}=${fieldText(field, record)}`)
    .join(' ');
}

function fieldText(field: EventField, record: TraceRecord): string {
  const { located, array, element, offset, size, signed, type } = field;
  if ((located !== undefined || array) && element === 1 && type.includes('char')) return record.text(field);
  if (located !== undefined || array) {
    const data = record.data(field);
    const count = Math.min(Math.floor(data.length / element), MOST_LISTED);
    const words = Array.from({ length: count }, (_, index) =>
      record.value(data.offset + index * element, element, false),
    );
    return `{${words.map((word) => `0x${word.toString(16)}`).join(',')}}`;
  }
  const value = record.value(offset, size, signed);
  return signed ? value.toString() : `0x${value.toString(16)}`;
}
