import { type CopyFormat, type EntryModel, type ShowMessage } from '../messages/entryMessages';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { columnsFor } from './bitRows';
import { diagram } from './diagram';
import { entryHeader, wordHeader } from './entryHeader';
import { FieldChoice, type FieldKey } from './fieldChoice';
import { fieldTable } from './fieldTable';
import { FieldView } from './fieldView';
import { problemList } from './problemList';
import { wordModels } from './wordModel';
import { binaryDigits, bitsInWords } from './wording';

export interface PageActions {
  /** `field` null: the whole word. */
  copy(word: number, field: number | null, format: CopyFormat): void;
  pinned(key: FieldKey | undefined): void;
}

/** The page of one entry; made anew for each entry and each number of columns. */
export function entryPage(
  { entry, strings }: ShowMessage,
  width: number,
  pinned: FieldKey | undefined,
  actions: PageActions,
): HTMLElement[] {
  if (!entry) {
    return [
      element(
        'div',
        { class: 'empty' },
        element('h1', { text: strings.empty }),
        element('p', { text: strings.emptyHint }),
      ),
    ];
  }
  const choice = new FieldChoice();
  const view = new FieldView(choice, ({ word, field }) => actions.copy(word, field, 'hex'));
  const columns = columnsFor(width);
  const diagrams = new Map<number, HTMLElement>();

  const reveal = ({ word, field }: FieldKey): void => {
    choice.pin({ word, field });
    diagrams.get(word)?.querySelector<HTMLElement>(`button[data-field="${field}"]`)?.focus();
  };

  // Lowest address first: the word that says whether the entry is present stands on top.
  const words = wordModels(entry).map((word) => {
    const drawn = diagram(strings, word, columns, view);
    diagrams.set(word.index, drawn);
    return element(
      'section',
      { class: 'word', attributes: { 'aria-label': fill(strings.word, word.index) } },
      wordHeader(strings, entry, word.index, (index, format) => actions.copy(index, null, format)),
      drawn,
      fieldTable(strings, word, view),
    );
  });
  const detail = element('p', { class: 'detail', attributes: { 'aria-hidden': 'true' } });
  detail.hidden = true;
  choice.onChange(() => {
    view.paint();
    describe(detail, strings, entry, choice.active);
  });
  choice.pin(pinned);
  choice.onChange(() => actions.pinned(choice.pinned));
  const keys = element('p', { class: 'keys', text: strings.keys });
  const problems = problemList(strings, entry, reveal);
  return [entryHeader(strings, entry), ...(problems ? [problems] : []), ...words, keys, detail];
}

/** The field that is looked at, in a line that stays in sight; screen readers have it from the field itself. */
function describe(
  line: HTMLElement,
  strings: ShowMessage['strings'],
  entry: EntryModel,
  key: FieldKey | undefined,
): void {
  const field = key && entry.words[key.word]?.fields[key.field];
  line.hidden = !field;
  if (!field) return;
  line.replaceChildren(
    element('strong', { text: field.name }),
    ` ${bitsInWords(strings, key.word, field.high, field.low)} = `,
    element('code', { text: `${field.value} = 0b${binaryDigits(field)}` }),
    ` · ${field.meaning} · ${field.section}`,
  );
}
