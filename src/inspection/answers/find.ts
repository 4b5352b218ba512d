import { ALL_PAGES, type AddressSpace } from '../../engine/pageTable/addressSpace';
import { permissionText } from '../../engine/pageTable/entry';
import { listRuns } from '../../engine/pageTable/list';
import { type SharedSpace } from '../deviceTable';
import { domainRow, type Inspection, type OpenIommu } from '../inspection';
import { type AddressRange, type Failure, type Permission, type Run } from '../protocol';
import { type FindParams, type Found, type FoundPage } from '../questions';
import { refuse } from '../requestError';
import { type Work } from '../work';
import { bytesOf, checkLimit } from './addresses';
import {
  newStretch,
  physicalMap,
  readGuestMap,
  type FrameRange,
  type GuestMap,
  type Stretch,
} from './guestMap';
import { runAt } from './list';
import { NAMED_DEVICES, passingDevices } from './passing';
import { newBudget, RunStream, type Budget } from './runStream';
import { checkReadable, unreadOf } from './unread';

/** Entries that a page of the answer reads at least of what is above a stage 2. */
const LEAST_BUDGET = 2 ** 20;
const TOO_MANY_GUEST_PAGES =
  'Stage 2 puts more pieces of guest memory into this range than can be kept: some are left out. Search a smaller range.';
const LAST_ADDRESS = 1n << 64n;

/** Where a page of the answer begins: IOMMU, its address space (0: what passes untranslated), and a row or a page there. */
interface Place {
  readonly iommu: number;
  readonly section: number;
  readonly at: number;
}

const START: Place = { iommu: 0, section: 0, at: 0 };

/** Every way that a DMA request has to a range of physical memory, over all IOMMUs: first what passes, then each domain. */
export function* findPage(inspection: Inspection, { range, page }: FindParams): Work<FoundPage> {
  checkRange(range);
  checkReadable(inspection);
  const limit = checkLimit(page.limit);
  const finder = new Finder(inspection, range, limit, newBudget());
  return yield* finder.from(placeOf(page.cursor));
}

function checkRange({ start, end }: AddressRange): void {
  if (start >= 0n && start < end && end <= LAST_ADDRESS) return;
  refuse(
    'find/range',
    `0x${start.toString(16)}..0x${end.toString(16)} is no range of physical addresses.`,
    'A range ends behind its start, and at 2^64 at most.',
  );
}

function placeOf(cursor: string | undefined): Place {
  if (cursor === undefined) return START;
  const match = /^(\d{1,6})\/(\d{1,9})\/([0-9a-f]{1,13})$/.exec(cursor);
  if (!match) return refuse('request/cursor', `"${cursor}" is not a cursor of this list.`);
  const [, iommu = '', section = '', at = ''] = match;
  return { iommu: Number(iommu), section: Number(section), at: parseInt(at, 16) };
}

const cursorOf = ({ iommu, section, at }: Place): string => `${iommu}/${section}/${at.toString(16)}`;

/** One page of the search. */
class Finder {
  readonly #inspection: Inspection;
  readonly #range: AddressRange;
  readonly #frames: FrameRange;
  readonly #limit: number;
  readonly #budget: Budget;
  readonly #rows: Found[] = [];
  /** Of the stage 2 that was read last: the domains of a guest mostly follow each other. */
  #guest: { readonly stage2: AddressSpace; readonly map: GuestMap } | undefined;
  /** Of the IOMMU that is being searched, once it was asked. */
  #hasPasids: boolean | undefined;
  #unreadableTables = 0;
  #cycles = 0;
  #next: Place | undefined;
  #gaveUp: Failure | undefined;
  #incomplete: string | undefined;

  constructor(inspection: Inspection, range: AddressRange, limit: number, budget: Budget) {
    this.#inspection = inspection;
    this.#range = range;
    this.#limit = limit;
    this.#budget = budget;
    const frame = (address: bigint): number => Number(address >> 12n);
    this.#frames = { start: frame(range.start), end: frame(range.end + 0xfffn) };
  }

