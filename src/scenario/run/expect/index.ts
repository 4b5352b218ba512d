import { below, type Mismatch, nameOf } from '../mismatch';
import { cached } from './cached';
import { counters } from './counters';
import { dirty } from './dirty';
import { entries } from './entries';
import { faults } from './faults';
import { clean, findings, lost, lostAt, over, refused, reported, requests, stale, written } from './ledger';
import { type Aspect, type Expectations, type Look } from './look';
import { migration } from './migration';
import { translations } from './translations';

const ASPECTS: { readonly [Key in keyof Expectations]-?: Aspect<Key> } = {
  clean,
  lost,
  lostAt,
  stale,
  findings,
  faults,
  entries,
  translations,
  cached,
  dirty,
  written,
  reported,
  over,
  requests,
  refused,
  counters,
  migration,
};

/** Everything that is not as expected; paths are below the `expect`. */
export function unmet(expected: Expectations, look: Look): Mismatch[] {
  const keys = Object.keys(ASPECTS) as (keyof Expectations)[];
  return keys.flatMap((key) => {
    const of = expected[key];
    if (of === undefined) return [];
    const aspect = ASPECTS[key] as (of: unknown, look: Look) => readonly Mismatch[];
    return aspect(of, look).map((each) => {
      const whole = below([key], each);
      return { ...whole, what: nameOf(whole.at) };
    });
  });
}
