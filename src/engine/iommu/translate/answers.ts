import { isUpperPage } from '../../directory/gate';
import { type Fault } from '../../faults';
import { READ } from '../../pageTable/entryClass';
import { accessFault } from '../../pageTable/entryFaults';
import { frameHalves } from '../../values';
import { type CachedTranslation } from '../caches/translationCache';
import { type HardwareStep } from '../hardwareStep';
import { type DmaRequest, type RequestOutcome } from '../request';
import { type Context } from './contexts';
import { type TableWay } from './tableWay';
import { TO_GRANT, TO_GRANT_READS, TO_MODIFY, TO_READ, TO_WRITE, type WalkGoal } from './walkGoals';

/** The refusal of a request, before it is told. */
export interface Refusal {
  readonly fault: Fault;
  readonly depth: number;
  readonly stage: 1 | 2 | null;
  readonly guestLo?: number;
  readonly guestHi?: number;
  readonly implicit?: boolean;
  readonly implicitWrite?: boolean;
  readonly way?: TableWay;
}

/** A request that may access memory, or be answered. */
export interface Translation {
  readonly fault?: undefined;
  readonly outputPage: number;
  readonly permission: number;
  readonly shift: number;
  readonly hit: boolean;
  readonly cached: CachedTranslation | undefined;
}

/** What a walk has found, and whether caches may hold it. */
export interface Walked {
  readonly entry: CachedTranslation;
  readonly mayHold: boolean;
}

export const BLOCKED: Refusal = { fault: 'translation-blocked', depth: 0, stage: null };
export const DISALLOWED: Refusal = { fault: 'type-disallowed', depth: 0, stage: null };

export const conflict = (way: TableWay): Refusal => ({
  fault: 'conflicting-entries',
  depth: 0,
  stage: way.space.stage,
  way,
});

export const filled = ({
  tag,
  page,
  shift,
}: Pick<CachedTranslation, 'tag' | 'page' | 'shift'>): HardwareStep => ({
  kind: 'fill',
  cache: 'iotlb',
  tag,
  page,
  shift,
});

export const deniedBy = (missing: number, stage: 1 | 2 | null): Refusal => ({
  fault: (missing & READ) === 0 ? 'write-denied' : 'read-denied',
  depth: 0,
  stage,
});

export function goalOf({ kind, access, noWrite }: DmaRequest): WalkGoal {
  if (kind === 'translation') return noWrite === true ? TO_GRANT_READS : TO_GRANT;
  return access === 'read' ? TO_READ : access === 'write' ? TO_WRITE : TO_MODIFY;
}

export function wayOf({ way, upper }: Context, page: number): TableWay | undefined {
  return upper && isUpperPage(page) ? upper : way;
}

/** What a cached entry alone says of an access. */
export const deniedByCached = (
  { permission }: CachedTranslation,
  { kind, read, write }: WalkGoal,
): Fault | undefined =>
  kind === 'access'
    ? ((read ? accessFault(permission, false) : undefined) ??
      (write ? accessFault(permission, true) : undefined))
    : undefined;

export const translated = (entry: CachedTranslation, page: number, hit: boolean): Translation => ({
  outputPage: entry.outputPage + page - entry.page,
  permission: entry.permission,
  shift: entry.shift,
  hit,
  cached: entry,
});

export function outcomeAt(
  { addressLo }: DmaRequest,
  outputPage: number,
  permission: number,
  shift: number,
  hit: boolean,
): RequestOutcome & { ok: true } {
  const { lo, hi } = frameHalves(outputPage);
  return { ok: true, outputLo: (lo | (addressLo & 0xfff)) >>> 0, outputHi: hi, permission, shift, hit };
}
