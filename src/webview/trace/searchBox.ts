import { type TraceQueryModel } from '../messages/traceMessages';
import { type TraceState } from '../messages/traceState';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { grouped } from './cells';
import { button, choice, ICONS } from './controls';
import { type HostLink } from './hostLink';

/** A search that takes no longer is not worth a button. */
const SHOW_CANCEL_AFTER_MS = 300;
/** What is said of a search that went well goes by itself. */
const SAY_FOR_MS = 5000;

export interface SearchBoxOptions {
  readonly strings: TraceStrings;
  readonly link: HostLink;
  /** Where the search goes on from: the cursor, and how many rows there are. */
  readonly place: () => { readonly cursor: number; readonly total: number };
  readonly found: (index: number) => void;
  /** What is searched for, for one who marks it: empty where no text is. */
  readonly changed: () => void;
  readonly saved: TraceState['search'] | undefined;
  readonly say: (text: string) => void;
  readonly leave: () => void;
}

/** Finds the next row with a text in its line, or that a filter leaves; around the end, and says so. */
export class SearchBox {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #said = element('p', { class: 'said' });
  readonly #cancel: HTMLButtonElement;
  #as: 'text' | 'where' = 'text';
  /** What was searched for last: the same again goes on behind the cursor. */
  #before = '';
  #running = 0;
  #timer = 0;
  #sayTimer = 0;
  readonly #buttons: readonly HTMLButtonElement[];

  constructor(private readonly options: SearchBoxOptions) {
    const { strings } = options;
    this.#input = element('input', {
      class: 'mono',
      attributes: {
        ...{ type: 'text', 'aria-label': strings.search, placeholder: strings.search, title: strings.search },
        ...{ autocomplete: 'off', spellcheck: 'false', maxlength: '20000' },
      },
    });
    const kinds = { text: strings.searchText, where: strings.searchWhere };
    this.#buttons = [
      button(strings.previous, { class: 'tool', icon: ICONS.previous, act: () => this.go(true) }),
      button(strings.next, { class: 'tool', icon: ICONS.next, act: () => this.go(false) }),
    ];
    this.#cancel = button(strings.cancel, { class: 'button', act: () => this.stop() });
    this.#cancel.hidden = true;
    this.element = element(
      'div',
      { class: 'search field', attributes: { role: 'search' } },
      element(
        'div',
        { class: 'box' },
        this.#input,
        choice(strings.searchAs, kinds, options.saved?.as ?? this.#as, (as) => {
          this.#as = as;
          options.changed();
        }),
        ...this.#buttons,
        this.#cancel,
      ),
      this.#said,
    );
    if (options.saved) {
      this.#input.value = options.saved.text;
      this.#as = options.saved.as;
    }
    this.#input.addEventListener('input', () => {
      this.#tell('');
      options.changed();
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.go(event.shiftKey);
      else if (event.key === 'Escape' && this.#running !== 0) this.stop();
      else if (event.key === 'Escape') this.options.leave();
      else return;
      event.preventDefault();
    });
    this.#tell('');
  }

  get state(): TraceState['search'] {
    return { text: this.#input.value, as: this.#as };
  }

  focus(): void {
    this.#input.focus();
    this.#input.select();
  }

  /** Searches on from the cursor; with nothing to look for, it asks for that. */
  go(backwards: boolean): void {
    const text = this.#input.value;
    const { cursor, total } = this.options.place();
    if (text.trim() === '') this.focus();
    else if (total > 0) {
      this.stop();
      const query = this.#as === 'text' ? { text } : { where: text };
      const wanted = JSON.stringify(query);
      const isNew = wanted !== this.#before;
      this.#before = wanted;
      const from = isNew ? cursor : backwards ? cursor - 1 : cursor + 1;
      const isOver = from < 0 || from >= total;
      this.#ask(query, isOver ? this.#otherEnd(backwards) : from, backwards, isOver);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#cancel.hidden = true;
    if (this.#running === 0) return;
    this.options.link.cancel(this.#running);
    this.#running = 0;
    this.#tell('');
  }

  #otherEnd(backwards: boolean): number {
    return backwards ? Math.max(0, this.options.place().total - 1) : 0;
  }

  #ask(query: TraceQueryModel, from: number, backwards: boolean, isWrapped: boolean): void {
    const { strings, link } = this.options;
    this.#timer = setTimeout(() => {
      this.#cancel.hidden = false;
      this.#tell(strings.searching);
    }, SHOW_CANCEL_AFTER_MS);
    this.#running = link.ask({ type: 'find', query, from, backwards }, 'found', (answer, failure) => {
      this.#running = 0;
      clearTimeout(this.#timer);
      this.#cancel.hidden = true;
      const at = answer?.at;
      if (failure) this.#tell([failure.message, failure.hint ?? ''].join(' ').trim(), true);
      else if (at) {
        this.options.found(at.index);
        const wrapped = backwards ? strings.wrappedToEnd : strings.wrappedToStart;
        this.#tell(fill(isWrapped ? wrapped : strings.foundAt, grouped(at.row + 1)), false, isWrapped);
      } else if (isWrapped) this.#tell(strings.notFound, true);
      else this.#ask(query, this.#otherEnd(backwards), backwards, true);
    });
  }

  /** @param isShown  something to be seen, too; where a row was found the grid shows it */
  #tell(text: string, isProblem = false, isShown = true): void {
    this.#said.textContent = isShown ? text : '';
    this.#said.hidden = text === '' || !isShown;
    this.#said.classList.toggle('problem', isProblem);
    clearTimeout(this.#sayTimer);
    if (!isProblem) this.#sayTimer = setTimeout(() => (this.#said.hidden = true), SAY_FOR_MS);
    if (text !== '') this.options.say(text);
  }
}
