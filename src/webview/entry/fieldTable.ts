import { type EntryStrings, type FieldModel } from '../messages/entryMessages';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { RovingFocus } from '../shared/rovingFocus';
import { type FieldView } from './fieldView';
import { type WordModel } from './wordModel';
import { binaryDigits, bitRange, fieldWidth, isQuiet, valueText } from './wording';

// The roles are written out because narrow views lay the rows out as grids, which would otherwise end the table for
// screen readers.
const cell = (className: string, ...children: (Node | string)[]): HTMLElement =>
  element('td', { class: className, attributes: { role: 'cell' } }, ...children);

function valueCell(field: FieldModel): HTMLElement {
  const made = cell('value', element('code', { text: valueText(field) }));
  if (fieldWidth(field) > 4) made.title = `0b${binaryDigits(field)}`;
  return made;
}

function rowClass(field: FieldModel, faulty: boolean): string {
  if (faulty) return 'faulty';
  return isQuiet(field) ? 'quiet' : '';
}

/** Every field of a word, highest bit first. */
export function fieldTable(
  strings: EntryStrings,
  { index: word, fields, problems }: WordModel,
  view: FieldView,
): HTMLElement {
  const headings = [strings.bitsHeading, strings.name, strings.value, strings.meaning, strings.section];
  const buttons: HTMLElement[] = [];
  const rows = fields.map((field, index) => {
    const button = element(
      'button',
      { class: 'field-button', attributes: { type: 'button' } },
      element('span', { class: `swatch kind-${field.kind}`, attributes: { 'aria-hidden': 'true' } }),
      field.name,
      element('span', { class: 'sr-only', text: `, ${strings.kinds[field.kind]}` }),
    );
    const row = element(
      'tr',
      { class: rowClass(field, problems.has(index)), attributes: { role: 'row' } },
      cell('bits', bitRange(word, field.high, field.low)),
      element('th', { class: 'name', attributes: { scope: 'row', role: 'rowheader' } }, button),
      valueCell(field),
      cell('meaning', field.meaning),
      cell('section', field.section),
    );
    view.add({ word, field: index }, row);
    view.addButton({ word, field: index }, button);
    buttons.push(button);
    return row;
  });
  new RovingFocus(buttons);
  const heads = headings.map((text) =>
    element('th', { text, attributes: { scope: 'col', role: 'columnheader' } }),
  );
  return element(
    'table',
    { class: 'fields', attributes: { role: 'table' } },
    element('caption', { class: 'sr-only', text: fill(strings.table, word) }),
    element(
      'thead',
      { attributes: { role: 'rowgroup' } },
      element('tr', { attributes: { role: 'row' } }, ...heads),
    ),
    element('tbody', { attributes: { role: 'rowgroup' } }, ...rows),
  );
}
