/** Texts of one kind at most, and their letters: a file of noise has new ones in every row, and rows are more than memory. */
export const MOST_NAMES = 2 ** 18;
const MOST_LETTERS = 2 ** 23;
/** What all texts beyond those are called. */
export const TOO_MANY = '(one of too many names)';

/**
 * Texts that rows have by number. Numbers are given in the order of first sight and never change. When there are too many, all
 * further ones share one number; that its text is there closes the dictionary, so that one which was stored is closed again.
 */
export class Dictionary {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];
  readonly #others: string;
  #letters = 0;

  /** `others`: the text of those beyond the last. */
  constructor(others = TOO_MANY) {
    this.#others = others;
  }

  /** True when texts were met that have no number of their own. */
  get isClosed(): boolean {
    return this.#ids.has(this.#others);
  }

  get size(): number {
    return this.#texts.length;
  }

  /** The number of this text, a new one when it was not there; that of all others when there are too many. */
  id(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const others = this.#ids.get(this.#others);
    if (others !== undefined) return others;
    const isFull = this.#texts.length >= MOST_NAMES || this.#letters + text.length > MOST_LETTERS;
    const added = isFull ? this.#others : text;
    const id = this.#texts.length;
    this.#ids.set(added, id);
    this.#texts.push(added);
    this.#letters += added.length;
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

const keyOf = ({ name, pid, tgid }: Task): string => `${pid ?? ''}/${tgid ?? ''}/${name}`;
const OTHER_TASKS: Task = { name: TOO_MANY, pid: null, tgid: null };

/** Tasks by number; one entry for each name, pid and tgid that were seen together. */
export class TaskDictionary {
  readonly #keys = new Dictionary(keyOf(OTHER_TASKS));
  readonly #tasks: Task[] = [];

  /** True when tasks were met that have no number of their own. */
  get isClosed(): boolean {
    return this.#keys.isClosed;
  }

  get size(): number {
    return this.#tasks.length;
  }

  id(task: Task): number {
    const key = keyOf(task);
    const id = this.#keys.id(key);
    if (id === this.#tasks.length) this.#tasks.push(this.#keys.text(id) === key ? task : OTHER_TASKS);
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

/** The kinds of names of which there are too many. */
export const closedNames = ({ events, devices, tasks }: TraceNames): string[] => [
  ...(events.isClosed ? ['events'] : []),
  ...(devices.isClosed ? ['devices'] : []),
  ...(tasks.isClosed ? ['tasks'] : []),
];
