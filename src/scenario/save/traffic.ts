import { type DmaLine } from '../../engine/machine/dmaLine';
import { type MachineSpec } from '../../engine/machine/spec';
import { type OperationReport, type TrafficOperation } from '../../engine/machine/operation';
import { TrafficStream } from '../../engine/traffic/stream';
import { type TrafficSpec } from '../../engine/traffic/spec';
import { hex, parseInteger } from '../../engine/values';
import { SourceKeys } from '../sourceKeys';
import { type SavedNames } from './names';
import { requestStep, type SavedFiles } from './requests';
import { type WrittenMap } from './yamlText';

/** Requests that are written one by one where no step says them. */
const MOST_WRITTEN = 1_000_000;

/** Requests of generators as steps; where a step cannot say which, they are written one by one. */
export class SavedTraffic {
  readonly #seed: number;
  readonly #names: SavedNames;
  readonly #files: SavedFiles;
  readonly #keys = new SourceKeys();
  /** Requests that steps made before of the same sources: a step goes on from there by itself. */
  readonly #made = new Map<string, number>();
  readonly #traces = new Map<readonly DmaLine[], string>();

  constructor({ seed }: MachineSpec, names: SavedNames, files: SavedFiles) {
    this.#seed = seed;
    this.#names = names;
    this.#files = files;
  }

  step(operation: TrafficOperation, report: OperationReport | undefined): WrittenMap | undefined {
    return this.#asTraffic(operation, report) ?? this.#asRequests(operation, report);
  }

  #asTraffic(operation: TrafficOperation, report: OperationReport | undefined): WrittenMap | undefined {
    const { sources, requests, seed, skip = 0 } = operation;
    const [only] = sources;
    if (!only || sources.length > 1 || (only.pasid ?? null) !== null || seed !== this.#seed) return undefined;
    const device = this.#names.device(only.requester);
    const key = this.#keys.of(sources);
    const made = this.#made.get(key) ?? 0;
    const isQuiet =
      report !== undefined && (report.counts['refused'] ?? 0) === 0 && report.errno === undefined;
    if (device === undefined || skip !== made || !isQuiet || requests === 0) return undefined;
    this.#made.set(key, made + requests);
    return { traffic: { devices: [device], requests, traffic: this.#written(only.traffic) } };
  }

  #written(traffic: TrafficSpec): WrittenMap {
    const { rate, interval } = traffic;
    const common = {
      ...(rate === undefined ? {} : { rate: `${rate}B/s` }),
      ...(interval === undefined ? {} : { interval }),
    };
    if (traffic.kind === 'requests') {
      const known = this.#traces.get(traffic.requests);
      const file = known ?? this.#files.add(traffic.requests);
      this.#traces.set(traffic.requests, file);
      return { kind: 'trace', ...common, file };
    }
    const { memory, rate: _rate, interval: _interval, ...rest } = traffic;
    const start = parseInteger(memory.start) ?? memory.start;
    return { ...rest, ...common, memory: { start, length: memory.length } };
  }

  /** The requests themselves; undefined: there are too many, or the operation was refused. */
  #asRequests(operation: TrafficOperation, report: OperationReport | undefined): WrittenMap | undefined {
    const { sources, requests, seed, skip = 0 } = operation;
    const stream = TrafficStream.make(
      sources.map(({ traffic }) => traffic),
      seed,
    );
    if (!stream.ok || requests > MOST_WRITTEN) return undefined;
    stream.value.skip(skip);
    const lines = Array.from({ length: requests }, (): DmaLine => {
      const { iova, length, access } = stream.value.next();
      const { requester = '', pasid = null } = sources[stream.value.source] ?? {};
      const address = typeof iova === 'number' ? hex(iova) : iova;
      return { sid: requester, ...(pasid === null ? {} : { pasid }), iova: address, length, access };
    });
    return lines.length === 0 ? undefined : requestStep(lines, report, this.#names, this.#files);
  }
}
