import { type TracePlaceModel } from '../messages/traceMessages';
import { type PlaceContext, readPlace } from '../messages/tracePlace';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';

export interface GoToBoxOptions {
  readonly strings: TraceStrings;
  readonly context: () => PlaceContext;
  /** Calls `answered` with what went wrong; undefined: the cursor is there. */
  readonly go: (place: TracePlaceModel, answered: (problem: string | undefined) => void) => void;
  readonly say: (text: string) => void;
  readonly leave: () => void;
}

/** Takes the cursor to a row, a time or an IOVA. */
export class GoToBox {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #problem = element('p', { class: 'problem', attributes: { id: 'goto-problem' } });

  constructor(private readonly options: GoToBoxOptions) {
    const { strings } = options;
    this.#input = element('input', {
      class: 'mono',
      attributes: {
        ...{ type: 'text', 'aria-label': strings.goTo, placeholder: strings.goToHint, title: strings.goTo },
        ...{ 'aria-describedby': 'goto-problem', autocomplete: 'off', spellcheck: 'false', maxlength: '60' },
      },
    });
    this.element = element(
      'div',
      { class: 'go-to field' },
      element('div', { class: 'box' }, this.#input),
      this.#problem,
    );
    this.#input.addEventListener('input', () => this.#refuse(''));
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#go();
      else if (event.key === 'Escape') this.options.leave();
      else return;
      event.preventDefault();
    });
    this.#refuse('');
  }

  focus(): void {
    this.#input.focus();
    this.#input.select();
  }

  #go(): void {
    if (this.#input.value.trim() === '') return;
    const place = readPlace(this.#input.value, this.options.context());
    if (!place) this.#refuse(this.options.strings.goToBad);
    else
      this.options.go(place, (problem) => {
        this.#refuse(problem ?? '');
        if (problem === undefined) this.options.leave();
      });
  }

  #refuse(problem: string): void {
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === '';
    this.#input.setAttribute('aria-invalid', String(problem !== ''));
    if (problem !== '') this.options.say(problem);
  }
}
