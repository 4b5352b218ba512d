import { type EntryStrings, type FieldModel } from '../messages/entryMessages';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { RovingFocus } from '../shared/rovingFocus';
import { bitRows, type BitRow, type Segment } from './bitRows';
import { type FieldView } from './fieldView';
import { type WordModel } from './wordModel';
import { bitNumber, fieldInWords, isQuiet } from './wording';

/** Short enough for a single bit's cell; the table has the full name. */
const shortName = (field: FieldModel): string => {
  if (field.kind === 'ignored') return 'IGN';
  return field.kind === 'reserved' ? 'RSVD' : field.name;
};

function bitCells(word: WordModel, segment: Segment): HTMLElement {
  const cells = element('span', { class: 'cells', attributes: { 'aria-hidden': 'true' } });
  for (let bit = segment.high; bit >= segment.low; bit--) {
    const set = ((word.value >> BigInt(bit)) & 1n) === 1n;
    cells.append(
      element(
        'span',
        { class: set ? 'bit set' : 'bit' },
        element('span', { class: 'number', text: String(bitNumber(word.index, bit)) }),
        element('span', { class: 'digit', text: set ? '1' : '0' }),
      ),
    );
  }
  return cells;
}

/** The first segment of a field is its button; the others follow it for the eye and the pointer only. */
function segmentElement(
  strings: EntryStrings,
  word: WordModel,
  segment: Segment,
  rowHigh: number,
): HTMLElement | undefined {
  const field = word.fields[segment.field];
  if (!field) return undefined;
  const marks = [
    'segment',
    `kind-${field.kind}`,
    isQuiet(field) && 'quiet',
    word.problems.has(segment.field) && 'faulty',
    segment.low !== field.low && 'goes-on',
    !segment.first && 'continued',
  ];
  const options = { class: marks.filter((mark) => mark !== false).join(' ') };
  const made = segment.first
    ? element('button', {
        ...options,
        attributes: {
          type: 'button',
          'data-field': String(segment.field),
        },
      })
    : element('span', { ...options, attributes: { 'aria-hidden': 'true' } });
  const start = rowHigh - segment.high + 2; // the first column is the row's label
  made.style.gridColumn = `${start} / span ${segment.high - segment.low + 1}`;
  const name = { class: 'name', text: shortName(field), attributes: { 'aria-hidden': 'true' } };
  made.append(bitCells(word, segment), element('span', name));
  if (segment.first) {
    made.append(element('span', { class: 'sr-only', text: fieldInWords(strings, word.index, field) }));
  }
  return made;
}

function rowElement(word: WordModel, row: BitRow, segments: readonly HTMLElement[]): HTMLElement {
  const bits = row.high - row.low + 1;
  const digits = ((word.value >> BigInt(row.low)) & ((1n << BigInt(bits)) - 1n)).toString(16);
  const label = element('span', {
    class: 'row-hex',
    text: digits.padStart(bits / 4, '0'),
    attributes: { 'aria-hidden': 'true' },
  });
  return element('div', { class: 'bit-row' }, label, ...segments);
}

/** One word as rows of bits, highest first. `columns` bits stand in a row. */
export function diagram(
  strings: EntryStrings,
  word: WordModel,
  columns: number,
  view: FieldView,
): HTMLElement {
  const buttons: HTMLElement[] = [];
  const rows = bitRows(word.fields, columns).map((row) => {
    const segments = row.segments.flatMap((segment) => {
      const made = segmentElement(strings, word, segment, row.high);
      if (!made) return [];
      const key = { word: word.index, field: segment.field };
      view.add(key, made);
      if (segment.first) {
        view.addButton(key, made);
        buttons.push(made);
      }
      return [made];
    });
    return rowElement(word, row, segments);
  });
  new RovingFocus(buttons);
  return element(
    'div',
    {
      class: `diagram columns-${columns}`,
      attributes: {
        role: 'toolbar',
        'aria-label': `${fill(strings.diagram, word.index)}. ${strings.keys}`,
      },
    },
    ...rows,
  );
}
