import { type MachineOperation } from '../../engine/machine/operation';
import { type Machine } from '../../engine/machine/machine';
import { type MachineSpec } from '../../engine/machine/spec';
import { searchLost } from '../../engine/machine/lostPages';
import { type MigrationResult } from '../../engine/migration/result';
import { type Step } from '../language/schema/steps';
import { type Scenario } from '../language/schema/scenario';
import { type ExpectationFailure, type ScenarioOutcome } from '../outcome';
import { effortOf, tooMuch } from './bounds';
import { loggedFaults } from './expect/faults';
import { unmet } from './expect/index';
import { type Expectations, type Look } from './expect/look';
import { failureText, LiveMachine, type RunProgress, type Slices } from './live';
import { runMigration } from './migration';
import { below, type Mismatch, nameOf, type Path, type Places } from './mismatch';
import { Names } from './names';
import { preparations } from './prepare';
import { specOf } from './specOf';
import { actionOf, planStep } from './steps/index';
import { type Planned, type Scene } from './steps/planned';
import { refusal } from './steps/refusal';
import { linesIn, readTraces, type ScenarioFiles, type Traces, TrafficSources } from './traffic';
import { pagesOf } from './texts';

export type { RunProgress } from './live';
export type { Place, Places } from './mismatch';
export type { ScenarioFiles } from './traffic';

export interface RunOptions {
  /** For the outcome, as it was named by whoever asked. */
  readonly file: string;
  readonly variant: string | null;
  readonly places: Places;
  /** Those that the scenario names, unpacked. */
  readonly files?: ScenarioFiles;
  /** Milliseconds from any start. */
  readonly clock: () => number;
  /** Looked at between slices. */
  readonly isCancelled?: () => boolean;
}

/** What a run came to, and the machine that it left. */
export interface ScenarioRun {
  readonly outcome: ScenarioOutcome;
  readonly spec: MachineSpec;
  /** All that was done to the machine, in order: the same again gives the same machine. */
  readonly operations: readonly MachineOperation[];
  /** As it stands; undefined: it could not be made. */
  readonly machine: Machine | undefined;
  /** Given up in the middle of an operation: the machine is no longer what the operations make of it. */
  readonly isTorn: boolean;
}

/** A search through all tables: for who asks. */
const asksForLost = ({ clean, lost, lostAt, findings }: Expectations): boolean =>
  clean !== undefined || lost !== undefined || lostAt !== undefined || findings?.['lost-dirty'] !== undefined;

/** Failures that are told; then a run ends. */
const MOST_FAILURES = 100;
const LOOKING = { message: 'Looking for lost pages' };
const PAGE = 4096;

/** Runs one variant of a scenario, one operation after the other. The same scenario gives the same run. */
export function runScenario(scenario: Scenario, options: RunOptions): Slices<ScenarioRun> {
  return new Runner(scenario, options).run();
}

