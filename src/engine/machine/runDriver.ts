import { type HardwareStep } from '../iommu/hardwareStep';
import { type SoftwareStep } from '../driver/softwareStep';
import { type Steps } from '../steps';

/** The hardware's side of a queue. */
export interface CommandRunner {
  /** Does one command; undefined when there is none, or it has to wait. */
  runCommand(): HardwareStep | undefined;
}

/** Does all steps of software; whenever it waits for hardware, hardware does all its commands. */
export function runDriver<R>(steps: Steps<SoftwareStep, R>, iommus: readonly CommandRunner[]): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (step.value.kind === 'poll' && !step.value.done) runCommands(iommus);
  }
}

/** Does the commands of every queue until none is left or all wait. */
export function runCommands(iommus: readonly CommandRunner[]): void {
  for (const iommu of iommus) while (iommu.runCommand() !== undefined);
}
