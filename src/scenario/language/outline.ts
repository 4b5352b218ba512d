import { type ScenarioOutline } from '../outcome';
import { type Scenario } from './schema/scenario';
import { type Step } from './schema/steps';
import { childOf, entryOf, nodeAt, type SourceMap, type SourceNode } from './source/node';

const MIB = 2 ** 20;

/** What an editor shows of a scenario; `scenarios`: its variants, as far as they are right. */
export function outlineOf(root: SourceMap, scenarios: readonly Scenario[]): ScenarioOutline {
  const title = entryOf(root, 'title');
  const at = title?.value ?? { start: root.start, end: root.start };
  const about = textAt(root, 'about');
  const variants = entryOf(root, 'variants')?.value;
  return {
    title: textAt(root, 'title') ?? 'Scenario',
    ...(about !== undefined && { about }),
    start: at.start,
    end: at.end,
    variants:
      variants?.kind === 'map'
        ? [...variants.entries].map(([name, { key, value }]) => {
            const said = textAt(value, 'about');
            return { name, ...(said !== undefined && { about: said }), start: key.start, end: key.end };
          })
        : [],
    migrates: migrates(root),
    ...needsOf(scenarios),
  };
}

/** What runs of these need: the files that they name, and bytes of the largest. */
export const needsOf = (scenarios: readonly Scenario[]): Pick<ScenarioOutline, 'files' | 'memory'> => ({
  files: [...new Set(scenarios.flatMap(filesOf))],
  memory: Math.max(64 * MIB, ...scenarios.map(memoryOf)),
});

function textAt(node: SourceNode, key: string): string | undefined {
  const value = childOf(node, key);
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

function migrates(root: SourceMap): boolean {
  const variants = entryOf(root, 'variants')?.value;
  const bodies: SourceNode[] = [root];
  if (variants?.kind === 'map') bodies.push(...[...variants.entries.values()].map(({ value }) => value));
  return bodies.some((body) => {
    if (childOf(body, 'migrate')?.kind === 'map') return true;
    const steps = nodeAt(body, ['steps']);
    return steps?.kind === 'list' && steps.items.some((step) => entryOf(step, 'migrate') !== undefined);
  });
}

/** Trace files, relative to the scenario. */
function filesOf({ devices, steps }: Scenario): readonly string[] {
  const files: string[] = [];
  for (const { traffic } of Object.values(devices)) if (traffic?.kind === 'trace') files.push(traffic.file);
  const visit = (list: readonly Step[]): void => {
    for (const step of list) {
      if (step.traffic?.traffic?.kind === 'trace') files.push(step.traffic.traffic.file);
      if (step.replay) files.push(step.replay.file);
      if (step.repeat) visit(step.repeat.steps);
      if (step.during) {
        visit([step.during.step]);
        for (const moment of step.during.moments) visit(moment.steps);
      }
    }
  };
  visit(steps);
  return files;
}

/** Bytes that a machine starts with, whatever it is. */
const BASE = 96 * MIB;
/** For each page of 4 KiB of the guest: bits of what was written, reported and copied, and its entries when all are small. */
const PER_PAGE = 2;

/** Bytes that a run takes at most, roughly. */
function memoryOf({ machine, domains }: Scenario): number {
  const pages = Number(machine.memory) / 4096;
  return Math.round(BASE + pages * PER_PAGE * Math.max(1, Object.keys(domains).length));
}
