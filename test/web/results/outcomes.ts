/** What scenarios really come to, for the Scenario Results page. */
import assert from 'node:assert/strict';
import { type ScenarioOutcome } from '../../../src/scenario/outcome';
import { readScenario } from '../../../src/scenario/language/read';
import { runScenario } from '../../../src/scenario/run/run';

const MIGRATION = `version: 2
title: A machine moves while its disk is read
machine: { vendor: vt-d, memory: 16G }
devices:
  disk:
    requester: 00:02.0
    traffic: { kind: nvme, depth: 256, rate: 8Gbps }
domains:
  vm: { maps: guest, pages: [4K, 2M], dirtyTracking: off, devices: [disk] }
migrate:
  link: 25Gbps
  downtimeLimit: 100ms
  by: model
  costs: { scan: 2ns, flush: 10us }
variants:
  as-is: { expect: { migration: { converged: true } } }
  split:
    migrate: { pages: { policy: split-eagerly, to: 4K } }
    expect: { migration: { converged: true } }
`;

const STEPS = `version: 2
title: A write that nobody reports
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  guest: { maps: guest, pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x10000, length: 64 }
  - readDirty: {}
expect: { requests: 7, lost: 1 }
`;

export interface Outcome {
  readonly file: string;
  readonly set: Readonly<Record<string, string>>;
  readonly outcome: ScenarioOutcome;
}

function ran(
  file: string,
  text: string,
  variant: string | null,
  set: Readonly<Record<string, string>> = {},
): Outcome {
  const { scenario, problems, places } = readScenario(text).variant(variant, set);
  assert.ok(scenario, JSON.stringify(problems));
  const options = { file: `${file}.iopte.yaml`, variant, places };
  const run = runScenario(scenario, { ...options, clock: () => 0, isCancelled: () => false });
  for (;;) {
    const step = run.next();
    if (step.done === true) return { file, set, outcome: step.value.outcome };
  }
}

const once = (make: () => readonly Outcome[]): (() => readonly Outcome[]) => {
  let made: readonly Outcome[] | undefined;
  return () => (made ??= make());
};

/** Pages of 2 MiB as they are, and split before. */
export const migrations = once(() => ['as-is', 'split'].map((variant) => ran('disk', MIGRATION, variant)));

/** The same migration over links of several speeds. */
export const sweep = once(() =>
  [
    '5Gbps',
    '10Gbps',
    '15Gbps',
    '20Gbps',
    '25Gbps',
    '40Gbps',
    '50Gbps',
    '75Gbps',
    '100Gbps',
    '200Gbps',
    '400Gbps',
    '600Gbps',
    '800Gbps',
  ].map((link) => ran('disk', MIGRATION, 'split', { 'migrate.link': link })),
);

/** No migration; an expectation fails. */
export const steps = (): readonly Outcome[] => [ran('steps', STEPS, null)];
