import assert from 'node:assert/strict';
import { DEFAULT_MIGRATION } from '../../../../src/engine/migration/defaults';
import { type MigrationJob } from '../../../../src/engine/migration/job';
import { migrate } from '../../../../src/engine/migration/migrate';
import { type MigrationResult } from '../../../../src/engine/migration/result';
import { type DirtySource, type Harvest, type TableWork } from '../../../../src/engine/migration/source';
import { type MigrationSpec } from '../../../../src/engine/migration/spec';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { runSteps } from '../../../../src/engine/steps';
import { type TrafficSpec } from '../../../../src/engine/traffic/spec';

export const GiB = 2 ** 30;
export const MiB = 2 ** 20;
export const DEVICE = '00:02.0';
/** 100 Gb/s. */
export const LINK = 12.5e9;

export const migration = (given: Partial<MigrationSpec> = {}): MigrationSpec => ({
  ...DEFAULT_MIGRATION,
  ...given,
});

export const machineOf = (memory: string, ...pages: string[]): MachineSpec => ({
  ...{ version: 1, vendor: 'vt-d', tables: 'second-stage', memory, dirtyTracking: 'off', iommus: 1, seed: 1 },
  mapping: { what: 'guest', pages },
  devices: [{ requester: DEVICE }],
});

/** One write of a page after the other at this distance, again and again. */
export function strides(start: number, stride: number, count: number, writesASecond: number): TrafficSpec {
  const requests = Array.from({ length: count }, (_, index) => ({
    ...{ sid: DEVICE, iova: `0x${(start + index * stride).toString(16)}`, length: 4096 },
    access: 'write' as const,
  }));
  return { kind: 'requests', requests, rate: writesASecond * 4096 };
}

export function run(
  machine: MigrationJob['machine'],
  traffic: readonly TrafficSpec[],
  spec: MigrationSpec,
  by: MigrationJob['by'] = 'model',
): MigrationResult {
  const sources = traffic.map((each) => ({ requester: DEVICE, traffic: each }));
  const result = runSteps(migrate({ machine, sources, spec, by, seed: 1 }));
  assert.ok(result.ok, result.ok ? '' : `${result.failure.code}: ${result.failure.message}`);
  return result.value.result;
}

/** A source of which each harvest finds what a list says, by bytes; the time that passed is kept. */
export class ScriptedSource implements DirtySource {
  readonly deviceState: DirtySource['deviceState'];
  readonly operations = [];
  readonly bySize = {};
  readonly requests = 0;
  readonly share = 0;
  seconds = 0;
  readonly memory: number;
  /** Entries that a harvest looks at, of each. */
  readonly #scans: readonly number[];
  readonly #found: readonly number[];
  #harvests = 0;

  constructor(
    memory: number,
    found: readonly number[],
    given: { readonly scans?: readonly number[]; readonly deviceState?: DirtySource['deviceState'] } = {},
  ) {
    this.memory = memory;
    this.#found = found;
    this.#scans = given.scans ?? [];
    this.deviceState = given.deviceState ?? { running: 0, stopped: 0 };
  }

  get leaves(): number {
    return this.#scans[this.#harvests] ?? 0;
  }

  *prepare(): Generator<void, TableWork, void> {
    yield;
    return { leaves: 0, flushes: 0, splits: 0, entries: 0 };
  }

  *write(seconds: number): Generator<void, void, void> {
    this.seconds += seconds;
    yield;
  }

  *pending() {
    yield;
    return { leaves: new Map<number, number>(), bytes: 0 };
  }

  *harvest(): Generator<void, Harvest, void> {
    yield;
    const { leaves } = this;
    const bytes = this.#found[this.#harvests++] ?? 0;
    return { leaves, flushes: 0, splits: 0, entries: 0, reported: bytes, written: bytes, byCpus: 0 };
  }

  *stop(): Generator<void, void, void> {
    yield;
  }

  *save(): Generator<void, number, void> {
    yield;
    return 0;
  }

  *lost(): Generator<void, number, void> {
    yield;
    return 0;
  }

  *finish(): Generator<void, number, void> {
    yield;
    return 0;
  }
}
