import { defaultCapabilities, makeCapabilities } from '../../../engine/driver/capabilities/index';
import { type EmulatedKind } from '../../../engine/iommu/vendor';
import { checkSpec } from '../../../engine/machine/checkSpec';
import { tableChoices } from '../../../engine/machine/tableChoices';
import { type Failure } from '../../../engine/result';
import { parseDevice } from '../../../engine/values';
import { type ScenarioProblem } from '../../outcome';
import { specOf } from '../../run/specOf';
import { error, suggest } from '../problems';
import { type Scenario } from '../schema/scenario';
import { keyRangeAt, nodeAt, type Path, pathText, rangeAt, type SourceMap } from '../source/node';
import { stepsOf } from './actions';

const MOST_DEVICES = 64;
const MOST_DOMAINS = 256;

/** Whether there is such hardware, and whether it fits: the engine’s own rules, each at the field that it is about. */
export function checkMachine(root: SourceMap, scenario: Scenario): readonly ScenarioProblem[] {
  const early = [
    ...checkDevices(root, scenario),
    ...checkTables(root, scenario),
    ...checkCapabilities(root, scenario),
  ];
  if (early.length > 0) return early;
  const names = Object.keys(scenario.domains);
  if (names.length === 0) {
    return [
      error(
        keyRangeAt(root, ['domains']),
        'A machine has one domain at least.',
        'Write all: { devices: […] }.',
      ),
    ];
  }
  if (names.length > MOST_DOMAINS) {
    const message = `The scenario has ${names.length} domains, and may have ${MOST_DOMAINS}.`;
    return [error(keyRangeAt(root, ['domains']), message, 'Steps may make more: createDomain.')];
  }
  // Each domain as if it were the machine’s own: the same rules hold for all of them.
  const failures = names.flatMap((name) => {
    const domain = scenario.domains[name];
    const checked = domain && checkSpec(specOf({ ...scenario, domains: { [name]: domain } }));
    return checked && !checked.ok ? [{ name, failure: checked.failure }] : [];
  });
  return failures.map(({ name, failure }) => told(root, name, failure));
}

function told(root: SourceMap, domain: string, failure: Failure): ScenarioProblem {
  const path = placeOf(root, domain, failure);
  return error(
    nodeAt(root, path)?.kind === 'scalar' ? rangeAt(root, path) : keyRangeAt(root, path),
    failure.message,
    failure.hint,
  );
}

