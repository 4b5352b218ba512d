import { readVariant } from '../../scenario/language/read';
import { runScenario } from '../../scenario/run/run';
import { type ScenarioProblem } from '../../scenario/outcome';
import { type ImagePlatform } from '../../image/platform';
import { type Inspection } from '../inspection';
import { inspectMachine } from '../machines/openMachine';
import { type Params, type ResultOf } from '../protocol';
import { refuse } from '../requestError';
import { runInSlices, type CallContext, type Scheduling } from '../work';
import { unpackedFiles } from './files';

export interface RanScenario {
  readonly result: ResultOf<'runScenario'>;
  /** Under the id that was asked for; absent: nobody asked, or there is no machine. */
  readonly opened?: Inspection;
}

/** Cancelling ends a run with what there is: whoever runs it in slices must not take that away. */
const NEVER: CallContext['signal'] = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
};

/** Runs one variant of a scenario, and opens the machine that it leaves whole. Refuses a text with errors, with the first one. */
export async function runInEngine(
  params: Params<'runScenario'>,
  platform: ImagePlatform,
  context: CallContext,
  scheduling: Scheduling,
): Promise<RanScenario> {
  const { text, file, variant, set, inspection } = params;
  const { scenario, problems, places } = readVariant(text, variant, set);
  if (!scenario) return refuseProblem(text, file, problems);
  const files = await unpackedFiles(params.files ?? {}, platform, context);
  const run = await runInSlices(
    runScenario(scenario, {
      ...{ file, variant, places, files },
      clock: scheduling.clock,
      isCancelled: () => context.signal.aborted,
    }),
    { ...context, signal: NEVER },
    scheduling,
  );
  const { outcome, spec, operations } = run;
  if (inspection === undefined || !run.machine) return { result: { outcome, record: null, opened: false } };
  const record = { version: 1, spec, operations } as const;
  // Building it again takes as long as the run took: whoever wants it opens it, and can cancel that.
  if (run.isTorn) return { result: { outcome, record, opened: false } };
  return {
    result: { outcome, record, opened: true },
    opened: inspectMachine(inspection, run.machine, run.operations),
  };
}

function refuseProblem(text: string, file: string, problems: readonly ScenarioProblem[]): never {
  const problem = problems.find(({ severity }) => severity === 'error');
  const line = text.slice(0, problem?.start ?? 0).split('\n').length;
  return refuse(
    'scenario/problem',
    `${file}:${line}: ${problem?.message ?? 'The scenario cannot be read.'}`,
    problem?.hint,
  );
}
