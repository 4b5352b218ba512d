import { type RowBuilder } from '../../model/columns';
import { type TraceNames } from '../../model/dictionary';
import { type Operation } from '../../model/operation';
import { type LineScanner, literal } from '../../text/lineScanner';
import { type EventRule } from '../eventRule';

/** Reads one part of a payload from where the scanner is; false when it does not stand there. */
export type Part = (scanner: LineScanner, out: RowBuilder, row: number, names: TraceNames) => boolean;

const SPACE = 0x20;

/** A payload as QEMU's trace-events files write its format: the text between the parts stands in lines as it is. */
export function payload(texts: TemplateStringsArray, ...parts: readonly Part[]): Part {
  const literals = texts.map(literal);
  return (scanner, out, row, names) => {
    for (let index = 0; index < literals.length; index++) {
      const text = literals[index];
      if (text && !scanner.skip(text)) return false;
      const part = parts[index];
      if (part && !part(scanner, out, row, names)) return false;
    }
    return true;
  };
}

/** What some versions print and others do not. What it begins with must tell whether it is there. */
export const optional =
  (part: Part): Part =>
  (scanner, out, row, names) => {
    const { at } = scanner;
    if (!part(scanner, out, row, names)) scanner.at = at;
    return true;
  };

/**
 * The rule for an event of QEMU. Blanks in front of the payload do not count: some formats begin with one. Behind it the line
 * ends, or goes on after a blank with what a later version added.
 *
 * @param then Finishes the row from what was read; false when that is impossible.
 */
export const qemuEvent = (
  event: string,
  operation: Operation,
  part: Part,
  then?: (out: RowBuilder, row: number, names: TraceNames) => boolean,
): EventRule => ({
  event,
  operation,
  read(scanner, out, row, names) {
    scanner.spaces();
    if (!part(scanner, out, row, names)) return false;
    if (!scanner.done && scanner.bytes[scanner.at] !== SPACE) return false;
    return then?.(out, row, names) ?? true;
  },
});
