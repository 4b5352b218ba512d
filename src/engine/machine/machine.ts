import { type Steps } from '../steps';
import { success, type Result } from '../result';
import { checkSpec } from './checkSpec';
import { MachineCore, type MachineStep } from './core';
import { performOperation } from './operations';
import { type MachineOperation, type OperationReport } from './operation';
import { type Pace } from './operations/traffic';
import { type MachineSpec } from './spec';

export type { MachineStep } from './core';

/**
 * An emulated machine that is changed by operations, each a sequence of atomic steps of software and hardware. The same
 * specification and the same operations give the same machine, bit for bit.
 */
export class Machine extends MachineCore {
  /** A machine as it is before software runs: nothing is set up. Refuses what no hardware is, and what does not fit. */
  static create(spec: MachineSpec): Result<Machine> {
    const checked = checkSpec(spec);
    return checked.ok ? success(new Machine(checked.value)) : checked;
  }

  /**
   * Does one operation; what is refused says so in the report. `pace`: `requests` for who does not look at single steps, and acts
   * on the machine only when the operation is over: much traffic goes several times as fast.
   */
  *perform(operation: MachineOperation, pace: Pace = 'steps'): Steps<MachineStep, OperationReport> {
    const report = yield* performOperation(this, operation, undefined, pace);
    this.endOperation();
    return report;
  }
}
