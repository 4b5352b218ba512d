import { type KernelDomain } from '../../engine/driver/iommuDriver';
import { openDirectory } from '../../engine/directory/index';
import { KIND_TITLES } from '../../image/description/registers';
import {
  formatRequester,
  formatSize,
  hex,
  parseDevice,
  requesterId,
  type RequesterId,
} from '../../engine/values';
import { type TraceTable } from '../../trace/model/table';
import { type LiveSpace } from '../../trace/replay/replay';
import { bytesOf } from '../answers/addresses';
import { Inspection } from '../inspection';
import { MachineMemory } from '../machines/machineMemory';
import { withDirectory } from '../openIommu';
import { type Failure, type OpenReplayParams, type SourceProblem, type TraceSpaces } from '../protocol';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { type Analysed } from './analysis';
import { framesNeeded, freePlace } from './replayPlace';
import { shapeFor, vendorOf } from './replayShape';
import { TableBuilder } from './tableBuilder';

/** What tables are built from. */
export interface ReplaySource {
  /** The trace's file name. */
  readonly name: string;
  readonly table: TraceTable;
  readonly analysis: {
    analysed(spaces: TraceSpaces): Work<Analysed>;
  };
}

/** Domain ids that every vendor has: 8 bits of Arm's smallest ASIDs. */
const MOST_DOMAINS = 255;

/**
 * Builds the tables that a trace leaves after one of its rows: the kernel's driver of the vendor maps what is mapped, a domain for each
 * address space, in memory that nothing of the trace is mapped to.
 */
export function* openReplay(
  { inspection, replay: asked }: OpenReplayParams,
  source: ReplaySource,
): Work<Inspection> {
  const { row, spaces, vendor: askedVendor } = asked;
  const { told, replay } = yield* source.analysis.analysed(spaces);
  if (!Number.isInteger(row) || row < 0 || row >= replay.rows) {
    const rows = replay.rows.toLocaleString('en');
    return refuse('trace/row', `There is no row ${row + 1}: ${source.name} has ${rows} rows.`);
  }
  const vendor = vendorOf(source.table, askedVendor);
  const live = yield* replay.at(row);
  const built = yield* buildTables(live, vendor);
  const { builder } = built;
  const memory = new MachineMemory(builder.arena, `${source.name} after row ${row + 1}`);
  const described = { name: 'iommu0', kind: vendor, segment: 0, registers: new Map(builder.iommu.registers) };
  const iommu = withDirectory(described, openDirectory(vendor, memory, described.registers));
  const notes = [...told.notes, ...replay.notes, ...built.notes];
  const summary = {
    inspection,
    image: {
      name: memory.name,
      format: 'tables of a trace',
      bytesHeld: BigInt(memory.bytesHeld),
      segments: memory.segments,
      highestAddress: BigInt(memory.highestAddress),
    },
    iommus: [iommu.summary],
    problems: notes.map((note): SourceProblem => ({ ...note, severity: 'info' })),
  };
  return new Inspection(summary, memory, [iommu], undefined);
}

interface Built {
  readonly builder: TableBuilder;
  readonly notes: readonly Failure[];
}

function* buildTables(live: readonly LiveSpace[], vendor: Parameters<typeof shapeFor>[0]): Work<Built> {
  const shape = shapeFor(vendor, Math.max(0, ...live.map((each) => each.live.end)));
  const place = freePlace(live, framesNeeded(live, shape.shape.format.levels.length));
  const builder = new TableBuilder(shape, place.start, place.frames);
  const initialised = yield* builder.initialise();
  if (!initialised.ok) return refuse('trace/tables', `${initialised.errno}: ${initialised.message}.`);
  const left = new LeftOut();
  const names = new Requesters(live);
  const taken = live.slice(0, MOST_DOMAINS);
  for (const [number, space] of taken.entries()) {
    const domain = builder.domain(number + 1);
    if (!domain.ok) return refuse('trace/tables', `${domain.errno}: ${domain.message}.`);
    yield* fill(builder, domain.value, space, left);
    const attached = yield* builder.attach(names.of(space), domain.value);
    if (!attached.ok) return refuse('trace/tables', `${space.name}: ${attached.errno}: ${attached.message}.`);
  }
  const notes = [...assumed(KIND_TITLES[vendor]), ...names.notes(taken), ...left.notes()];
  if (live.length > MOST_DOMAINS) {
    notes.push({
      code: 'trace/too-many-spaces',
      message: `Of ${live.length} address spaces with mappings the first ${MOST_DOMAINS} have tables.`,
      hint: 'Split the trace by rules that name fewer.',
    });
  }
  return { builder, notes };
}

