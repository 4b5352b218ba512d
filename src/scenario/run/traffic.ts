import { type TrafficOperation } from '../../engine/machine/operation';
import { makeGenerator } from '../../engine/traffic/index';
import { type TrafficMemory, type TrafficSpec } from '../../engine/traffic/spec';
import { type DmaLine } from '../../engine/machine/dmaLine';
import { type GuestLayout } from '../../engine/machine/layout';
import { formatSize, hex } from '../../engine/values';
import { placedSteps } from '../language/check/placedSteps';
import { type Scenario } from '../language/schema/scenario';
import { SourceKeys } from '../sourceKeys';
import { type Mismatch } from './mismatch';
import { type Slices } from './live';
import { readTrace, type Trace } from './trace';

export type Traffic = NonNullable<Scenario['devices'][string]['traffic']>;

/** Files that a scenario names, by those names, unpacked. */
export type ScenarioFiles = ReadonlyMap<string, Uint8Array>;

/** Files that were read, by `traceKey`. */
export type Traces = ReadonlyMap<string, Trace>;

/** A file as a device has it, or all of it. */
const traceKey = (file: string, requester?: string): string => `${requester ?? ''} ${file}`;

/** Reads each file that a scenario names once; one that is missing is told where it is asked for. */
export function* readTraces(
  { devices, steps }: Pick<Scenario, 'devices' | 'steps'>,
  files: ScenarioFiles,
): Slices<Traces> {
  const traces = new Map<string, Trace>();
  function* add(file: string, requester?: string): Slices<void> {
    const key = traceKey(file, requester);
    const bytes = files.get(file);
    if (bytes && !traces.has(key)) traces.set(key, yield* readTrace(bytes, requester));
  }
  for (const { traffic, requester } of Object.values(devices))
    if (traffic?.kind === 'trace') yield* add(traffic.file, requester);
  for (const { step } of placedSteps(steps)) {
    if (step.replay) yield* add(step.replay.file);
    const { traffic, devices: names = Object.keys(devices).slice(0, 1) } = step.traffic ?? {};
    if (traffic?.kind === 'trace')
      for (const name of names) yield* add(traffic.file, devices[name]?.requester ?? '');
  }
  return traces;
}

/** Lines of a file, all devices' together; 0: it was not read. */
export function linesIn(traces: Traces, file: string): number {
  const trace = traces.get(traceKey(file));
  return trace?.ok === true ? trace.lines.length : 0;
}

/** Cycles between two requests of a device that says nothing of it. */
export const INTERVAL = 100;

/** What the devices of a scenario do, as generators of the engine. */
export class TrafficSources {
  readonly seed: number;
  readonly #devices: Scenario['devices'];
  readonly #memory: TrafficMemory;
  readonly #traces: Traces;
  readonly #keys = new SourceKeys();
  /** Requests that were made of the same sources before. */
  readonly #made = new Map<string, number>();

  constructor(
    { devices, machine }: Pick<Scenario, 'devices' | 'machine'>,
    layout: GuestLayout,
    traces: Traces,
  ) {
    this.#devices = devices;
    this.#traces = traces;
    this.seed = machine.seed;
    this.#memory = largestPart(layout);
  }

  /** Devices that have traffic of their own. */
  get names(): readonly string[] {
    return Object.keys(this.#devices).filter((name) => this.#devices[name]?.traffic !== undefined);
  }

  /** What a device does: as it says itself, or as the step has it. Below the step or the device. */
  of(name: string, instead?: Traffic): TrafficSpec | Mismatch {
    const traffic = instead ?? this.#devices[name]?.traffic;
    const requester = this.#devices[name]?.requester ?? '';
    if (!traffic) return problem('traffic of its own, or of the step', `${name} has none`);
    const made = this.#specOf(traffic, requester);
    if ('expected' in made) return made;
    const generator = makeGenerator(made, this.seed);
    if (generator.ok) return made;
    const { message, hint = '' } = generator.failure;
    return problem('traffic that a device can make', `${message} ${hint}`.trim());
  }

  /** All requests of a file, in their order. Below the step. */
  requestsOf(file: string): readonly DmaLine[] | Mismatch {
    const trace = this.#traces.get(traceKey(file));
    const missing = { at: ['file'], what: 'file', expected: `the file ${file}` };
    if (!trace) return { ...missing, actual: 'it was not found' };
    return trace.ok
      ? trace.lines
      : { ...missing, expected: 'a file of requests', actual: `${file}: ${trace.why}` };
  }

  /** Says that so many requests of these sources are made; how many were before. */
  goesOn(sources: TrafficOperation['sources'], requests: number): number {
    const key = this.#keys.of(sources);
    const before = this.#made.get(key) ?? 0;
    this.#made.set(key, before + requests);
    return before;
  }

  #specOf(traffic: Traffic, requester: string): TrafficSpec | Mismatch {
    if (traffic.kind === 'trace') return this.#trace(traffic.file, requester, commonOf(traffic));
    return generatorOf(traffic, this.#memory);
  }

  #trace(
    file: string,
    requester: string,
    common: Pick<TrafficSpec, 'rate' | 'interval'>,
  ): TrafficSpec | Mismatch {
    const trace = this.#traces.get(traceKey(file, requester));
    if (!trace) return problem(`the file ${file}`, 'it was not found');
    if (!trace.ok) return problem('a file of requests', `${file}: ${trace.why}`);
    return { ...common, kind: 'requests', requests: trace.lines };
  }
}

const commonOf = ({ rate, interval }: Traffic): Pick<TrafficSpec, 'rate' | 'interval'> => ({
  ...(rate === undefined ? {} : { rate }),
  ...(interval === undefined ? {} : { interval }),
});

/** Traffic that is no file as the engine has it; `all`: where it goes when it does not say. */
export function generatorOf(traffic: Exclude<Traffic, { kind: 'trace' }>, all: TrafficMemory): TrafficSpec {
  const { rate: _rate, interval: _interval, memory, ...kind } = traffic;
  return { ...commonOf(traffic), ...kind, memory: memory ? memoryText(memory) : all };
}

const problem = (expected: string, actual: string): Mismatch => ({
  at: ['traffic'],
  what: 'traffic',
  expected,
  actual,
});

const memoryText = ({
  start,
  length,
}: {
  readonly start: bigint;
  readonly length: bigint;
}): TrafficMemory => ({
  start: hex(start),
  length: formatSize(length),
});

/** Generators work in one piece: what is mapped with a hole below 4 GiB gives them its larger part. */
export function largestPart({ regions }: GuestLayout): TrafficMemory {
  const [first, ...others] = regions.map(({ startPage, endPage }) => ({
    start: BigInt(startPage) * 4096n,
    length: BigInt(endPage - startPage) * 4096n,
  }));
  const largest = others.reduce((one, other) => (other.length > one.length ? other : one), first ?? NOTHING);
  return memoryText(largest);
}

const NOTHING = { start: 0n, length: 0n };
