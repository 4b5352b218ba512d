import { type Expectation } from '../built';

export type Perm = 'R' | 'W' | 'RW';
export type Access = 'read' | 'write';

/** Who asks: the requester and its PASID, if it sends one. */
export interface Asker {
  readonly requester: number;
  readonly pasid: number | null;
}

export const asker = (requester: number, pasid: number | null = null): Asker => ({ requester, pasid });

export interface Page {
  readonly iova: bigint;
  readonly paddr: bigint;
  readonly size: bigint;
  readonly perm: Perm;
  readonly level: number | null;
}

const ACCESSES: readonly (readonly [Access, string])[] = [
  ['read', 'R'],
  ['write', 'W'],
];

/** What one requester must be answered for a page: start, middle and last byte, each access, what is denied too. */
export function mapped(who: Asker, page: Page, why: string): Expectation[] {
  const offsets = [0n, page.size / 2n + 0x123n, page.size - 1n];
  return ACCESSES.flatMap(([access, letter]) =>
    page.perm.includes(letter)
      ? offsets.map((offset) => at(who, page, offset, access, why))
      : [fault(who, page.iova + page.size / 2n, access, `${access}-denied`, why)],
  );
}

/** One address of a page, read or written. */
export function at(who: Asker, page: Page, offset: bigint, access: Access, why: string): Expectation {
  const { size, perm, level } = page;
  const answer = { ok: true, paddr: page.paddr + offset, size, perm, level } as const;
  return { ...who, iova: page.iova + offset, access, why, answer };
}

/** A request that is passed through untranslated. */
export function passed(who: Asker, iova: bigint, access: Access, why: string): Expectation {
  const answer = { ok: true, paddr: iova, size: 4096n, perm: 'RW', level: null } as const;
  return { ...who, iova, access, why, answer };
}

/** Where a fault is found; left out when the specification leaves it open. */
export interface Where {
  readonly level?: number;
  readonly stage?: 1 | 2;
}

export function fault(
  who: Asker,
  iova: bigint,
  access: Access,
  code: string,
  why: string,
  where: Where = {},
): Expectation {
  return { ...who, iova, access, why, answer: { ok: false, fault: code, ...where } };
}

/** The same fault for a read and for a write. */
export function faults(
  who: Asker,
  iova: bigint,
  code: string,
  why: string,
  where: Where = {},
): Expectation[] {
  return ACCESSES.map(([access]) => fault(who, iova, access, code, why, where));
}
