import { refused, type Outcome, done } from '../../driver/errno';
import { type MachineCore, type MachineStep } from '../core';
import {
  type DuringMoment,
  type MachineOperation,
  type MeanwhileReport,
  type OperationReport,
} from '../operation';
import { stepText } from '../stepText';
import { type Steps } from '../../steps';
import { report, type Doing, type Of } from './common';

/** How deep operations may be in each other, how many moments one has, and how many others are done in all. */
const MOST_DEEP = 4;
const MOST_MOMENTS = 64;
const MOST_OPERATIONS = 10_000;
/** Reports of others that a report has. */
const MOST_TOLD = 100;
/** Looks at hardware that has nothing to do, or at a lock, after which an operation waits for others. */
const MOST_LOOKS = 3;

/** What operations that are within others share. */
export interface Within {
  readonly depth: number;
  readonly budget: { left: number };
}

/** Does an operation within others. */
export type Performer = (operation: MachineOperation, within: Within) => Doing;

/**
 * Does an operation step by step, and others at its moments: to their end, or until they wait for what only the first one can
 * give; those go on when it is over, or itself waits.
 */
export function* during(
  machine: MachineCore,
  operation: Of<'during'>,
  perform: Performer,
  within: Within = { depth: 0, budget: { left: MOST_OPERATIONS } },
): Doing {
  const checked = check(operation, within);
  if (!checked.ok) return report(checked, '');
  const below = { depth: within.depth + 1, budget: within.budget };
  return yield* new Meanwhile(machine, operation, (each) => perform(each, below), below).run();
}

function check({ operation, moments }: Of<'during'>, { depth }: Within): Outcome<null> {
  if (depth >= MOST_DEEP)
    return refused('EINVAL', `operations are within each other ${MOST_DEEP} deep at most`);
  if (!isOperation(operation)) return refused('EINVAL', 'an operation is to be done, with a kind');
  const isList: boolean = Array.isArray(moments);
  if (!isList) return refused('EINVAL', 'moments are a list');
  if (moments.length > MOST_MOMENTS)
    return refused('EINVAL', `${MOST_MOMENTS} moments at most, and not ${moments.length}`);
  for (const [index, moment] of moments.entries()) {
    const problem = momentProblem(moment);
    if (problem !== undefined) return refused('EINVAL', `moment ${index}: ${problem}`);
  }
  return done(null);
}

const isOperation = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';

function momentProblem({ after, every, operations }: DuringMoment): string | undefined {
  if ((after === undefined) === (every === undefined)) return 'either after or every says when';
  const when = after ?? every;
  const least = after === undefined ? 1 : 0;
  const isName = typeof when === 'string' && when !== '';
  const isNumber = typeof when === 'number' && Number.isSafeInteger(when) && when >= least;
  if (!isName && !isNumber) return `"${String(when)}" is no number of steps, and no name of one`;
  const isList: boolean = Array.isArray(operations);
  if (!isList || !operations.every(isOperation)) return 'operations are a list of them';
  return undefined;
}

/** An operation that has begun. */
interface Other {
  readonly steps: Doing;
  /** Its moment, and its place among the operations of that. */
  readonly moment: number;
  readonly place: number;
}

class Meanwhile {
  readonly #machine: MachineCore;
  readonly #operation: Of<'during'>;
  readonly #perform: (operation: MachineOperation) => Doing;
  readonly #budget: { left: number };
  /** Moments given by `after` that have come. */
  readonly #come = new Set<DuringMoment>();
  readonly #reports: MeanwhileReport[] = [];
  #parked: Other[] = [];
  #steps = 0;
  #done = 0;
  #waited = 0;
  #failed = 0;
  #refused = 0;
  #isCut = false;

  constructor(
    machine: MachineCore,
    operation: Of<'during'>,
    perform: (operation: MachineOperation) => Doing,
    { budget }: Within,
  ) {
    this.#machine = machine;
    this.#operation = operation;
    this.#perform = perform;
    this.#budget = budget;
  }

  *run(): Doing {
    const { operation, moments, holdsCommands } = this.#operation;
    const release = holdsCommands === true ? this.#machine.runner.holdCommands() : undefined;
    let first: OperationReport;
    try {
      for (const moment of moments) if (moment.after === 0) yield* this.#moment(moment);
      first = yield* this.#first(this.#perform(operation));
    } finally {
      release?.();
    }
    yield* this.#finishParked();
    return this.#report(first);
  }