function* fill(builder: TableBuilder, domain: KernelDomain, { live }: LiveSpace, left: LeftOut): Work<void> {
  for (const { start, end, frame, row } of live.within()) {
    if (Number.isNaN(frame)) {
      left.add('no-paddr', start, end, row, '');
      continue;
    }
    const mapped = yield* builder.map(domain, start, frame, end - start);
    if (!mapped.ok) left.add('refused', start, end, row, `${mapped.errno}: ${mapped.message}`);
  }
}

/** Mappings that are in no table. */
class LeftOut {
  readonly #first = new Map<
    'no-paddr' | 'refused',
    { mappings: number; pages: number; readonly text: string }
  >();

  add(code: keyof typeof NO_TABLE, start: number, end: number, row: number, why: string): void {
    const known = this.#first.get(code);
    const text = `${hex(bytesOf(start))} of row ${row + 1}${why === '' ? '' : ` (${why})`}`;
    if (known) {
      known.mappings++;
      known.pages += end - start;
    } else this.#first.set(code, { mappings: 1, pages: end - start, text });
  }

  notes(): Failure[] {
    return [...this.#first].map(([code, { mappings, pages, text }]) => ({
      code: `trace/${code}`,
      message: `In no table are mappings that ${NO_TABLE[code]}: ${mappings.toLocaleString('en')} (${formatSize(
        bytesOf(pages),
      )}); the first is ${text}.`,
    }));
  }
}

const NO_TABLE = {
  'no-paddr': 'the trace has no physical address of',
  refused: 'the tables cannot hold',
} as const;

const assumed = (title: string): Failure[] => [
  {
    code: 'trace/assumed',
    message: `The tables are those that Linux makes for ${title}, and allow reads and writes: the trace says neither format nor permission.`,
    hint: 'Physical addresses, IOVAs and sizes are the trace’s; where the tables themselves lie is not.',
  },
];

/** Requester ids by space: the device's own where the space is named by one. */
class Requesters {
  readonly #bySpace = new Map<number, RequesterId>();
  readonly #invented = new Set<number>();

  constructor(spaces: readonly LiveSpace[]) {
    const used = new Set<number>();
    for (const { space, name } of spaces) {
      const parsed = parseDevice(name.replace(/^(?:sid|devid|rid)[ :=]*/i, ''));
      // Arm's StreamIDs and RISC-V's device ids may be longer; the emulated ones have what PCI has.
      if (!parsed || parsed.requester > 0xffff || used.has(parsed.requester)) continue;
      used.add(parsed.requester);
      this.#bySpace.set(space, parsed.requester);
    }
    let next = FIRST_REQUESTER;
    for (const { space } of spaces) {
      if (this.#bySpace.has(space)) continue;
      while (used.has(next)) next += FUNCTIONS;
      used.add(next);
      this.#bySpace.set(space, requesterId(next));
      this.#invented.add(space);
    }
  }

  of({ space }: LiveSpace): RequesterId {
    return this.#bySpace.get(space) ?? requesterId(FIRST_REQUESTER);
  }

  notes(spaces: readonly LiveSpace[]): Failure[] {
    const invented = spaces.filter(({ space }) => this.#invented.has(space));
    if (invented.length === 0) return [];
    const list = invented.slice(0, LISTED).map((each) => `${each.name} is ${formatRequester(this.of(each))}`);
    const more = invented.length > LISTED ? `, and ${invented.length - LISTED} more` : '';
    return [
      {
        code: 'trace/invented-devices',
        message: `Address spaces without the name of a device have one that the trace does not know: ${list.join(', ')}${more}.`,
      },
    ];
  }
}

/** 00:01.0, and from one device to the next. */
const FIRST_REQUESTER = 8;
const FUNCTIONS = 8;
const LISTED = 16;
