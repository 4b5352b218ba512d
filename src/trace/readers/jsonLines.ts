import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { type LineFormat, type LineKind, type LineParser, type TextHead } from '../text/lineFormat';
import { utf8 } from '../text/utf8';
import { digitsOf, nanosecondsOf, originOf } from './fieldTexts';
import { NamedFields, namesDevice, sureOfColumns, timeUnit } from './namedFields';

const BRACE = '{';
/** A number of so few characters is exact as a double. */
const EXACT_LENGTH = 16;
const NUMBER = /^\s*:\s*(-?[\d.eE+-]+)/;
/** Lines that a file is recognised by. */
const SAMPLE = 64;

/**
 * JSON lines: one object a line, with the names that the columns of CSV have. Addresses are texts with `0x`, or numbers, and
 * times are seconds or of the unit in their name.
 */
export const jsonLines: LineFormat = {
  format: 'jsonl',
  title: 'JSON lines',

  recognise({ lines }) {
    const sample = lines.slice(0, SAMPLE);
    let sureness = 0;
    for (const line of sample) sureness += sureOfColumns(Object.keys(objectOf(line) ?? {}));
    return sample.length === 0 ? 0 : sureness / sample.length;
  },

  parser: (head, names) => new JsonLinesParser(head, names),
};

/** The object of a line; undefined when the line is none. */
function objectOf(line: string): Record<string, unknown> | undefined {
  if (!line.trimStart().startsWith(BRACE)) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** A value as the text of a field: of `null` and of objects, nothing. */
function textOf(value: unknown, name: string, line: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value, name, line);
  if (typeof value === 'boolean') return value ? '1' : '0';
  return Array.isArray(value) ? value.map((item) => (typeof item === 'string' ? item : '')).join('|') : '';
}

/** The digits of a number as the line has them, where a double has fewer. */
function numberText(value: number, name: string, line: string): string {
  const text = String(value);
  if (Number.isSafeInteger(value) || text.length <= EXACT_LENGTH) return text;
  const key = JSON.stringify(name);
  return NUMBER.exec(line.slice(line.lastIndexOf(key) + key.length))?.[1] ?? text;
}

function* fieldsOf(line: string): Generator<readonly [string, string]> {
  for (const [name, value] of Object.entries(objectOf(line) ?? {})) yield [name, textOf(value, name, line)];
}

class JsonLinesParser implements LineParser {
  readonly title = jsonLines.title;
  readonly origin: bigint;
  readonly timeDigits: number;
  readonly namesDevices: boolean;
  readonly #rows: NamedFields;

  constructor({ lines }: TextHead, names: TraceNames) {
    let first: bigint | undefined;
    let digits = 0;
    let devices = false;
    for (const line of lines) {
      for (const [name, text] of fieldsOf(line)) {
        devices ||= text !== '' && namesDevice(name);
        const unit = timeUnit(name);
        const time = unit && nanosecondsOf(text, unit);
        if (unit === undefined || time === undefined) continue;
        first ??= time;
        digits = Math.max(digits, digitsOf(text, unit));
      }
    }
    this.origin = originOf(first);
    this.timeDigits = digits;
    this.namesDevices = devices;
    this.#rows = new NamedFields(names, this.origin);
  }

  parse(bytes: Uint8Array, start: number, end: number, out: RowBuilder, offset: number): LineKind {
    const line = utf8(bytes.subarray(start, end));
    const record = objectOf(line);
    if (!record) return 'unknown';
    const into = this.#rows.begin(offset, end - start, out);
    let fields = 0;
    for (const name in record) {
      const text = textOf(record[name], name, line);
      if (text === '') continue;
      fields++;
      if (this.#rows.field(name)?.text(text, into) === false) {
        fields = 0;
        break;
      }
    }
    if (fields > 0 && this.#rows.finish()) return 'row';
    out.drop();
    return 'unknown';
  }
}
