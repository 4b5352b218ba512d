import { type EntryModel, type EntryStrings } from '../messages/entryMessages';
import { element, icon } from '../shared/dom';
import { fill } from '../shared/fill';
import { type FieldKey } from './fieldChoice';
import { bitsInWords } from './wording';

const ICONS = {
  error:
    'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.4 9.6-.8.8L8 8.8l-2.6 2.6-.8-.8L7.2 8 4.6 5.4l.8-.8L8 7.2l2.6-2.6.8.8L8.8 8Z',
  warning: 'M8 1 .8 14.5h14.4ZM8.6 12.6H7.4v-1.2h1.2Zm0-2.2H7.4V6h1.2Z',
};

/** What is wrong with the entry, each with a button that leads to its bits; nothing when nothing is. */
export function problemList(
  strings: EntryStrings,
  entry: EntryModel,
  reveal: (key: FieldKey) => void,
): HTMLElement | undefined {
  if (entry.problems.length === 0) return undefined;
  const items = entry.problems.map(({ severity, message, hint, word, high, low }) => {
    const where = bitsInWords(strings, word, high, low);
    const button = element('button', {
      class: 'link',
      text: where,
      attributes: { type: 'button', 'aria-label': fill(strings.showBits, where) },
    });
    const field = entry.words[word]?.fields.findIndex((one) => one.high >= high && one.low <= high) ?? -1;
    button.addEventListener('click', () => reveal({ word, field }));
    return element(
      'li',
      { class: severity },
      icon(ICONS[severity], 'severity'),
      element(
        'div',
        {},
        element('p', {}, element('strong', { text: `${strings[severity]}: ` }), message, ' (', button, ')'),
        hint !== undefined && element('p', { class: 'hint', text: hint }),
      ),
    );
  });
  return element(
    'section',
    { class: 'problems', attributes: { 'aria-label': strings.problems } },
    element('ul', {}, ...items),
  );
}
