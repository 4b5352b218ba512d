import { type Task, type TraceNames } from '../model/dictionary';
import { type OpenTrace, type Position, type TraceProblem } from '../model/reader';
import { type IndexState, type TraceIndex } from './traceIndex';

/** What a stored index says of its trace, apart from the chunks: read from JSON, and looked at. */
export interface StoredDescription {
  readonly state: Omit<IndexState, 'chunks' | 'rows'>;
  /** What the reader has to know at each chunk's begin; null when nothing. */
  readonly states: readonly unknown[];
  readonly events: readonly string[];
  readonly devices: readonly string[];
  readonly tasks: readonly Task[];
}

/** Tells traces apart that the same bytes could be read as. */
const identityOf = (trace: OpenTrace): string =>
  JSON.stringify([trace.format, trace.title, `${trace.origin}`, trace.timeDigits, trace.start, trace.header]);

/** As plain JSON. */
export function describeIndex({ trace, names, state }: TraceIndex): unknown {
  const { problems, problemCount, eventCounts, unknown, lost, next, chunks } = state;
  return {
    identity: identityOf(trace),
    state: { problems, problemCount, eventCounts, unknown, lost, next: next ?? null },
    states: chunks.map(({ from }) => from.state ?? null),
    events: names.events.texts(),
    devices: names.devices.texts(),
    tasks: names.tasks.tasks().map(({ name, pid, tgid }) => [name, pid, tgid]),
  };
}

/** What `describeIndex` wrote of this trace; undefined when it is anything else. */
export function storedDescription(text: string, trace: OpenTrace): StoredDescription | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(json) || json['identity'] !== identityOf(trace)) return undefined;
  const { state, states, events, devices, tasks } = json;
  if (!isObject(state) || !Array.isArray(states) || !isTexts(events) || !isTexts(devices)) return undefined;
  if (!Array.isArray(tasks)) return undefined;
  const known = tasks.map(taskOf);
  const { problems, problemCount, eventCounts, unknown, lost, next } = state;
  if (!isCount(problemCount) || !isCount(unknown) || !isCount(lost)) return undefined;
  if (!Array.isArray(eventCounts) || !eventCounts.every(isCount) || eventCounts.length > events.length)
    return undefined;
  if (!Array.isArray(problems) || !problems.every(isProblem)) return undefined;
  if (next !== null && !isPosition(next)) return undefined;
  return {
    state: { problems, problemCount, eventCounts, unknown, lost, next: next ?? undefined },
    states,
    events,
    devices,
    tasks: known.filter((task) => task !== undefined),
  };
}

/** Gives the names their numbers again. False when they have others already. */
export function restoreNames(stored: StoredDescription, names: TraceNames): boolean {
  return (
    stored.events.every((text, id) => names.events.id(text) === id) &&
    stored.devices.every((text, id) => names.devices.id(text) === id) &&
    stored.tasks.every((task, id) => names.tasks.id(task) === id)
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');
const isNumberOrNull = (value: unknown): value is number | null =>
  value === null || typeof value === 'number';
const isPosition = (value: unknown): value is Position => isObject(value) && isCount(value['offset']);

function taskOf(value: unknown): Task | undefined {
  if (!Array.isArray(value)) return undefined;
  const [name, pid, tgid] = value as unknown[];
  return typeof name === 'string' && isNumberOrNull(pid) && isNumberOrNull(tgid)
    ? { name, pid, tgid }
    : undefined;
}

function isProblem(value: unknown): value is TraceProblem {
  if (!isObject(value)) return false;
  const { severity, code, message, hint, row, offset } = value;
  return (
    (severity === 'error' || severity === 'warning' || severity === 'info') &&
    typeof code === 'string' &&
    typeof message === 'string' &&
    (hint === undefined || typeof hint === 'string') &&
    (row === undefined || isCount(row)) &&
    (offset === undefined || isCount(offset))
  );
}
