import { type CopyFormat, type EntryModel, type EntryStrings } from '../messages/entryMessages';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';

type Copy = (word: number, format: CopyFormat) => void;

const FORMATS = [
  ['hex', 'hexadecimal'],
  ['decimal', 'decimal'],
  ['binary', 'binary'],
] as const;

/** Sixteen digits in groups of four for the eye; selected and copied as one number. Leading zeros step back. */
function wordDigits(value: string): HTMLElement {
  const digits = value.slice(2).padStart(16, '0');
  const zeros = digits.length - digits.replace(/^0+/, '').length;
  const code = element('code', { class: 'word-value' }, element('span', { class: 'leading', text: '0x' }));
  for (let at = 0; at < 16; at += 4) {
    const cut = Math.min(4, Math.max(0, zeros - at));
    const group = digits.slice(at, at + 4);
    code.append(
      element(
        'span',
        { class: 'group' },
        element('span', { class: 'leading', text: group.slice(0, cut) }),
        group.slice(cut),
      ),
    );
  }
  return code;
}

/** A word in hexadecimal with its copy buttons; numbered when the entry has several. */
export function wordHeader(strings: EntryStrings, entry: EntryModel, word: number, copy: Copy): HTMLElement {
  const name = fill(strings.word, word);
  const buttons = FORMATS.map(([format, label]) => {
    const button = element('button', {
      class: 'copy',
      text: strings[label],
      attributes: { type: 'button', 'aria-label': fill(strings.copy, name, strings[label]) },
    });
    button.title = fill(strings.copy, name, strings[label]);
    button.addEventListener('click', () => copy(word, format));
    return button;
  });
  return element(
    'div',
    { class: 'word-header' },
    entry.words.length > 1 && element('h2', { text: name }),
    wordDigits(entry.words[word]?.value ?? '0x0'),
    element('span', { class: 'copies' }, ...buttons),
  );
}

/** Title, where the entry stands, what it covers and leads to. */
export function entryHeader(strings: EntryStrings, entry: EntryModel): HTMLElement {
  const facts: [string, string][] = [[strings.physicalAddress, entry.address]];
  if (entry.range) facts.push([strings.iova, `${entry.range.start} – ${entry.range.end}`]);
  if (entry.target) facts.push([entry.target.what, entry.target.address]);
  facts.push([strings.specification, entry.specification]);
  return element(
    'header',
    {},
    element('h1', { text: entry.title }),
    element(
      'dl',
      {},
      ...facts.map(([name, value]) =>
        element('div', {}, element('dt', { text: name }), element('dd', { text: value })),
      ),
    ),
  );
}
