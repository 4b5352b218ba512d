import { Machine } from '../../engine/machine/machine';
import { type MachineOperation, type OperationReport } from '../../engine/machine/operation';
import { type MachineSpec } from '../../engine/machine/spec';
import { type Failure, type Result } from '../../engine/result';

/** How far a run has come. */
export interface RunProgress {
  readonly message: string;
  readonly fraction?: number;
}

/** Work in slices: gives way at each yield. */
export type Slices<T> = Generator<RunProgress, T>;

/** Atomic actions between two yields. */
const STEPS_PER_YIELD = 4096;
/** Atomic actions that an operation may still take when someone has given up: it is ended rather than thrown away. */
const MOST_AFTER_CANCEL = 1_000_000;

export interface LiveOptions {
  readonly isCancelled: () => boolean;
  readonly progress: () => RunProgress;
}

/** A machine while a scenario runs on it: what was done, and what it came to. */
export class LiveMachine {
  readonly machine: Machine;
  readonly operations: MachineOperation[] = [];
  cycles = 0;
  requests = 0;
  refused = 0;
  dirty: OperationReport['dirty'];
  /** Somebody copies: what the destination lacks counts from now on. */
  hasCopy: boolean;
  /** Given up in the middle of an operation: the machine is no longer what its operations make of it. */
  isTorn = false;
  readonly #options: LiveOptions;

  private constructor(machine: Machine, options: LiveOptions) {
    this.machine = machine;
    this.#options = options;
    this.hasCopy = machine.spec.dirtyTracking === 'on';
  }

  /** A machine that is set up; undefined: given up. */
  static *make(spec: MachineSpec, options: LiveOptions): Slices<Result<LiveMachine | undefined>> {
    const made = Machine.create(spec);
    if (!made.ok) return made;
    const live = new LiveMachine(made.value, options);
    const set = yield* live.#slices<Result<null>>(made.value.setUp(), 0);
    if (set === undefined) return { ok: true, value: undefined };
    return set.ok ? { ok: true, value: live } : set;
  }

  /** Does one operation; undefined: given up half-way. */
  *perform(operation: MachineOperation): Slices<OperationReport | undefined> {
    const report = yield* this.#slices<OperationReport>(this.machine.perform(operation), MOST_AFTER_CANCEL);
    if (!report) {
      this.isTorn = true;
      return undefined;
    }
    this.operations.push(operation);
    this.#count(report);
    this.dirty = report.dirty ?? this.dirty;
    if (report.errno === undefined && copies(operation)) this.hasCopy = true;
    return report;
  }

  /** Takes what somebody else did to the machine. */
  add(operations: readonly MachineOperation[]): void {
    for (const operation of operations) {
      this.operations.push(operation);
      this.hasCopy ||= copies(operation);
      if (operation.kind === 'traffic') this.requests += operation.requests;
      if (operation.kind === 'dma') this.requests += operation.requests.length;
    }
  }

  *#slices<T>(steps: Generator<unknown, T, void>, afterCancel: number): Slices<T | undefined> {
    let left = afterCancel;
    for (let count = 1; ; count++) {
      const step = steps.next();
      if (step.done === true) return step.value;
      this.cycles++;
      if (count % STEPS_PER_YIELD !== 0) continue;
      yield this.#options.progress();
      if (!this.#options.isCancelled()) continue;
      left -= STEPS_PER_YIELD;
      if (left < 0) return undefined;
    }
  }

  #count({ counts, meanwhile = [] }: OperationReport): void {
    this.requests += counts['requests'] ?? 0;
    this.refused += counts['refused'] ?? 0;
    for (const report of meanwhile) this.#count(report);
  }
}

/** Whether an operation brings the destination something. */
function copies(operation: MachineOperation): boolean {
  const { kind } = operation;
  if (kind === 'during')
    return copies(operation.operation) || operation.moments.some(({ operations }) => operations.some(copies));
  if (kind === 'setDirtyTracking') return operation.enable;
  if (kind === 'readDirty') return operation.clear;
  if (kind === 'dmaLog') return operation.action === 'read';
  if (kind === 'type1') return operation.action === 'report';
  return kind === 'copy' || kind === 'harvestCpu';
}

export const failureText = ({ message, hint }: Failure): string =>
  hint === undefined ? message : `${message} ${hint}`;
