/** Texts that rows have by number. Numbers are given in the order of first sight and never change. */
export class Dictionary {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  constructor(known: Iterable<string> = []) {
    for (const text of known) this.id(text);
  }

  get size(): number {
    return this.#texts.length;
  }

  /** The number of this text, a new one when it was not there. */
  id(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#texts.length;
    this.#ids.set(text, id);
    this.#texts.push(text);
    return id;
  }

  /** The number of this text, if it has one. */
  find(text: string): number | undefined {
    return this.#ids.get(text);
  }

  text(id: number): string {
    return this.#texts[id] ?? '';
  }

  texts(): readonly string[] {
    return this.#texts;
  }
}

/** A task as the tracer wrote it: its name may hold any character, its number is that of the thread. */
export interface Task {
  readonly name: string;
  readonly pid: number | null;
  readonly tgid: number | null;
}

/** Tasks by number; one entry for each name, pid and tgid that were seen together. */
export class TaskDictionary {
  readonly #keys = new Dictionary();
  readonly #tasks: Task[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  id(task: Task): number {
    const id = this.#keys.id(`${task.pid ?? ''}/${task.tgid ?? ''}/${task.name}`);
    if (id === this.#tasks.length) this.#tasks.push(task);
    return id;
  }

  task(id: number): Task | undefined {
    return this.#tasks[id];
  }

  tasks(): readonly Task[] {
    return this.#tasks;
  }
}

/** The names that the rows of one trace refer to. A trace that is read a second time meets them under the same numbers. */
export interface TraceNames {
  /** As the format calls them, without the system: `map`, `qi_submit`, `vtd_dmar_translate`. */
  readonly events: Dictionary;
  /** As written: `0000:00:02.0`, `00:03.0`, `sid 0x18`. */
  readonly devices: Dictionary;
  readonly tasks: TaskDictionary;
}

export const traceNames = (): TraceNames => ({
  events: new Dictionary(),
  devices: new Dictionary(),
  tasks: new TaskDictionary(),
});
