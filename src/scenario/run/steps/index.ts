import { type Step } from '../../language/schema/steps';
import { below, type Mismatch } from '../mismatch';
import { cpu, harvestCpu, hostWrite, zap } from './cpu';
import { deviceState, dmaLog, type1 } from './devices';
import { dma } from './dma';
import { attach, createDomain } from './domains';
import { during } from './during';
import { guest, guestCommands, guestInvalidate, guestMap, guestUnmap, vdevice, viommu } from './guests';
import { command, evict, wait, writeWord } from './hardware';
import { collapse, invalidate, map, split, unmap } from './mappings';
import { type PlainAction, type Planned, type Planner, type Scene, wrong } from './planned';
import { replay } from './replay';
import { copy, dirtyTracking, readDirty } from './tracking';
import { traffic } from './traffic';

const PLANNERS: { readonly [Action in PlainAction]-?: Planner<Action> } = {
  dma,
  replay,
  traffic,
  map,
  unmap,
  split,
  collapse,
  dirtyTracking,
  readDirty,
  copy,
  invalidate,
  attach,
  createDomain,
  evict,
  writeWord,
  cpu,
  hostWrite,
  zap,
  harvestCpu,
  deviceState,
  dmaLog,
  type1,
  guest,
  guestMap,
  guestUnmap,
  guestInvalidate,
  viommu,
  vdevice,
  guestCommands,
  command,
  wait,
  during,
};

const isPlain = (key: string): key is PlainAction => Object.hasOwn(PLANNERS, key);

/** The action of a step: `repeat`, `expect` and `migrate` are none. */
export function actionOf(step: Step): PlainAction | undefined {
  return Object.keys(step).find((key): key is PlainAction => isPlain(key) && step[key] !== undefined);
}

/** What a step with an action comes to; a mismatch, below the step, says why it cannot be done. */
export function planStep(step: Step, scene: Scene): Planned | Mismatch {
  const action = actionOf(step);
  if (action === undefined) {
    const [key = 'nothing'] = Object.keys(step);
    return wrong([key], 'a step that does something to the machine', key);
  }
  const planner = PLANNERS[action] as (of: unknown, scene: Scene) => Planned | Mismatch;
  const planned = planner(step[action], scene);
  const problem = scene.names.takeProblem() ?? ('expected' in planned ? planned : undefined);
  if (problem) return below([action], problem);
  if ('expected' in planned || !planned.judge) return planned;
  const { judge } = planned;
  return { ...planned, judge: (reports) => judge(reports).map((each) => below([action], each)) };
}
