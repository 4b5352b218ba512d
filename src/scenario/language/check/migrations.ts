import { pageShiftsOf } from '../../../engine/machine/choices';
import { type CheckedSpec } from '../../../engine/machine/checkSpec';
import { checkMigration } from '../../../engine/migration/check';
import { makeGenerator } from '../../../engine/traffic/index';
import { type TrafficMemory } from '../../../engine/traffic/spec';
import { formatSize } from '../../../engine/values';
import { type ScenarioProblem } from '../../outcome';
import { migrationSpecOf } from '../../run/migration';
import { attachedTo } from '../../run/specOf';
import { generatorOf, largestPart } from '../../run/traffic';
import { error, warning } from '../problems';
import { type Scenario } from '../schema/scenario';
import { keyRangeAt, nodeAt, type Path, rangeAt, type SourceMap } from '../source/node';
import { placedSteps } from './placedSteps';

type Migrate = NonNullable<Scenario['migrate']>;

/** Migrations: the engine’s own rules at the fields that they are about, and what devices and domains need for one. */
export function checkMigrations(
  root: SourceMap,
  scenario: Scenario,
  checked: CheckedSpec,
): readonly ScenarioProblem[] {
  const { migrate, steps } = scenario;
  const all: { readonly given: Migrate; readonly path: Path }[] = [];
  for (const { step, path } of placedSteps(steps))
    if (step.migrate) all.push({ given: step.migrate, path: [...path, 'migrate'] });
  if (migrate) all.push({ given: migrate, path: ['migrate'] });
  if (all.length === 0) return [];
  return [
    ...all.flatMap(({ given, path }) => checkOne(root, given, path, checked)),
    ...untracked(
      root,
      scenario,
      all.map(({ given }) => given),
    ),
    ...scattered(root, scenario, all),
    ...idle(root, scenario),
    ...endless(root, scenario, all, largestPart(checked.layout)),
  ];
}

const PAGES_TO: Path = ['pages', 'to'];

function checkOne(
  root: SourceMap,
  given: Migrate,
  path: Path,
  { choice, layout }: CheckedSpec,
): readonly ScenarioProblem[] {
  const spec = migrationSpecOf(given);
  const made = checkMigration(spec);
  if (!made.ok) {
    const { message, hint } = made.failure;
    return [error(placeIn(root, path, fieldOf(message)), message, hint)];
  }
  const { pages, populated } = spec;
  const sizes = pageShiftsOf(choice).map((shift) => 2 ** shift);
  if (pages.policy !== 'as-is' && !sizes.includes(pages.to)) {
    const message = `These tables have no pages of ${formatSize(pages.to)} to split to.`;
    const have = sizes.map((size) => formatSize(size)).join(', ');
    return [error(placeIn(root, path, PAGES_TO), message, `They have ${have}.`)];
  }
  if (populated > layout.bytes) {
    const message = `${formatSize(populated)} cannot be populated: the guest has ${formatSize(layout.bytes)}.`;
    return [error(placeIn(root, path, ['populated']), message, 'Write what of it has been touched.')];
  }
  return [];
}

/** Bounds name their field first; what contradicts each other is told by what it says. */
const FIELDS: readonly (readonly [says: RegExp, field: Path])[] = [
  [/^(?:link|downtimeLimit|mostRounds|populated|zeroPages) is/, []],
  [/^(?:warmUp|ran) is/, ['tracking']],
  [/^to is/, ['pages']],
  [/^(?:scan|flush|split|collapse) is/, ['costs']],
  [/^(?:rate|workingSet) is/, ['vcpus']],
];
const CONTRADICTIONS: readonly (readonly [says: RegExp, field: Path])[] = [
  [/^Pages of/, PAGES_TO],
  [/first round of populated/, ['firstRound']],
  [/populated bytes/, ['populated']],
  [/no warm-up/, ['tracking', 'warmUp']],
  [/ran before/, ['tracking', 'ran']],
  [/working set/, ['vcpus', 'workingSet']],
];

function fieldOf(message: string): Path {
  const above = FIELDS.find(([says]) => says.test(message))?.[1];
  if (above) return [...above, message.slice(0, message.indexOf(' '))];
  return CONTRADICTIONS.find(([says]) => says.test(message))?.[1] ?? [];
}

