import { type ScenarioProblem } from '../../outcome';
import { error, suggest } from '../problems';
import { type Scenario } from '../schema/scenario';
import { type Step } from '../schema/steps';
import { keyRangeAt, type Path, rangeAt, type SourceMap } from '../source/node';
import { type PlacedStep, placedSteps } from './placedSteps';

/** Steps that need something of the machine or of a device, which is then missing. */
export function checkNeeds(root: SourceMap, scenario: Scenario): readonly ScenarioProblem[] {
  const parents = new Set(
    Object.entries(scenario.domains).flatMap(([name, { nestParent }]) => (nestParent === true ? [name] : [])),
  );
  return [...placedSteps(scenario.steps)].flatMap((placed) => {
    const { createDomain } = placed.step;
    if (createDomain?.nestParent === true) parents.add(createDomain.name);
    // That it is missing is what such a step is about.
    if (placed.step.errno !== undefined) return [];
    return [
      ...ofMachine(root, placed, scenario),
      ...ofDevices(root, placed, scenario),
      ...ofParents(root, placed, scenario, parents),
      ...ofIommus(root, placed, scenario),
    ];
  });
}

const CPU_STEPS = ['cpu', 'hostWrite', 'zap', 'harvestCpu'] as const;

function ofMachine(
  root: SourceMap,
  { step, path }: PlacedStep,
  { machine }: Scenario,
): readonly ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  for (const action of CPU_STEPS) {
    if (step[action] === undefined || machine.cpu) continue;
    const message = `${action} needs CPUs, and the machine has none.`;
    problems.push(error(keyRangeAt(root, [...path, action]), message, 'Add cpu: {} to the machine.'));
  }
  if (step.type1 && !machine.type1) {
    const message = 'type1 needs a VFIO type1 container, and the machine has none.';
    problems.push(error(keyRangeAt(root, [...path, 'type1']), message, 'Add type1: {} to the machine.'));
  }
  const vcpu = step.cpu?.vcpu ?? 0;
  if (step.cpu && machine.cpu && vcpu >= machine.cpu.vcpus) {
    const message = `There is no vCPU ${vcpu}: the machine has ${machine.cpu.vcpus}, from 0 on.`;
    problems.push(error(rangeAt(root, [...path, 'cpu', 'vcpu']), message, 'Raise cpu.vcpus of the machine.'));
  }
  return problems;
}

function ofDevices(
  root: SourceMap,
  { step, path }: PlacedStep,
  { devices }: Scenario,
): readonly ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const { deviceState, dmaLog, traffic } = step;
  if (deviceState && devices[deviceState.device] && !devices[deviceState.device]?.vfio) {
    const message = `${deviceState.device} has no VFIO states.`;
    problems.push(error(rangeAt(root, [...path, 'deviceState', 'device']), message, VFIO_HINT));
  }
  if (dmaLog && devices[dmaLog.device] && !devices[dmaLog.device]?.log) {
    const message = `${dmaLog.device} keeps no log of its DMA.`;
    problems.push(error(rangeAt(root, [...path, 'dmaLog', 'device']), message, 'Add log: {} to the device.'));
  }
  if (traffic && !traffic.traffic) {
    const named = traffic.devices ?? Object.keys(devices);
    const idle = (traffic.devices ?? []).filter((name) => devices[name] && !devices[name].traffic);
    const at: Path = [...path, 'traffic'];
    for (const name of idle) {
      const index = (traffic.devices ?? []).indexOf(name);
      problems.push(error(rangeAt(root, [...at, 'devices', index]), `${name} has no traffic.`, TRAFFIC_HINT));
    }
    if (!named.some((name) => devices[name]?.traffic) && idle.length === 0) {
      problems.push(error(keyRangeAt(root, at), 'No device has traffic.', TRAFFIC_HINT));
    }
  }
  if (traffic && (traffic.requests === undefined) === (traffic.cycles === undefined)) {
    const both = traffic.requests !== undefined;
    const message = both ? 'traffic has both requests and cycles.' : 'traffic does not say how much.';
    problems.push(error(keyRangeAt(root, [...path, 'traffic']), message, 'Give it requests or cycles.'));
  }
  return problems;
}

const VFIO_HINT = 'Add vfio: { model: hisi-acc } to the device.';
const TRAFFIC_HINT = 'Add traffic: { kind: rx-ring } to the device, or to the step.';

function ofParents(
  root: SourceMap,
  { step, path }: PlacedStep,
  { domains }: Scenario,
  parents: ReadonlySet<string>,
): readonly ScenarioProblem[] {
  return (['guest', 'viommu'] as const).flatMap((action) => {
    const made = step[action];
    const parent = made?.parent ?? Object.keys(domains)[0];
    if (!made || parent === undefined || parents.has(parent)) return [];
    const at =
      made.parent === undefined
        ? keyRangeAt(root, [...path, action])
        : rangeAt(root, [...path, action, 'parent']);
    return [error(at, `The domain "${parent}" is no nest parent.`, 'Add nestParent: true to the domain.')];
  });
}

/** Under this name stand the run's own. */
const RUN_COUNTERS = 'machine';

/** IOMMUs are iommu0 and, where there are two, iommu1. */
function ofIommus(
  root: SourceMap,
  { step, path }: PlacedStep,
  { machine }: Scenario,
): readonly ScenarioProblem[] {
  const names = Array.from({ length: machine.iommus }, (_, index) => `iommu${index}`);
  const wrong = (of: Path, name: string): readonly ScenarioProblem[] =>
    names.includes(name)
      ? []
      : [
          error(
            rangeAt(root, of),
            `There is no IOMMU "${name.slice(0, 40)}".`,
            suggest(name, names, 'IOMMUs'),
          ),
        ];
  return [
    ...(['evict', 'command'] as const).flatMap((action) => {
      const given = step[action];
      return given ? wrong([...path, action, 'iommu'], given.iommu) : [];
    }),
    ...countersOf(step)
      .filter((name) => name !== RUN_COUNTERS)
      .flatMap((name) => wrong([...path, 'expect', 'counters', name], name)),
  ];
}

const countersOf = ({ expect }: Step): readonly string[] => Object.keys(expect?.counters ?? {});
