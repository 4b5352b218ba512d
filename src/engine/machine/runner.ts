import { type SoftwareStep } from '../driver/softwareStep';
import { type CompiledFormat } from '../formats/compile';
import { type HardwareStep } from '../iommu/hardwareStep';
import { type Ledger } from '../ledger/ledger';
import { type Steps } from '../steps';
import { type CommandRunner } from './runDriver';
import { type MachineUnit } from './unit';

export type MachineStep = SoftwareStep | HardwareStep;

/** Runs steps of software and hardware side by side; the ledger hears of each once. */
export class StepRunner {
  readonly #ledger: Ledger;
  readonly #formatOf: (stage: 1 | 2) => CompiledFormat | undefined;
  readonly #units: readonly MachineUnit[];
  /** Queues that guests own, and that hardware reads. */
  readonly #queues: CommandRunner[] = [];
  /** Operations that want the queues to stand still. */
  #holds = 0;

  constructor(
    ledger: Ledger,
    formatOf: (stage: 1 | 2) => CompiledFormat | undefined,
    units: readonly MachineUnit[],
  ) {
    this.#ledger = ledger;
    this.#formatOf = formatOf;
    this.#units = units;
  }

  /** Runs steps of software; whenever it waits for hardware, hardware does its commands. */
  *software<T>(steps: Steps<SoftwareStep, T>): Steps<MachineStep, T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      this.#ledger.softwareStep(step.value);
      yield step.value;
      if (step.value.kind === 'poll' && !step.value.done && this.#holds === 0) yield* this.runCommands();
    }
  }

  addQueue(queue: CommandRunner): void {
    this.#queues.push(queue);
  }

  /** Does the commands in the queues until none is left or all wait, also of queues that are held. */
  *runCommands(): Steps<HardwareStep, void> {
    for (const queue of [...this.#units.map(({ iommu }) => iommu), ...this.#queues]) {
      for (let step = queue.runCommand(); step; step = queue.runCommand()) {
        this.#ledger.hardwareStep(step, this.#formatOf);
        yield step;
      }
    }
  }

  *hardware<T>(steps: Steps<HardwareStep, T>): Steps<MachineStep, T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      this.#ledger.hardwareStep(step.value, this.#formatOf);
      yield step.value;
    }
  }

  /** Steps of hardware that were done as one with others: nobody acts between them. */
  done(...steps: readonly HardwareStep[]): void {
    for (const step of steps) this.#ledger.hardwareStep(step, this.#formatOf);
  }

  get holdsCommands(): boolean {
    return this.#holds > 0;
  }

  /** Nobody does commands by waiting for them, until the function is called that this returns. */
  holdCommands(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
    };
  }
}
