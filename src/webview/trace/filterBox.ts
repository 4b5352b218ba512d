import { type ToTraceView } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { button, ICONS } from './controls';
import { type HostLink } from './hostLink';

type Completion = Extract<ToTraceView, { type: 'completions' }>['items'][number];
type FilterProblem = Extract<ToTraceView, { type: 'checked' }>['problems'][number];

const COMPLETE_AFTER_MS = 40;
const CHECK_AFTER_MS = 250;
/** Choices that are listed; typing on leaves fewer. */
const MOST_LISTED = 100;

export interface FilterBoxOptions {
  readonly strings: TraceStrings;
  readonly link: HostLink;
  /** A text that was checked is to be the filter. */
  readonly apply: (text: string) => void;
  readonly say: (text: string) => void;
  readonly leave: () => void;
}

/** Where the filter is written: with a list of what may follow, and its problems underlined and said. */
export class FilterBox {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  /** Below the input, with the same text: underlines what is wrong in it. */
  readonly #mirror = element('div', { class: 'mirror', attributes: { 'aria-hidden': 'true' } });
  readonly #list: HTMLElement;
  readonly #problem = element('p', { class: 'problem', attributes: { id: 'filter-problem' } });
  readonly #clear: HTMLButtonElement;
  #items: readonly Completion[] = [];
  #picked = -1;
  #completeTimer = 0;
  #checkTimer = 0;
  #completeId = 0;
  #checkId = 0;

