import {
  type FromTraceView,
  type ToTraceView,
  TRACE_VERSION,
  type TraceFailureModel,
} from '../messages/traceMessages';

type WithoutEnvelope<Message> = Message extends unknown ? Omit<Message, 'v' | 'id' | 'gen'> : never;
type Asked = Exclude<Extract<FromTraceView, { id: number }>, { type: 'cancel' }>;
export type Question = WithoutEnvelope<Asked>;
type Told = WithoutEnvelope<Exclude<FromTraceView, { id: number }>>;
export type Answer = Exclude<Extract<ToTraceView, { id: number }>, { type: 'failed' }>;
type AnswerOf<Type extends Answer['type']> = Extract<Answer, { type: Type }>;

interface Waiting {
  readonly gen: number;
  readonly type: Answer['type'];
  readonly answered: (answer: Answer | undefined, failure: TraceFailureModel | undefined) => void;
}

/** The page's side of the talk: numbers questions, and gives each its answer unless a newer filter has made it stale. */
export class HostLink {
  #gen = 0;
  #last = 0;
  readonly #waiting = new Map<number, Waiting>();

  constructor(private readonly post: (message: FromTraceView) => void) {}

  get gen(): number {
    return this.#gen;
  }

  /** From now on answers of before are dropped. */
  nextGen(): void {
    // What nobody waits for any more would go on to the end of the trace otherwise.
    for (const id of [...this.#waiting.keys()]) this.cancel(id);
    this.#gen++;
  }

  /**
   * Asks; what is answered comes once, of `filtered` again and again as long as it is the filter.
   * @returns what `cancel` takes
   */
  ask<Type extends Answer['type']>(
    question: Question,
    type: Type,
    answered: (answer: AnswerOf<Type> | undefined, failure: TraceFailureModel | undefined) => void,
  ): number {
    const id = ++this.#last;
    const gen = this.#gen;
    this.#waiting.set(id, {
      ...{ gen, type },
      answered: (answer, failure) => answered(answer as AnswerOf<Type> | undefined, failure),
    });
    this.post({ v: TRACE_VERSION, ...question, id, gen });
    return id;
  }

  tell(message: Told): void {
    this.post({ v: TRACE_VERSION, gen: this.#gen, ...message } as FromTraceView);
  }

  /** Nobody waits for it any more. */
  cancel(id: number): void {
    if (this.#waiting.delete(id)) this.post({ v: TRACE_VERSION, type: 'cancel', id, gen: this.#gen });
  }

  /** What came in the place of an answer is none. */
  fail({ id, gen }: { readonly id: number; readonly gen: number }, message: string): void {
    this.receive({ v: TRACE_VERSION, type: 'failed', id, gen, failure: { code: 'page/answer', message } });
  }

  /** Hands an answer to who asked. */
  receive(message: Extract<ToTraceView, { id: number }>): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting?.gen !== message.gen) return;
    if (message.type === 'failed') {
      this.#waiting.delete(message.id);
      waiting.answered(undefined, message.failure);
    } else if (message.type === waiting.type) {
      if (message.type !== 'filtered') this.#waiting.delete(message.id);
      waiting.answered(message, undefined);
    }
  }
}
