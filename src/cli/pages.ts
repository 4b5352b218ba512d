/** Long answers, page by page. */
import {
  type Failure,
  type Page,
  type PageRequest,
  type Unread,
  type VendorWords,
} from '../inspection/protocol';
import { fromFailure } from './errors';
import { type Session } from './session';

/** Rows asked for at once. */
const PAGE = 1000;
/** An answer that pauses more often than this reads tables that map without end: one pause is 2^30 entries. */
const MOST_PAUSES = 64;

interface Answer extends Page<unknown>, Unread {
  readonly gaveUp?: Failure;
  readonly incomplete?: string;
}

export interface Answered {
  readonly rows: number;
  /** Set when the limit ended it. */
  readonly stopped: boolean;
  /** What could not be read, each once: for a note. */
  readonly warnings: readonly string[];
  /** IOMMUs, or structures above the page tables, were not read. */
  readonly lacksDevices: boolean;
}

/** Asks for all pages of an answer up to a limit of rows, and goes on where it paused. */
export async function readPages<T extends Answer>(
  limit: number,
  ask: (page: PageRequest) => Promise<T>,
  write: (page: T, first: boolean) => Promise<void>,
): Promise<Answered> {
  let [rows, tables, cycles, pauses] = [0, 0, 0, 0];
  let cursor: string | undefined;
  const warnings = new Set<string>();
  let page: T;
  do {
    page = await ask({ limit: Math.min(PAGE, limit - rows), ...(cursor === undefined ? {} : { cursor }) });
    await write(page, rows === 0);
    rows += page.rows.length;
    tables += page.unreadableTables;
    cycles += page.cycles;
    const { gaveUp, next, incomplete } = page;
    if (incomplete !== undefined) warnings.add(incomplete);
    if (gaveUp && (next === undefined || next !== cursor) && pauses < MOST_PAUSES) {
      // A pause that was gone on from is none to tell of.
      if (next === undefined) warnings.add(gaveUp.message);
      pauses++;
    } else if (gaveUp)
      throw fromFailure({ ...gaveUp, hint: 'Tables that share one table make this happen.' });
    cursor = next;
  } while (cursor !== undefined && rows < limit);
  const { unreadIommus, problems } = page;
  if (tables > 0) warnings.add(`${tables} tables are not in the image: what they map is not known`);
  if (cycles > 0) warnings.add(`${cycles} entries point back to a table above them: they are not followed`);
  for (const name of unreadIommus) warnings.add(`${name} cannot be read: what it maps is not known`);
  for (const problem of problems) warnings.add(problem);
  const lacksDevices = unreadIommus.length > 0 || problems.length > 0;
  return { rows, stopped: cursor !== undefined, warnings: [...warnings], lacksDevices };
}

/** The vendor's words of an IOMMU by its name. */
export type WordsOf = (iommu: string) => VendorWords | undefined;

/** The words of the IOMMUs of these sources: the first that has the name. */
export function wordsOf(...sessions: readonly (Session | undefined)[]): WordsOf {
  const iommus = sessions.flatMap((session) => session?.summary.iommus ?? []);
  return (name) => iommus.find((iommu) => iommu.name === name)?.words;
}
