import {
  type DuringMoment,
  type DuringOperation,
  type MachineOperation,
  type OperationReport,
} from '../../../engine/machine/operation';
import { type During, type Step } from '../../language/schema/steps';
import { below, type Mismatch, type Path } from '../mismatch';
import { isMismatch, type Planned, type Scene, wrong } from './planned';
import { refusal } from './refusal';

/** What the steps of one moment come to: the engine does no more others than this either. */
const MOST_OPERATIONS = 10_000;

/** A step that was planned, where it stands, and its operations among those of its moment. */
interface Placed {
  readonly path: Path;
  readonly step: Step;
  readonly planned: Planned;
  readonly first: number;
}

/** One operation that has others in it. The steps of moments are planned before it begins: they know only names from before. */
export function during(of: During, scene: Scene): Planned | Mismatch {
  const main = scene.plan(of.step);
  if (isMismatch(main)) return below(['step'], main);
  const [operation, ...surplus] = main.operations;
  if (!operation || surplus.length > 0)
    return wrong(['step'], 'one operation', `${main.operations.length.toLocaleString('en')} operations`);
  const moments: DuringMoment[] = [];
  const placed: Placed[][] = [];
  for (const [index, { steps, ...moment }] of of.moments.entries()) {
    const inside: Placed[] = [];
    const operations: MachineOperation[] = [];
    const problem = planMoment(steps, ['moments', index, 'steps'], scene, inside, operations);
    if (problem) return problem;
    moments.push({ ...momentOf(moment), operations });
    placed.push(inside);
  }
  const whole: DuringOperation = {
    kind: 'during',
    operation,
    moments,
    ...(of.holdsCommands === true ? { holdsCommands: true } : {}),
  };
  return {
    operations: [whole],
    judge: ([report]) => (report ? judged(of.step, main, placed, report) : []),
    ...(main.learn ? { learn: main.learn } : {}),
  };
}

type Moment = Omit<During['moments'][number], 'steps'>;

const momentOf = ({ after, every, runsCommands }: Moment): Omit<DuringMoment, 'operations'> => ({
  ...(after === undefined ? {} : { after }),
  ...(every === undefined ? {} : { every }),
  ...(runsCommands === true ? { runsCommands } : {}),
});

/** Adds what the steps of a moment come to, repeats written out. */
function planMoment(
  steps: readonly Step[],
  at: Path,
  scene: Scene,
  placed: Placed[],
  operations: MachineOperation[],
): Mismatch | undefined {
  for (const [index, step] of steps.entries()) {
    const path = [...at, index];
    const { repeat } = step;
    if (repeat) {
      for (let time = 0; time < repeat.times; time++) {
        const problem = planMoment(repeat.steps, [...path, 'repeat', 'steps'], scene, placed, operations);
        if (problem) return problem;
      }
      continue;
    }
    const planned = scene.plan(step);
    if (isMismatch(planned)) return below(path, planned);
    if (operations.length + planned.operations.length > MOST_OPERATIONS || placed.length >= MOST_OPERATIONS) {
      const most = `at most ${MOST_OPERATIONS.toLocaleString('en')} operations in a moment`;
      return below(path, wrong([], most, 'more'));
    }
    placed.push({ path, step, planned, first: operations.length });
    operations.push(...planned.operations);
  }
  return undefined;
}

function judged(
  step: Step,
  main: Planned,
  placed: readonly (readonly Placed[])[],
  report: OperationReport,
): Mismatch[] {
  const own = refusal(step, report) ?? main.judge?.([report]) ?? [];
  const found = own.map((each) => below(['step'], each));
  // A moment comes as often as it likes: its steps are judged each time.
  const times = new Map<number, Map<number, OperationReport>[]>();
  for (const each of report.meanwhile ?? []) {
    const rounds = times.get(each.moment) ?? [];
    times.set(each.moment, rounds);
    const round = rounds.find((known) => !known.has(each.place)) ?? new Map<number, OperationReport>();
    if (!rounds.includes(round)) rounds.push(round);
    round.set(each.place, each);
  }
  for (const [moment, rounds] of times)
    for (const round of rounds) found.push(...judgedRound(placed[moment] ?? [], round));
  return found;
}

function judgedRound(placed: readonly Placed[], round: ReadonlyMap<number, OperationReport>): Mismatch[] {
  return placed.flatMap(({ path, step, planned, first }) => {
    const reports = planned.operations.flatMap((_, index) => round.get(first + index) ?? []);
    if (reports.length < planned.operations.length) return [];
    const refused = reports.map((report) => refusal(step, report)).find((each) => each !== undefined);
    const found = refused ?? planned.judge?.(reports) ?? [];
    return found.map((each) => below(path, each));
  });
}
