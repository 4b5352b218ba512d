import { type BuiltImage, type Expectation } from '../built';

export type Permission = 'R' | 'W' | 'RW';

/** Who asks: a StreamID or device_id, with a SubstreamID or process_id or without. */
export interface Requester {
  readonly requester: number;
  readonly pasid?: number;
}

/** What maps an input address. */
export interface Mapped {
  readonly paddr: bigint;
  readonly size: bigint;
  readonly perm: Permission;
  readonly level: number | null;
  /** The stage that refuses what `perm` lacks. */
  readonly deniedBy?: 1 | 2;
}

export interface Fault {
  readonly fault: string;
  readonly level?: number;
  readonly stage?: 1 | 2;
}

/** Collects what the hardware must answer. */
export class Cases {
  readonly expectations: Expectation[] = [];

  /** The first, the middle and the last byte of a page, and the accesses that it does not permit. */
  page(who: Requester, iova: bigint, mapped: Mapped, why: string): void {
    const { paddr, size, perm, level } = mapped;
    for (const offset of [0n, size / 2n, size - 1n]) {
      const answer = { ok: true, paddr: paddr + offset, size, perm, level } as const;
      if (perm !== 'W') this.add(who, iova + offset, 'read', why, answer);
      if (perm !== 'R') this.add(who, iova + offset, 'write', why, answer);
    }
    const stage = mapped.deniedBy === undefined ? {} : { stage: mapped.deniedBy };
    const denied = level === null || stage.stage === 2 ? stage : { level, ...stage };
    if (perm === 'R') this.add(who, iova, 'write', why, { ok: false, fault: 'write-denied', ...denied });
    if (perm === 'W') this.add(who, iova, 'read', why, { ok: false, fault: 'read-denied', ...denied });
  }

  /** One address that is translated. */
  hit(
    who: Requester,
    iova: bigint,
    access: 'read' | 'write',
    mapped: Mapped,
    offset: bigint,
    why: string,
  ): void {
    const { paddr, size, perm, level } = mapped;
    this.add(who, iova + offset, access, why, { ok: true, paddr: paddr + offset, size, perm, level });
  }

  /** Addresses that no table translates and that reach memory as they are. */
  passThrough(who: Requester, iovas: readonly bigint[], why: string): void {
    for (const iova of iovas) {
      const answer = { ok: true, paddr: iova, size: 4096n, perm: 'RW', level: null } as const;
      this.add(who, iova, 'read', why, answer);
      this.add(who, iova, 'write', why, answer);
    }
  }

  /** A fault for reads and writes alike. */
  refused(who: Requester, iova: bigint, fault: Fault, why: string): void {
    this.refusedOne(who, iova, 'read', fault, why);
    this.refusedOne(who, iova, 'write', fault, why);
  }

  refusedOne(who: Requester, iova: bigint, access: 'read' | 'write', fault: Fault, why: string): void {
    this.add(who, iova, access, why, { ok: false, ...fault });
  }

  /** No access of any kind: `read-denied` and `write-denied`. */
  denied(who: Requester, iova: bigint, where: Omit<Fault, 'fault'>, why: string): void {
    this.refusedOne(who, iova, 'read', { fault: 'read-denied', ...where }, why);
    this.refusedOne(who, iova, 'write', { fault: 'write-denied', ...where }, why);
  }

  private add(
    who: Requester,
    iova: bigint,
    access: 'read' | 'write',
    why: string,
    answer: Expectation['answer'],
  ): void {
    const { requester, pasid = null } = who;
    this.expectations.push({ requester, pasid, iova, access, why, answer });
  }
}

/** A function that makes one image, with its name. */
export type Build = () => BuiltImage;