  *from(place: Place): Work<FoundPage> {
    const { iommus } = this.#inspection;
    for (let index = place.iommu; index < iommus.length && !this.#next; index++) {
      const iommu = iommus[index];
      if (!iommu?.directory) continue;
      const first = index === place.iommu ? place : { iommu: index, section: 0, at: 0 };
      yield* this.#iommu(iommu, first);
    }
    return {
      rows: this.#rows,
      ...(this.#next ? { next: cursorOf(this.#next) } : {}),
      unreadableTables: this.#unreadableTables,
      cycles: this.#cycles,
      ...unreadOf(iommus),
      ...(this.#incomplete === undefined ? {} : { incomplete: this.#incomplete }),
      ...(this.#gaveUp ? { gaveUp: this.#gaveUp } : {}),
    };
  }

  *#iommu(iommu: OpenIommu, place: Place): Work<void> {
    this.#hasPasids = undefined;
    const { spaces } = yield* this.#inspection.devices(iommu.summary.name);
    if (place.section === 0) {
      const passing = yield* this.#passing(iommu);
      const room = passing.slice(place.at, place.at + this.#limit - this.#rows.length);
      this.#rows.push(...room);
      if (place.at + room.length < passing.length) {
        this.#next = { ...place, at: place.at + room.length };
        return;
      }
    }
    for (let section = Math.max(1, place.section); section <= spaces.length && !this.#next; section++) {
      const shared = spaces[section - 1];
      if (!shared) continue;
      const at = section === place.section ? place.at : 0;
      yield* this.#space(iommu, shared, { ...place, section, at });
    }
  }

  /** What reaches the range untranslated. */
  *#passing(iommu: OpenIommu): Work<Found[]> {
    const { devices } = yield* this.#inspection.devices(iommu.summary.name);
    const { off } = iommu.directory ?? {};
    const groups = off
      ? [{ answer: off.answer, devices: [], count: devices, off: off.why }]
      : yield* passingDevices(this.#inspection, iommu);
    return groups.flatMap(({ answer, ...group }) =>
      answer.kind === 'pass-through' && answer.permission !== 0
        ? this.#passed(iommu, answer.addressBits).map((range) => ({
            kind: 'pass-through',
            iommu: iommu.summary.name,
            range,
            perm: permissionText(answer.permission),
            ...group,
          }))
        : [],
    );
  }

