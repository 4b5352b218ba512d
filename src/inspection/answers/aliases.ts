import { ALL_PAGES, type AddressSpace } from '../../engine/pageTable/addressSpace';
import { permissionText } from '../../engine/pageTable/entry';
import { READ_WRITE } from '../../engine/pageTable/entryClass';
import { frameNumber } from '../../engine/values';
import { CANCELLED } from '../../bytes/task';
import { sortedOrder } from '../../image/sortedOrder';
import { type Inspection } from '../inspection';
import { type DomainKey } from '../mapping';
import { type Alias, type AliasesParams, type AliasKind, type AliasPage, type Unread } from '../questions';
import { refuse } from '../requestError';
import { domainKey } from '../spaces';
import { runInSlices, type CallContext, type Scheduling, type Work } from '../work';
import { bytesOf, checkLimit, parseCursor } from './addresses';
import { AliasSweep, type AliasStretch } from './aliasSweep';
import { newStretch, readGuestMap, type GuestMap } from './guestMap';
import { MappingColumns } from './mappingColumns';
import { newBudget, RunStream, type Budget } from './runStream';
import { checkReadable, unreadOf } from './unread';

/** Mappings that are kept at most, with 29 bytes each; neighbours that continue each other are one. */
const MOST_MAPPINGS = 2 ** 21;
/** Aliases that are kept at most. */
const MOST_ALIASES = 2 ** 16;
const KINDS: readonly AliasKind[] = ['shared', 'repeated', 'identity'];

/** All aliases of a source, by kind, then by address. */
interface Aliases extends Unread {
  readonly byKind: Readonly<Record<AliasKind, readonly AliasStretch[]>>;
  readonly spaces: readonly DomainKey[];
  readonly incomplete: string | undefined;
}

/** The aliases of each source, kept as long as it is open: what they follow from does not change. */
const known = new WeakMap<Inspection, Aliases>();

export async function aliasPage(
  inspection: Inspection,
  { kind, page }: AliasesParams,
  context: CallContext,
  scheduling: Scheduling,
): Promise<AliasPage> {
  checkReadable(inspection);
  const limit = checkLimit(page.limit);
  const first = parseCursor(page.cursor, 10);
  if (kind !== undefined && !KINDS.includes(kind)) refuse('request/kind', `"${kind}" is no kind of alias.`);
  const aliases = known.get(inspection) ?? (await readAliases(inspection, context, scheduling));
  known.set(inspection, aliases);
  const { byKind, spaces, incomplete, unreadableTables, cycles, unreadIommus, problems } = aliases;
  const rows = KINDS.filter((each) => kind === undefined || each === kind).flatMap((each) =>
    byKind[each].map((stretch) => ({ kind: each, stretch })),
  );
  const end = first + limit;
  const counted = (count: (of: readonly AliasStretch[]) => number): AliasPage['counts'] => ({
    shared: count(byKind.shared),
    repeated: count(byKind.repeated),
    identity: count(byKind.identity),
  });
  return {
    rows: rows.slice(first, end).map((row) => aliasOf(inspection, row.kind, row.stretch, spaces)),
    total: rows.length,
    ...(end < rows.length ? { next: String(end) } : {}),
    counts: counted((of) => of.length),
    frames: counted((of) => of.reduce((sum, { startFrame, endFrame }) => sum + endFrame - startFrame, 0)),
    unreadableTables,
    cycles,
    unreadIommus,
    problems,
    ...(incomplete === undefined ? {} : { incomplete }),
  };
}

function aliasOf(
  { memory }: Inspection,
  kind: AliasKind,
  stretch: AliasStretch,
  spaces: readonly DomainKey[],
): Alias {
  return {
    kind,
    range: { start: bytesOf(stretch.startFrame), end: bytesOf(stretch.endFrame) },
    held: memory.readFrame(frameNumber(stretch.startFrame)) !== undefined,
    count: stretch.count,
    domains: stretch.spaces,
    mappings: stretch.mappings.flatMap(({ space, page, permission }) => {
      const domain = spaces[space];
      return domain ? [{ domain, iova: bytesOf(page), perm: permissionText(permission) }] : [];
    }),
  };
}

async function readAliases(
  inspection: Inspection,
  context: CallContext,
  scheduling: Scheduling,
): Promise<Aliases> {
  const collected = await runInSlices(collect(inspection), context, scheduling);
  const { columns, below, keys } = collected;
  const order = await sortedOrder(columns.frame.subarray(0, columns.length), {
    signal: context.signal,
    pause: () => scheduling.pause(),
  });
  if (!order) return refuse(CANCELLED, 'Cancelled.');
  const sweep = new AliasSweep(columns, below, MOST_ALIASES);
  await runInSlices(sweep.run(order), context, scheduling);
  const byKind = sorted(sweep.stretches);
  const full = `There are more than ${MOST_ALIASES.toLocaleString('en')} aliases: those at higher addresses are left out.`;
  return {
    ...collected,
    byKind,
    spaces: keys,
    incomplete: collected.incomplete ?? (sweep.full ? full : undefined),
  };
}