const placeIn = (root: SourceMap, path: Path, field: Path) => {
  const at = [...path, ...field];
  return nodeAt(root, at)?.kind === 'scalar' ? rangeAt(root, at) : keyRangeAt(root, at);
};

/** Domains that devices write through, and that nobody could ask what was written. */
function untracked(
  root: SourceMap,
  { devices, domains, steps }: Scenario,
  given: readonly Migrate[],
): readonly ScenarioProblem[] {
  // Steps may change who writes where: that is seen when they are done.
  const changes = [...placedSteps(steps)].some(({ step }) => step.attach ?? step.createDomain ?? step.guest);
  if (changes) return [];
  const named = given.flatMap((each) => each.domains ?? []);
  const isAll = given.some((each) => each.domains === undefined);
  const used = Object.keys(domains).filter((name) => {
    const domain = domains[name];
    const writes = domain && attachedTo(domain).some(({ device }) => devices[device]?.traffic !== undefined);
    return writes === true && (isAll || named.includes(name));
  });
  const looked = used.length > 0 ? used : Object.keys(domains).slice(0, 1);
  return looked
    .filter((name) => domains[name]?.dirtyTracking === 'none')
    .map((name) => {
      const message = `The domain "${name}" does not track dirty pages, and is migrated.`;
      const hint = `Add dirtyTracking: on (or off) to domains.${name}.`;
      return error(placeIn(root, ['domains', name], ['dirtyTracking']), message, hint);
    });
}

/** Devices that write through several domains at once: one is tracked. */
function scattered(
  root: SourceMap,
  { devices, domains, steps }: Scenario,
  migrations: readonly { readonly given: Migrate; readonly path: Path }[],
): readonly ScenarioProblem[] {
  // Steps may change who writes where: that is seen when they are done.
  if ([...placedSteps(steps)].some(({ step }) => step.attach ?? step.createDomain ?? step.guest)) return [];
  const used = Object.keys(domains).filter((name) => {
    const domain = domains[name];
    return domain && attachedTo(domain).some(({ device }) => devices[device]?.traffic !== undefined);
  });
  return migrations.flatMap(({ given, path }) => {
    const meant = used.filter((name) => given.domains?.includes(name) ?? true);
    if (meant.length < 2) return [];
    const message = `Devices write through ${meant.join(' and ')}: a migration tracks one domain.`;
    return [
      error(placeIn(root, path, ['domains']), message, 'Attach them to one, or name it: domains: [...].'),
    ];
  });
}

/** Devices that nobody told how much they move. */
function idle(root: SourceMap, { devices }: Scenario): readonly ScenarioProblem[] {
  return Object.entries(devices).flatMap(([name, { traffic }]) => {
    if (!traffic || traffic.rate !== undefined) return [];
    const message = `The traffic of ${name} has no rate: while the guest migrates it does nothing.`;
    return [warning(keyRangeAt(root, ['devices', name, 'traffic']), message, 'Add rate: 10Gbps to it.')];
  });
}

/** Accesses of a device before the first round: more than any makes in a day. */
const MOST_BEFORE = 1e13;

/** Time before the first round is lived through: its accesses are bounded. */
function endless(
  root: SourceMap,
  { devices, machine }: Scenario,
  migrations: readonly { readonly given: Migrate }[],
  memory: TrafficMemory,
): readonly ScenarioProblem[] {
  const seconds = Math.max(
    ...migrations.map(({ given }) => migrationSpecOf(given).tracking).map(({ warmUp, ran }) => warmUp + ran),
  );
  return Object.entries(devices).flatMap(([name, { traffic }]) => {
    if (traffic?.rate === undefined || traffic.kind === 'trace') return [];
    const made = makeGenerator(generatorOf(traffic, memory), machine.seed);
    if (!made.ok || (traffic.rate * seconds) / made.value.bytesPerAccess <= MOST_BEFORE) return [];
    const message = `${name} would make more than 10^13 accesses before the first round.`;
    const hint = 'Give it a lower rate, or tracking a shorter time.';
    return [error(placeIn(root, ['devices', name, 'traffic'], ['rate']), message, hint)];
  });
}