  /** The first one, with what is done at its steps. */
  *#first(steps: Doing): Doing {
    const asksPolls = this.#operation.moments.some(({ every }) => every === 'poll');
    const { runner } = this.#machine;
    let looks = 0;
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      yield step.value;
      yield* this.#stepDone(step.value);
      looks = isWaiting(step.value) ? looks + 1 : 0;
      if (looks === 0) continue;
      if (asksPolls) {
        // Others come when hardware has done what was asked of it, and before software looks again.
        if (!runner.holdsCommands) {
          for (const command of runner.runCommands()) {
            looks = 1;
            yield command;
            yield* this.#stepDone(command);
          }
        }
        for (const moment of this.#operation.moments)
          if (moment.every === 'poll') yield* this.#moment(moment);
      }
      // It may wait for one of those that wait for it.
      if (looks > MOST_LOOKS) yield* this.#advanceParked();
    }
  }

  *#stepDone(step: MachineStep): Steps<MachineStep, void> {
    this.#steps++;
    const text = stepText(step);
    for (const moment of this.#operation.moments) {
      const { after, every } = moment;
      if (after !== undefined) {
        const isNow = typeof after === 'number' ? after === this.#steps : text.includes(after);
        if (!isNow || this.#come.has(moment)) continue;
        this.#come.add(moment);
        yield* this.#moment(moment);
      } else if (every !== 'poll') {
        const isNow = typeof every === 'number' ? this.#steps % every === 0 : text.includes(every ?? '');
        if (isNow) yield* this.#moment(moment);
      }
    }
  }

  *#moment(of: DuringMoment): Steps<MachineStep, void> {
    const { operations, runsCommands } = of;
    const moment = this.#operation.moments.indexOf(of);
    if (runsCommands === true) yield* this.#machine.runner.runCommands();
    for (const [place, operation] of operations.entries()) {
      if (this.#budget.left === 0) {
        this.#isCut = true;
        return;
      }
      this.#budget.left--;
      const other = { steps: this.#perform(operation), moment, place };
      if (yield* this.#advance(other)) continue;
      this.#waited++;
      this.#parked.push(other);
    }
  }

  /** Goes on with another one; false: it waits. `alone`: nobody else is left that it could wait for. */
  *#advance({ steps, moment, place }: Other, alone = false): Steps<MachineStep, boolean> {
    let looks = 0;
    for (;;) {
      const step = steps.next();
      if (step.done === true) {
        this.#end({ ...step.value, moment, place });
        return true;
      }
      yield step.value;
      looks = isWaiting(step.value) ? looks + 1 : 0;
      if (looks === MOST_LOOKS && !alone) return false;
    }
  }

  /** Goes on with each that waits, in their order; true: one of them ended. */
  *#advanceParked(): Steps<MachineStep, boolean> {
    const before = this.#parked;
    const left: Other[] = [];
    for (const other of before) if (!(yield* this.#advance(other))) left.push(other);
    this.#parked = left;
    return left.length < before.length;
  }

  *#finishParked(): Steps<MachineStep, void> {
    while (this.#parked.length > 0) {
      if (yield* this.#advanceParked()) continue;
      const [first, ...rest] = this.#parked;
      if (first) yield* this.#advance(first, true);
      this.#parked = rest;
    }
  }

  #end(of: MeanwhileReport): void {
    this.#done++;
    if (of.errno !== undefined) this.#failed++;
    this.#refused += of.refused?.length ?? 0;
    if (this.#reports.length < MOST_TOLD) this.#reports.push(of);
  }

  #report(first: OperationReport): OperationReport {
    const others = `${this.#done.toLocaleString('en')} other ${this.#done === 1 ? 'operation' : 'operations'}`;
    const waited = this.#waited > 0 ? `, of which ${this.#waited.toLocaleString('en')} had to wait` : '';
    const cut = this.#isCut ? ` No more than ${MOST_OPERATIONS.toLocaleString('en')} are done.` : '';
    const counts = {
      ...first.counts,
      steps: this.#steps,
      meanwhile: this.#done,
      meanwhileWaited: this.#waited,
      meanwhileFailed: this.#failed,
      meanwhileRefused: this.#refused,
    };
    const summary = `${first.summary} Meanwhile: ${others}${waited}.${cut}`;
    return { ...first, summary, counts, meanwhile: this.#reports };
  }
}

const isWaiting = (step: MachineStep): boolean => step.kind === 'poll' && !step.done;
