import { type DomainSection, type LowBits } from './domainSections';

const READ = 1;
/** U/S of a first-stage entry, X of a second-stage one. */
const USER = 4;
/** A and D of a second-stage entry. */
const MARKS = 0x300;
/** First-stage tables have four or five levels (VT-d 4.1 §3.6). */
const LEAST_OF_FIRST_STAGE = 4;

/** Which stage the tables of a section are of, and what tells. */
export interface Stage {
  readonly stage: 1 | 2;
  /** Second stage: an entry is marked as accessed or dirty. */
  readonly marks: boolean;
  readonly why: string;
  /** False when nothing tells for sure. */
  readonly certain: boolean;
}

/**
 * The stage by the entries: U/S is set in every first-stage entry that devices may use (without it a request has no
 * permission), and Linux never sets the same bit of a second-stage entry, where it allows execution.
 */
export function stageOf({ levels, tables, leaves }: DomainSection): Stage {
  const second = { stage: 2 as const, marks: (leaves.or & MARKS) !== 0 };
  if (levels > 0 && levels < LEAST_OF_FIRST_STAGE) {
    return { ...second, certain: true, why: 'a first stage has 4 levels at least' };
  }
  const all = together(tables, leaves);
  if ((all.or & USER) === 0) return { ...second, certain: true, why: 'no entry has bit 2 (U/S) set' };
  if ((all.and & (READ | USER)) === (READ | USER)) {
    return { stage: 1, marks: true, certain: true, why: 'every entry has bits 0 (P) and 2 (U/S) set' };
  }
  return {
    ...second,
    certain: false,
    why: 'some entries have bit 2 (U/S or X) set and some have not, so this is a guess',
  };
}

const together = (a: LowBits, b: LowBits): LowBits => ({ and: a.and & b.and, or: a.or | b.or });