/** Tells the kinds of aliases apart. */
function sorted(stretches: readonly AliasStretch[]): Aliases['byKind'] {
  const byKind: Record<AliasKind, AliasStretch[]> = { shared: [], repeated: [], identity: [] };
  for (const stretch of stretches) {
    byKind[stretch.identity ? 'identity' : stretch.spaces > 1 ? 'shared' : 'repeated'].push(stretch);
  }
  return byKind;
}

interface Collected extends Unread {
  readonly columns: MappingColumns;
  /** Of each space the place of the stage 2 below it; -1: none. */
  readonly below: readonly number[];
  readonly keys: readonly DomainKey[];
  readonly incomplete: string | undefined;
}

/** Every mapping of every domain, with its final physical address. */
function* collect(inspection: Inspection): Work<Collected> {
  const columns = new MappingColumns();
  const below: number[] = [];
  const keys: DomainKey[] = [];
  const unread = { unreadableTables: 0, cycles: 0, ...unreadOf(inspection.iommus) };
  const reader = new MappingReader(columns);
  let incomplete: string | undefined;
  for (const { summary, directory } of inspection.iommus) {
    if (!directory) continue;
    const { spaces } = yield* inspection.devices(summary.name);
    const first = below.length;
    const placeOf = new Map(spaces.map(({ space }, index) => [space, first + index]));
    for (const { space } of spaces) {
      const index = below.length;
      below.push(space.stage2 ? (placeOf.get(space.stage2) ?? -1) : -1);
      keys.push(domainKey(summary.name, space));
      if (incomplete !== undefined) continue;
      const read = yield* reader.read(space, index);
      unread.unreadableTables += read.unreadableTables;
      unread.cycles += read.cycles;
      if (read.why === undefined) continue;
      const domain = `${summary.name} domain ${space.domainId}`;
      incomplete = `${read.why} The search stopped in ${domain}: what it and those behind it map is left out.`;
    }
  }
  return { columns, below, keys, incomplete, ...unread };
}

interface Read {
  readonly unreadableTables: number;
  readonly cycles: number;
  /** Why not everything was read. */
  readonly why: string | undefined;
}

const TOO_MANY = `More than ${MOST_MAPPINGS.toLocaleString('en')} mappings that do not continue each other.`;
const TOO_MUCH = 'The tables claim to map more than can be read.';

/** Reads the mappings of one address space after the other. */
class MappingReader {
  readonly #columns: MappingColumns;
  readonly #budget: Budget = newBudget();
  /** Of the stage 2 that was read last: the domains of a guest mostly follow each other. */
  #guest: { readonly stage2: AddressSpace; readonly map: GuestMap } | undefined;

  constructor(columns: MappingColumns) {
    this.#columns = columns;
  }

  *read(space: AddressSpace, index: number): Work<Read> {
    const columns = this.#columns;
    const map = space.stage2 ? yield* this.#guestMap(space.stage2) : undefined;
    const stream = new RunStream(space, this.#budget, 0, ALL_PAGES);
    const stretch = newStretch();
    while (columns.length < MOST_MAPPINGS && (yield* stream.fill())) {
      const runs = stream.columns;
      for (let row = 0; row < runs.length; row++) {
        const permission = runs.permissionOf(row);
        if (!map) {
          const pages = (runs.count[row] ?? 0) * 2 ** (runs.pageShiftOf(row) - 12);
          columns.add(index, runs.page[row] ?? 0, runs.frame[row] ?? 0, pages, permission & READ_WRITE);
          continue;
        }
        let from = 0;
        while (columns.length < MOST_MAPPINGS && map.next(runs, row, from, stretch)) {
          columns.add(index, stretch.page, stretch.physical, stretch.pages, permission & stretch.permission);
          from = stretch.page + stretch.pages;
        }
      }
    }
    const tooMany = columns.length >= MOST_MAPPINGS || map?.incomplete === true;
    return {
      unreadableTables: stream.unreadableTables,
      cycles: stream.cycles,
      why: stream.gaveUp ? TOO_MUCH : tooMany ? TOO_MANY : undefined,
    };
  }

  *#guestMap(stage2: AddressSpace): Work<GuestMap> {
    if (this.#guest?.stage2 !== stage2) {
      const map = yield* readGuestMap(stage2, { start: 0, end: ALL_PAGES }, this.#budget);
      this.#guest = { stage2, map };
    }
    return this.#guest.map;
  }
}
