import { type MachineOperation, type OperationReport } from '../../../engine/machine/operation';
import { type Step } from '../../language/schema/steps';
import { type Mismatch, type Path } from '../mismatch';
import { type Names } from '../names';
import { type TrafficSources } from '../traffic';

/** What a step comes to on a machine. */
export interface Planned {
  readonly operations: readonly MachineOperation[];
  /** What their reports must say: those that were done, in their order. Mismatches are below the action. */
  readonly judge?: (reports: readonly OperationReport[]) => readonly Mismatch[];
  /** Takes the ids of what was made: from the report of the last operation. */
  readonly learn?: (report: OperationReport) => void;
  /** Cycles that go by beside those of operations. */
  readonly cycles?: number;
}

/** What steps are planned with. */
export interface Scene {
  readonly names: Names;
  readonly traffic: TrafficSources;
  /** Plans a step that is within another one. */
  readonly plan: (step: Step) => Planned | Mismatch;
}

/** Actions that are operations of the machine, or time. The others steer the run. */
export type PlainAction = Exclude<keyof Step, 'repeat' | 'expect' | 'migrate' | 'errno' | 'note'>;

/** How an action becomes operations. Names that stand for nothing are told to `scene.names`. Paths are below the action. */
export type Planner<Action extends PlainAction> = (
  of: NonNullable<Step[Action]>,
  scene: Scene,
) => Planned | Mismatch;

export const isMismatch = (planned: Planned | Mismatch): planned is Mismatch => 'expected' in planned;

export const one = (operation: MachineOperation): Planned => ({ operations: [operation] });

export const wrong = (at: Path, expected: string, actual: string): Mismatch => ({
  at,
  what: String(at.at(-1) ?? ''),
  expected,
  actual,
});
