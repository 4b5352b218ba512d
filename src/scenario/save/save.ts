import { Machine } from '../../engine/machine/machine';
import { type MachineOperation, type OperationReport } from '../../engine/machine/operation';
import { type MachineSpec } from '../../engine/machine/spec';
import { type Result, success } from '../../engine/result';
import { SCENARIO_VERSION } from '../language/schema/scenario';
import { machineSections } from './machine';
import { SavedNames } from './names';
import { SavedFiles } from './requests';
import { stepOf, type Saving } from './steps';
import { SavedTraffic } from './traffic';
import { type WrittenMap, yamlText } from './yamlText';

/** A scenario's text, and the files that it names, by those names. */
export interface SavedScenario {
  readonly text: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export interface SaveProgress {
  readonly message: string;
  readonly fraction?: number;
}

const STEPS_PER_YIELD = 4096;
/** Of one list: more go into several, each done once. */
const MOST_STEPS = 1000;

/**
 * A scenario that makes the same machine by the same operations. They are done again on a machine of its own, so that it says
 * what was refused. Fails as `Machine.create` does.
 */
export function* saveMachine(
  spec: MachineSpec,
  operations: readonly MachineOperation[],
  title: string,
  stem = title,
): Generator<SaveProgress, Result<SavedScenario>, void> {
  const made = Machine.create(spec);
  if (!made.ok) return made;
  const machine = made.value;
  const set = yield* slices(machine.setUp(), { message: 'Making the machine' });
  if (!set.ok) return set;
  const names = new SavedNames(spec, operations);
  const files = new SavedFiles(stem);
  const saving: Saving = { names, files, traffic: new SavedTraffic(spec, names, files) };
  names.addDomain(machine.domains[0]?.id);
  const steps: WrittenMap[] = [];
  for (const [index, operation] of operations.entries()) {
    const progress = { message: 'Doing the operations again', fraction: index / operations.length };
    const report = yield* slices<OperationReport>(machine.perform(operation), progress);
    steps.push(stepOf(operation, report, saving));
  }
  const whole: WrittenMap = {
    version: SCENARIO_VERSION,
    title,
    ...machineSections(spec, names),
    ...(steps.length > 0 ? { steps: bounded(steps) } : {}),
  };
  return success({ text: yamlText('Saved from a machine.', whole), files: files.files });
}

function bounded(steps: readonly WrittenMap[]): readonly WrittenMap[] {
  if (steps.length <= MOST_STEPS) return steps;
  const parts: WrittenMap[] = [];
  for (let first = 0; first < steps.length; first += MOST_STEPS)
    parts.push({ repeat: { times: 1, steps: steps.slice(first, first + MOST_STEPS) } });
  return bounded(parts);
}

function* slices<T>(
  steps: Generator<unknown, T, void>,
  progress: SaveProgress,
): Generator<SaveProgress, T, void> {
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (count % STEPS_PER_YIELD === 0) yield progress;
  }
}
