import { type Machine } from '../../engine/machine/machine';
import { type MachineOperation, type TrafficOperation } from '../../engine/machine/operation';
import { DEFAULT_MIGRATION } from '../../engine/migration/defaults';
import { migrate, type MigratingProgress } from '../../engine/migration/migrate';
import { type MigrationResult } from '../../engine/migration/result';
import { type MigrationSpec } from '../../engine/migration/spec';
import { parseDevice } from '../../engine/values';
import { type Step } from '../language/schema/steps';
import { failureText, type RunProgress, type Slices } from './live';
import { type Mismatch } from './mismatch';
import { type Names } from './names';
import { definedOnly } from './definedOnly';
import { type TrafficSources } from './traffic';
import { BYTES } from './texts';

type Migrate = NonNullable<Step['migrate']>;

/** A migration as the engine has it: what a file leaves out has the engine's defaults. */
export function migrationSpecOf(given: Migrate): MigrationSpec {
  const { link, downtimeLimit, rule, mostRounds, firstRound, zeroPages } = given;
  const { tracking, pages, populated, costs, vcpus } = given;
  const base = DEFAULT_MIGRATION;
  return {
    ...{ link, downtimeLimit, rule, mostRounds, firstRound, zeroPages },
    tracking: { ...base.tracking, ...tracking },
    pages: pages ? { ...pages, to: Number(pages.to) } : base.pages,
    populated: Number(populated ?? base.populated),
    costs: { ...base.costs, ...definedOnly(costs ?? {}) },
    vcpus: vcpus ? { rate: vcpus.rate, workingSet: Number(vcpus.workingSet) } : base.vcpus,
  };
}

/** What came of a migration: as far as it came, when it was given up. */
export interface CameOfIt {
  readonly result: MigrationResult;
  /** What was done to the machine, in order. */
  readonly operations: readonly MachineOperation[];
  readonly isGivenUp: boolean;
}

/** Migrates the machine as it stands. Mismatches are below `migrate`. */
export function* runMigration(
  given: Migrate,
  machine: Machine,
  names: Names,
  traffic: TrafficSources,
  isCancelled: () => boolean,
): Slices<CameOfIt | Mismatch> {
  const sources = sourcesOf(given, machine, names, traffic);
  if ('expected' in sources) return sources;
  const spec = migrationSpecOf(given);
  const running = migrate({ machine, sources, spec, by: given.by, seed: traffic.seed });
  for (;;) {
    const step = running.next();
    if (step.done === true) {
      if (step.value.ok) return { ...step.value.value, isGivenUp: false };
      const actual = failureText(step.value.failure);
      return { at: [], what: 'migrate', expected: 'a migration that can be run', actual };
    }
    yield progressOf(step.value);
    if (isCancelled()) return { ...step.value.soFar(), isGivenUp: true };
  }
}

type Sources = TrafficOperation['sources'];

/** Devices with traffic that are attached to a domain, or to one of those that are named. */
function sourcesOf(
  { domains }: Migrate,
  machine: Machine,
  names: Names,
  traffic: TrafficSources,
): Sources | Mismatch {
  const ids = (domains ?? []).map((name, index) => names.domain(name, ['domains', index]));
  const unknown = names.takeProblem();
  if (unknown) return unknown;
  const sources: Sources[number][] = [];
  for (const name of traffic.names) {
    const requester = names.device(name, []);
    const id = parseDevice(requester)?.requester;
    const attached = machine.devices.filter(
      ({ requester: each, to }) =>
        each === id && typeof to === 'number' && (domains === undefined || ids.includes(to)),
    );
    const [first] = attached;
    if (!first) continue;
    const made = traffic.of(name);
    if ('expected' in made) return { ...made, at: [] };
    sources.push({ requester, ...(first.pasid === null ? {} : { pasid: first.pasid }), traffic: made });
  }
  return sources;
}

function progressOf({ phase, round, pending, linkSeconds, fraction }: MigratingProgress): RunProgress {
  if (round === 0) return { message: 'Preparing the migration', fraction };
  const left = `${BYTES(Math.round(pending / 2 ** 20) * 2 ** 20)} pending, ${linkSeconds.toFixed(1)} s of link`;
  return { message: `Migration: ${phase === 'rounds' ? `round ${round}` : phase}, ${left}`, fraction };
}