  constructor(private readonly options: FilterBoxOptions) {
    const { strings } = options;
    this.#input = element('input', {
      class: 'mono',
      attributes: {
        ...{ type: 'text', role: 'combobox', 'aria-label': strings.filter, placeholder: strings.filterHint },
        ...{ 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': 'completions' },
        ...{ 'aria-describedby': 'filter-problem', autocomplete: 'off', spellcheck: 'false' },
        ...{ maxlength: '20000', title: strings.filter },
      },
    });
    this.#list = element('ul', {
      class: 'completions',
      attributes: { role: 'listbox', id: 'completions', 'aria-label': strings.completions },
    });
    this.#clear = button(strings.clearFilter, {
      class: 'inside',
      icon: ICONS.close,
      act: () => this.#clearAll(),
    });
    this.element = element(
      'div',
      { class: 'filter field' },
      element('div', { class: 'box' }, this.#mirror, this.#input, this.#clear),
      this.#list,
      this.#problem,
    );
    this.#input.addEventListener('input', () => this.#onInput());
    this.#input.addEventListener('keydown', (event) => this.#onKey(event));
    this.#input.addEventListener('scroll', () => this.#follow());
    this.#input.addEventListener('blur', () => this.#close());
    this.#list.addEventListener('pointerdown', (event) => this.#onPointer(event));
    this.#show([]);
    this.#mark([]);
  }

  get text(): string {
    return this.#input.value;
  }

  /** Writes a filter without applying it. */
  write(text: string): void {
    this.#input.value = text;
    this.#close();
    this.#mark([]);
  }

  focus(): void {
    this.#input.focus();
    this.#input.select();
  }

  /** Checks what is written, and applies it when nothing is wrong with it. */
  submit(): void {
    this.#close();
    this.#check((problems) => {
      const worst = problems.find(({ severity }) => severity === 'error');
      if (worst) {
        this.#input.setSelectionRange(worst.start, Math.max(worst.end, worst.start));
        this.options.say(this.#problem.textContent);
      } else this.options.apply(this.text);
    });
  }

  /** Says why a filter did not work out though nothing was found wrong with its text. */
  refuse(message: string): void {
    this.#problem.textContent = message;
    this.#problem.hidden = false;
    this.options.say(message);
  }

  #clearAll(): void {
    this.write('');
    this.options.apply('');
    this.#input.focus();
  }

  #onInput(): void {
    this.#mark([]);
    clearTimeout(this.#completeTimer);
    clearTimeout(this.#checkTimer);
    this.#completeTimer = setTimeout(() => this.#complete(), COMPLETE_AFTER_MS);
    this.#checkTimer = setTimeout(() => this.#check(), CHECK_AFTER_MS);
  }

  #complete(): void {
    const { link } = this.options;
    link.cancel(this.#completeId);
    const text = this.text;
    const offset = this.#input.selectionStart ?? text.length;
    this.#completeId = link.ask({ type: 'complete', text, offset }, 'completions', (answer) => {
      if (answer && text === this.text && document.activeElement === this.#input) this.#show(answer.items);
    });
  }

  #check(then?: (problems: readonly FilterProblem[]) => void): void {
    const { link } = this.options;
    clearTimeout(this.#checkTimer);
    link.cancel(this.#checkId);
    const text = this.text;
    this.#checkId = link.ask({ type: 'check', text }, 'checked', (answer, failure) => {
      if (text !== this.text) return;
      if (failure && then) this.refuse(failure.message);
      if (!answer) return;
      this.#mark(answer.problems);
      then?.(answer.problems);
    });
  }

  #mark(problems: readonly FilterProblem[]): void {
    const text = this.text;
    const parts: (string | HTMLElement)[] = [];
    let at = 0;
    for (const { start, end, severity } of [...problems].sort((one, other) => one.start - other.start)) {
      if (start < at) continue;
      // What is missing at the end has no letters to underline.
      const marked = text.slice(start, Math.max(end, start + 1)) || ' ';
      parts.push(text.slice(at, start), element('span', { class: severity, text: marked }));
      at = Math.max(end, start + 1);
    }
    this.#mirror.replaceChildren(...parts, text.slice(at));
    this.#follow();
    const [first] = problems;
    this.#problem.hidden = first === undefined;
    this.#problem.textContent = first
      ? fill(
          this.options.strings.problemAt,
          first.start + 1,
          [first.message, first.hint ?? ''].join(' ').trim(),
        )
      : '';
    this.#input.setAttribute('aria-invalid', String(problems.some(({ severity }) => severity === 'error')));
    this.#clear.hidden = text === '';
  }

  #follow(): void {
    this.#mirror.scrollLeft = this.#input.scrollLeft;
  }

  #show(items: readonly Completion[]): void {
    this.#items = items.slice(0, MOST_LISTED);
    this.#picked = -1;
    this.#list.replaceChildren(
      ...this.#items.map(({ text, detail }, index) =>
        element(
          'li',
          { attributes: { role: 'option', id: `completion-${index}`, 'aria-selected': 'false' } },
          element('span', { class: 'what mono', text }),
          element('span', { class: 'detail', text: detail }),
        ),
      ),
    );
    const isOpen = this.#items.length > 0;
    const wasOpen = !this.#list.hidden;
    this.#list.hidden = !isOpen;
    this.#input.setAttribute('aria-expanded', String(isOpen));
    this.#input.removeAttribute('aria-activedescendant');
    // Said with each letter it would be all that is heard.
    if (isOpen && !wasOpen) this.options.say(fill(this.options.strings.completionCount, this.#items.length));
  }

  #close(): void {
    clearTimeout(this.#completeTimer);
    this.options.link.cancel(this.#completeId);
    if (this.#items.length > 0 || !this.#list.hidden) this.#show([]);
  }

  #pick(index: number): void {
    const options = this.#list.children;
    options[this.#picked]?.setAttribute('aria-selected', 'false');
    this.#picked = (index + this.#items.length) % this.#items.length;
    const picked = options[this.#picked];
    picked?.setAttribute('aria-selected', 'true');
    picked?.scrollIntoView({ block: 'nearest' });
    this.#input.setAttribute('aria-activedescendant', `completion-${this.#picked}`);
  }

  #accept(item: Completion): void {
    const text = this.text;
    const rest = text.slice(item.end);
    const space = rest.startsWith(' ') ? '' : ' ';
    this.#input.value = `${text.slice(0, item.start)}${item.text}${space}${rest}`;
    const caret = item.start + item.text.length + 1;
    this.#input.setSelectionRange(caret, caret);
    this.#show([]);
    this.#onInput();
  }

  #onPointer(event: PointerEvent): void {
    // The input keeps the focus.
    event.preventDefault();
    const option = event.target instanceof Element ? event.target.closest('[role="option"]') : null;
    const item = option ? this.#items[[...this.#list.children].indexOf(option)] : undefined;
    if (item) this.#accept(item);
  }

  #onKey(event: KeyboardEvent): void {
    const isOpen = this.#items.length > 0;
    const picked = this.#items[this.#picked];
    if (event.key === ' ' && event.ctrlKey) this.#complete();
    else if (event.key === 'ArrowDown' && !isOpen) this.#complete();
    else if (event.key === 'ArrowDown') this.#pick(this.#picked + 1);
    else if (event.key === 'ArrowUp' && isOpen) this.#pick(this.#picked < 0 ? -1 : this.#picked - 1);
    else if ((event.key === 'Enter' || event.key === 'Tab') && picked) this.#accept(picked);
    else if (event.key === 'Enter') this.submit();
    else if (event.key === 'Escape' && isOpen) this.#close();
    else if (event.key === 'Escape') this.options.leave();
    else return;
    event.preventDefault();
  }
}
