import { type MachineOperation, type OperationReport } from '../../engine/machine/operation';
import { type Inspection } from '../inspection';
import { type Work } from '../work';
import { buildMachine, renew } from './openMachine';

/** Steps between two yields. */
const STEPS_PER_YIELD = 4096;

/**
 * Does one operation. Given up half-way, by a cancel or a crash of the engine's own, it leaves the machine as it was: built
 * again from what was done before.
 */
export function* operate(inspection: Inspection, operation: MachineOperation): Work<OperationReport> {
  const { emulated } = inspection;
  const machine = emulated.current;
  let done = false;
  try {
    const running = machine.perform(operation, 'requests');
    for (let steps = 1; ; steps++) {
      const step = running.next();
      if (step.done === true) {
        emulated.operations.push(operation);
        done = true;
        return step.value;
      }
      if (steps % STEPS_PER_YIELD === 0) yield { message: machine.progress };
    }
  } finally {
    if (!done) emulated.current = rebuilt(inspection);
    renew(inspection, emulated.current);
  }
}

/** Takes back the last operation. */
export function* undo(inspection: Inspection): Work<{ readonly operations: number }> {
  const { emulated } = inspection;
  const operations = emulated.operations.slice(0, -1);
  const { spec } = emulated.current;
  emulated.current = yield* buildMachine({ version: 1, spec, operations });
  emulated.operations.length = operations.length;
  renew(inspection, emulated.current);
  return { operations: operations.length };
}

/** In one go: nobody waits for an operation that was given up. */
function rebuilt({ emulated }: Inspection) {
  const { current, operations } = emulated;
  const building = buildMachine({ version: 1, spec: current.spec, operations });
  for (;;) {
    const step = building.next();
    if (step.done === true) return step.value;
  }
}