/** What a failure of the engine is about; the nearest field that the file has. */
function placeOf(root: SourceMap, domain: string, { code, message }: Failure): Path {
  const first = (...paths: Path[]): Path => paths.find((path) => nodeAt(root, path)) ?? ['machine'];
  switch (code) {
    case 'machine/memory':
    case 'machine/address-width':
    case 'machine/too-large':
      return first(['machine', 'memory']);
    case 'machine/pages':
      return first(['domains', domain, 'pages'], ['domains', domain]);
    case 'machine/tables':
      return first(['domains', domain, 'tables'], ['machine', 'tables']);
    case 'machine/driver-fault':
      return first(['machine', 'driverFaults']);
    case 'machine/geometry':
      return first(...geometries(root), ['machine', 'rules']);
    case 'machine/rule':
      return first(['machine', 'rules', /^"?(\w+)/.exec(message)?.[1] ?? ''], ['machine', 'rules']);
    case 'machine/device':
    case 'machine/devices':
      return first(['devices']);
    default: {
      const named = ['cpu', 'type1', 'devices', 'nestParent'].find((word) => message.includes(word));
      return code.startsWith('capabilities/')
        ? first(...blamed(root, message), ['machine', 'capabilities'])
        : first(['machine', named ?? ''], ['domains', domain, named ?? ''], [named ?? '']);
    }
  }
}

/** A cache that is not a power of two of sets. */
const geometries = (root: SourceMap): Path[] =>
  ['iotlb', 'walkCache'].flatMap((cache): Path[] => {
    const path = ['machine', 'rules', cache];
    const sets = nodeAt(root, [...path, 'sets']);
    const count = sets?.kind === 'scalar' ? Number(sets.value) : 0;
    const good = count === 0 || Number.isInteger(Math.log2(count));
    return nodeAt(root, path) ? [good ? path : [...path, 'sets']] : [];
  });

/** A capability that was changed and that the broken rule names. */
function blamed(root: SourceMap, message: string): Path[] {
  const changed = nodeAt(root, ['machine', 'capabilities']);
  if (changed?.kind !== 'map') return [];
  const names = [...changed.entries.keys()];
  const named = names.filter((name) => new RegExp(`\\b${name.replaceAll(/\W/g, '')}\\b`).test(message));
  const only = named[0] ?? (names.length === 1 ? names[0] : undefined);
  return only === undefined ? [] : [['machine', 'capabilities', only]];
}

function checkDevices(root: SourceMap, { devices }: Scenario): readonly ScenarioProblem[] {
  const names = Object.keys(devices);
  if (names.length === 0 || names.length > MOST_DEVICES) {
    const message = `A machine has 1 to ${MOST_DEVICES} devices, not ${names.length}.`;
    return [error(keyRangeAt(root, ['devices']), message, 'Write nic: { requester: 00:02.0 }.')];
  }
  const taken = new Map<number, string>();
  return names.flatMap((name) => {
    const text = devices[name]?.requester ?? '';
    const requester = parseDevice(text)?.requester;
    const at = rangeAt(root, ['devices', name, 'requester']);
    if (requester === undefined) {
      return [error(at, `"${text.slice(0, 40)}" is no device.`, 'Name it as 00:02.0, or by an id: 0x10.')];
    }
    const other = taken.get(requester);
    taken.set(requester, name);
    return other === undefined
      ? []
      : [error(at, `${other} is that device already.`, 'Give each device an id of its own.')];
  });
}

/** Formats are those of the vendor; guests’ are of stage 1. */
function checkTables(root: SourceMap, { machine, domains }: Scenario): readonly ScenarioProblem[] {
  const choices = tableChoices(machine.vendor as EmulatedKind);
  const guests = choices.filter(({ stage }) => stage === 1);
  const paths: { readonly path: Path; readonly guest: boolean }[] = [
    { path: ['machine', 'tables'], guest: false },
    ...Object.keys(domains).map((name) => ({ path: ['domains', name, 'tables'], guest: false })),
  ];
  for (const { path } of stepsOf(root)) {
    paths.push({ path: [...path, 'createDomain', 'tables'], guest: false });
    paths.push({ path: [...path, 'guest', 'tables'], guest: true });
  }
  return paths.flatMap(({ path, guest }) => {
    const node = nodeAt(root, path);
    if (node?.kind !== 'scalar') return [];
    const ids = (guest ? guests : choices).map(({ id }) => id);
    const given = String(node.value);
    if (ids.includes(given)) return [];
    const what =
      guest && choices.some(({ id }) => id === given)
        ? 'are not of stage 1, which guests have'
        : `are none of ${machine.vendor}`;
    return [error(node, `${pathText(path)}: tables "${given}" ${what}.`, suggest(given, ids, 'tables'))];
  });
}

/** Names and kinds of values, one by one; whether all of them go together the machine says. */
function checkCapabilities(root: SourceMap, { machine }: Scenario): readonly ScenarioProblem[] {
  const vendor = machine.vendor as EmulatedKind;
  const names = Object.keys(defaultCapabilities(vendor)).filter((name) => name !== 'vendor');
  return Object.entries(machine.capabilities ?? {}).flatMap(([name, value]) => {
    const path = ['machine', 'capabilities', name];
    const made = makeCapabilities(vendor, { [name]: value });
    if (made.ok || made.failure.code === 'capabilities/impossible') return [];
    return made.failure.code === 'capabilities/unknown'
      ? [error(keyRangeAt(root, path), made.failure.message, suggest(name, names, 'capabilities'))]
      : [error(rangeAt(root, path), made.failure.message, 'docs/hardware.md says what there is.')];
  });
}