class Runner {
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #failures: ExpectationFailure[] = [];
  readonly #names: Names;
  #effort: ReturnType<typeof effortOf>;
  #live: LiveMachine | undefined;
  #scene: Scene | undefined;
  #migration: MigrationResult | null = null;
  /** Migrations that the machine has not seen. */
  readonly #modelled: MigrationResult[] = [];
  #stepsDone = 0;
  /** Nothing more is done. */
  #isOver = false;

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#names = new Names(scenario);
    this.#effort = effortOf(scenario);
  }

  *run(): Slices<ScenarioRun> {
    const { clock } = this.#options;
    const start = clock();
    const spec = specOf(this.#scenario);
    const traces = yield* this.#read();
    const lines = (file: string): number => linesIn(traces, file);
    const excess = tooMuch(this.#scenario, lines);
    this.#effort = effortOf(this.#scenario, lines);
    if (excess) this.#end([], excess);
    else yield* this.#make(spec, traces);
    if (this.#live) yield* this.#all();
    const live = this.#live;
    const lost = pagesOf(yield* this.#lost());
    return {
      outcome: this.#outcome((clock() - start) / 1000, lost),
      spec,
      operations: live?.operations ?? [],
      machine: live?.machine,
      isTorn: live?.isTorn === true,
    };
  }

  /** The files that the scenario names; none of them: it was given up. */
  *#read(): Slices<Traces> {
    const reading = readTraces(this.#scenario, this.#options.files ?? new Map());
    for (;;) {
      const step = reading.next();
      if (step.done === true) return step.value;
      yield step.value;
      if (this.#isCancelled) return new Map();
    }
  }

  *#make(spec: MachineSpec, traces: Traces): Slices<void> {
    const made = yield* LiveMachine.make(spec, {
      isCancelled: () => this.#isCancelled,
      progress: () => this.#progress(),
    });
    if (!made.ok) {
      const actual = failureText(made.failure);
      this.#end([], { at: ['machine'], what: 'machine', expected: 'a machine that can be made', actual });
      return;
    }
    const live = made.value;
    if (!live) return;
    this.#live = live;
    const { machine } = live;
    const [name] = Object.keys(this.#scenario.domains);
    if (name !== undefined) this.#names.nameDomain(name, machine.domains[0]?.id);
    const traffic = new TrafficSources(this.#scenario, machine.layout, traces);
    const scene: Scene = { names: this.#names, traffic, plan: (step) => planStep(step, scene) };
    this.#scene = scene;
  }

  *#all(): Slices<void> {
    const { steps, migrate, expect } = this.#scenario;
    yield* this.#prepare();
    yield* this.#steps(steps, ['steps']);
    if (migrate && this.#goesOn) yield* this.#migrate(migrate, ['migrate']);
    if (expect && this.#goesOn) yield* this.#expect(expect, ['expect']);
  }

  *#prepare(): Slices<void> {
    const { live } = this.#running;
    for (const { path, plan } of preparations(this.#scenario, this.#names, live.machine.layout)) {
      if (!this.#goesOn) return;
      const planned = plan();
      const problem = this.#names.takeProblem();
      if (problem) this.#end(path, problem);
      else yield* this.#do(planned, {}, path);
    }
  }

  *#steps(steps: readonly Step[], path: Path): Slices<void> {
    for (const [index, step] of steps.entries()) {
      if (!this.#goesOn) return;
      yield* this.#step(step, [...path, index]);
    }
  }

  *#step(step: Step, path: Path): Slices<void> {
    const { repeat, expect, migrate } = step;
    if (repeat) {
      for (let time = 0; time < repeat.times && this.#goesOn; time++)
        yield* this.#steps(repeat.steps, [...path, 'repeat', 'steps']);
      return;
    }
    this.#stepsDone++;
    if (expect) {
      yield* this.#expect(expect, [...path, 'expect']);
      // Looking takes time, too: a loop of expectations gives way.
      yield this.#progress();
    } else if (migrate) yield* this.#migrate(migrate, [...path, 'migrate']);
    else {
      const planned = planStep(step, this.#running.scene);
      if ('expected' in planned) this.#end(path, planned);
      else yield* this.#do(planned, step, path);
    }
  }

  /** Does what a step came to, and looks at the reports. */
  *#do(planned: Planned, step: Step, path: Path): Slices<void> {
    const { live } = this.#running;
    live.cycles += planned.cycles ?? 0;
    const reports = [];
    const action = actionOf(step);
    const at = action === undefined ? [] : [action];
    for (const operation of planned.operations) {
      const report = yield* live.perform(operation);
      if (!report) return;
      reports.push(report);
      const refused = refusal(step, report);
      if (refused) {
        for (const each of refused) this.#end(path, each.at.length > 0 ? each : { ...each, at });
        return;
      }
      if (this.#isCancelled) break;
      yield this.#progress();
    }
    for (const each of planned.judge?.(reports) ?? []) this.#fail(path, each);
    const last = reports.at(-1);
    if (last) planned.learn?.(last);
  }

  *#migrate(given: NonNullable<Step['migrate']>, path: Path): Slices<void> {
    const { live, scene } = this.#running;
    const came = yield* runMigration(
      given,
      live.machine,
      this.#names,
      scene.traffic,
      () => this.#isCancelled,
    );
    if ('expected' in came) {
      this.#end(path, came);
      return;
    }
    this.#migration = came.result;
    if (came.result.by === 'model') this.#modelled.push(came.result);
    live.add(came.operations);
    live.isTorn ||= came.isGivenUp;
  }

  *#expect(expected: Expectations, path: Path): Slices<void> {
    const look = this.#look(asksForLost(expected) ? yield* this.#lost() : []);
    const { places } = this.#options;
    const placed = unmet(expected, look).map((each) => ({
      each,
      start: places.of(below(path, each).at).start,
    }));
    for (const { each } of placed.sort((one, other) => one.start - other.start)) this.#fail(path, each);
  }

  #look(lost: Look['lost']): Look {
    const { machine, dirty, requests, refused, cycles } = this.#running.live;
    return {
      ...{ machine, dirty, requests, refused, cycles, lost },
      names: this.#names,
      migration: this.#migration,
    };
  }

  /** Nothing is lost before somebody copies. */
  *#lost(): Slices<Look['lost']> {
    const live = this.#live;
    if (live?.hasCopy !== true) return [];
    const search = searchLost(live.machine);
    for (;;) {
      const slice = search.next();
      if (slice.done === true) return slice.value;
      yield LOOKING;
    }
  }

  get #running(): { readonly live: LiveMachine; readonly scene: Scene } {
    if (!this.#live || !this.#scene) throw new Error('internal error: there is no machine yet');
    return { live: this.#live, scene: this.#scene };
  }

  get #isCancelled(): boolean {
    return this.#options.isCancelled?.() === true;
  }

  get #goesOn(): boolean {
    return !this.#isOver && !this.#isCancelled && this.#failures.length < MOST_FAILURES;
  }

  /** Something is wrong that nothing can go on from. */
  #end(path: Path, mismatch: Mismatch): void {
    this.#fail(path, mismatch);
    this.#isOver = true;
  }

  #fail(path: Path, mismatch: Mismatch): void {
    if (this.#failures.length >= MOST_FAILURES) return;
    const { at, expected, actual } = mismatch;
    const { line, start, end } = this.#options.places.of(below(path, mismatch).at);
    this.#failures.push({ line, start, end, what: nameOf(at) || mismatch.what, expected, actual });
  }

  #progress(): RunProgress {
    const requests = this.#live?.requests ?? 0;
    const { single, traffic, steps } = this.#effort;
    const all = single + traffic;
    const done = this.#stepsDone;
    if (!this.#live) return { message: 'Making the machine' };
    // What there is more of takes the time, as far as anybody knows; both count.
    const fraction = steps + all === 0 ? 1 : Math.min(1, (done + requests) / (steps + all));
    const message =
      all < steps
        ? `Step ${done.toLocaleString('en')} of ${steps.toLocaleString('en')}`
        : `${requests.toLocaleString('en')} of ${all.toLocaleString('en')} requests`;
    return { message, fraction };
  }

  #outcome(seconds: number, lost: number): ScenarioOutcome {
    const live = this.#live;
    const totals = live?.machine.ledgerTotals;
    const cancelled = this.#isCancelled;
    const modelled = (of: (result: MigrationResult) => number): number =>
      this.#modelled.reduce((all, result) => all + of(result), 0);
    return {
      file: this.#options.file,
      variant: this.#options.variant,
      title: this.#scenario.title,
      passed: this.#failures.length === 0 && !cancelled,
      failures: this.#failures,
      requests: (live?.requests ?? 0) + modelled(({ requests }) => requests),
      dirty: {
        written: (totals?.written ?? 0) * PAGE + modelled(({ bytes }) => bytes.written),
        reported: (totals?.reported ?? 0) * PAGE + modelled(({ bytes }) => bytes.reported),
        lost: lost * PAGE + modelled(({ bytes }) => bytes.lost),
        over:
          (live?.machine.ledger.findings.count('over-report').pages ?? 0) * PAGE +
          modelled(({ bytes }) => bytes.over),
      },
      faults: live ? loggedFaults(live.machine).length : 0,
      seconds,
      migration: this.#migration,
      ...(cancelled ? { cancelled } : {}),
    };
  }
}