  /** The parts of the range that a request may have as its address: not beyond its bits, not an interrupt. */
  #passed({ directory }: OpenIommu, addressBits: number | undefined): AddressRange[] {
    const { start } = this.#range;
    const most = addressBits === undefined ? LAST_ADDRESS : 1n << BigInt(addressBits);
    const end = this.#range.end < most ? this.#range.end : most;
    const window = directory?.off ? undefined : directory?.interruptWindow;
    const from = window ? bytesOf(window.startPage) : end;
    const to = window ? bytesOf(window.endPage) : end;
    const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);
    const parts = [
      { start, end: least(end, from) },
      { start: start > to ? start : to, end },
    ];
    return parts.filter((part) => part.start < part.end);
  }

  *#space(iommu: OpenIommu, shared: SharedSpace, place: Place): Work<void> {
    const { space } = shared;
    const map = space.stage2 ? yield* this.#guestMap(space.stage2) : physicalMap(this.#frames);
    const stream = new RunStream(space, this.#budget, place.at, ALL_PAGES);
    const stretch = newStretch();
    while (!this.#next && map.length > 0 && (yield* stream.fill())) {
      const { columns } = stream;
      for (let row = 0; row < columns.length && !this.#next; row++) {
        let from = place.at;
        while (map.next(columns, row, from, stretch)) {
          if (this.#rows.length >= this.#limit) {
            this.#next = { ...place, at: stretch.page };
            break;
          }
          from = yield* this.#add(iommu, shared, stretch);
        }
      }
    }
    this.#unreadableTables += stream.unreadableTables;
    this.#cycles += stream.cycles;
    if (!this.#next && stream.gaveUp) {
      this.#next = { ...place, at: stream.nextPage ?? 0 };
      this.#gaveUp = {
        code: 'find/too-much',
        message: `Paused within ${iommu.summary.name}: the tables claim to map more than can be read at once.`,
        hint: 'Go on from there. Tables that share one table make this happen.',
      };
    }
    yield 1;
  }

  *#guestMap(stage2: AddressSpace): Work<GuestMap> {
    if (this.#guest?.stage2 === stage2) return this.#guest.map;
    const map = yield* readGuestMap(stage2, this.#frames, this.#budget);
    this.#guest = { stage2, map };
    // Each page of the answer reads stage 2 anew: something must be left for it to come on.
    this.#budget.left = Math.max(this.#budget.left, LEAST_BUDGET);
    if (map.incomplete) this.#incomplete = TOO_MANY_GUEST_PAGES;
    return map;
  }

  /** Adds a row for a stretch, up to the interrupt window or what is left of it; gives the page behind what was added. */
  *#add(iommu: OpenIommu, shared: SharedSpace, stretch: Stretch): Work<number> {
    const { space } = shared;
    const { page, physical } = stretch;
    const window = yield* this.#windowOf(iommu);
    let end = page + stretch.pages;
    const interrupt = window !== undefined && page >= window.start && page < window.end;
    if (interrupt) end = Math.min(end, window.end);
    else if (window && page < window.start) end = Math.min(end, window.start);
    const leaf = yield* leafRun(iommu.summary.name, space, page);
    if (!leaf) return end;
    // Bytes of the range within the first and the last page.
    const first = bytesOf(physical);
    const last = first + bytesOf(end - page);
    const paddr = first > this.#range.start ? first : this.#range.start;
    const behind = last < this.#range.end ? last : this.#range.end;
    const skipped = paddr - first;
    const length = behind - paddr;
    const iova = bytesOf(page) + skipped;
    const within = iova & (leaf.pageSize - 1n);
    this.#rows.push({
      kind: 'run',
      domain: domainRow(iommu, { ...shared, requesters: shared.requesters.slice(0, NAMED_DEVICES) }),
      run: {
        ...leaf,
        iova,
        length,
        paddr,
        count: Number((within + length + leaf.pageSize - 1n) / leaf.pageSize),
        perm: bothAllow(leaf.perm, permissionText(stretch.permission)),
      },
      ...(space.stage2 ? { guest: bytesOf(stretch.frame) + skipped } : {}),
      interrupt,
    });
    yield 8;
    return end;
  }

  /** IOVAs of interrupts that no request of this IOMMU gets through; none where those with a PASID do. */
  *#windowOf({ directory, summary }: OpenIommu): Work<FrameRange | undefined> {
    const window = directory?.interruptWindow;
    if (!window) return undefined;
    const { pasids } = yield* this.#inspection.devices(summary.name);
    this.#hasPasids ??= pasids.some((pasid) => pasid !== null);
    if (window.translatesPasids === true && this.#hasPasids) return undefined;
    return { start: window.startPage, end: window.endPage };
  }
}

function bothAllow(one: Permission, other: Permission): Permission {
  const read = one.includes('R') && other.includes('R');
  const write = one.includes('W') && other.includes('W');
  return read ? (write ? 'RW' : 'R') : write ? 'W' : '-';
}

/** The leaf that maps a page, as a run that begins with it. */
export function* leafRun(iommu: string, space: AddressSpace, page: number): Work<Run | undefined> {
  const { runs } = yield* listRuns(space, { startPage: page, endPage: page + 1, limit: 1 });
  return runs.length > 0 ? runAt(runs, 0, iommu, space) : undefined;
}
