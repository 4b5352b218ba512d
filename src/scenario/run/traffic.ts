import { type TrafficOperation } from '../../engine/machine/operation';
import { makeGenerator } from '../../engine/traffic/index';
import { type TrafficMemory, type TrafficSpec } from '../../engine/traffic/spec';
import { type DmaLine } from '../../engine/machine/dmaLine';
import { type GuestLayout } from '../../engine/machine/layout';
import { formatSize, hex } from '../../engine/values';
import { type Scenario } from '../language/schema/scenario';
import { SourceKeys } from '../sourceKeys';
import { type Mismatch } from './mismatch';
import { readTrace } from './trace';

export type Traffic = NonNullable<Scenario['devices'][string]['traffic']>;

/** Files that a scenario names, by those names, unpacked. */
export type ScenarioFiles = ReadonlyMap<string, Uint8Array>;

/** Cycles between two requests of a device that says nothing of it. */
export const INTERVAL = 100;

/** What the devices of a scenario do, as generators of the engine. */
export class TrafficSources {
  readonly seed: number;
  readonly #devices: Scenario['devices'];
  readonly #files: ScenarioFiles;
  readonly #memory: TrafficMemory;
  readonly #traces = new Map<string, TrafficSpec>();
  readonly #keys = new SourceKeys();
  /** Requests that were made of the same sources before. */
  readonly #made = new Map<string, number>();

  constructor(
    { devices, machine }: Pick<Scenario, 'devices' | 'machine'>,
    layout: GuestLayout,
    files: ScenarioFiles,
  ) {
    this.#devices = devices;
    this.#files = files;
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
    const bytes = this.#files.get(file);
    const missing = { at: ['file'], what: 'file', expected: `the file ${file}` };
    if (!bytes) return { ...missing, actual: 'it was not found' };
    const trace = readTrace(bytes);
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
    const key = `${requester} ${file}`;
    const known = this.#traces.get(key);
    if (known) return known;
    const bytes = this.#files.get(file);
    if (!bytes) return problem(`the file ${file}`, 'it was not found');
    const trace = readTrace(bytes, requester);
    if (!trace.ok) return problem('a file of requests', `${file}: ${trace.why}`);
    const spec: TrafficSpec = { ...common, kind: 'requests', requests: trace.lines };
    this.#traces.set(key, spec);
    return spec;
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
