import { type Evidence } from './evidence';
import { type RootProposal } from './proposal';

/** What speaks for a candidate and against it. Only the order of the sums means something. */
const WEIGHT = {
  domain: 10,
  damagedDomain: -5,
  emptyDomain: 1,
  badDomain: -12,
  /** For each doubling of the leaves. */
  leaves: 0.1,
  target: 3,
  badTarget: -4,
  passThrough: 0.5,
  blocked: 0.05,
  badDevice: -3,
  directoryProblem: -3,
  /** Of two readings of the same frames. */
  likelier: 0.25,
};
/** Entries that look the same say little, however many they are. */
const MOST = { passThrough: 4, blocked: 1, target: 15, emptyDomain: 4 };

export function scoreOf({ targets, likelier }: RootProposal, evidence: Evidence): number {
  const capped = (value: number, most: number): number => Math.min(value, most);
  return (
    WEIGHT.domain * evidence.domains +
    WEIGHT.damagedDomain * evidence.damagedDomains +
    capped(WEIGHT.emptyDomain * evidence.emptyDomains, MOST.emptyDomain) +
    WEIGHT.badDomain * evidence.badDomains +
    WEIGHT.leaves * Math.log2(1 + evidence.leaves) +
    capped(WEIGHT.target * targets.good, MOST.target) +
    WEIGHT.badTarget * targets.bad +
    capped(WEIGHT.passThrough * evidence.passThrough, MOST.passThrough) +
    capped(WEIGHT.blocked * evidence.blocked, MOST.blocked) +
    WEIGHT.badDevice * evidence.badDevices +
    WEIGHT.directoryProblem * evidence.directoryProblems +
    (likelier === true ? WEIGHT.likelier : 0)
  );
}

/** Before anything below a proposal is read: which ones are worth it. Not positive: none. */
export function promiseOf({ targets, entries, translating = 0, parts }: RootProposal): number {
  if (parts.length > 0 && (targets.good === 0 || targets.bad > targets.good)) return 0;
  return 4 * (targets.good - targets.bad) + Math.min(translating, 64) / 4 + Math.min(entries, 1024) / 64 + 1;
}

/** Whether nothing that it says leads anywhere. */
export const isBare = ({ targets, translating = 0 }: RootProposal): boolean =>
  targets.good === 0 && translating === 0;

export type Strength = 'strong' | 'fair' | 'weak';

/** How much the evidence says: tables that decode, or a directory of several levels in which nothing is wrong. */
export function strengthOf({ targets }: RootProposal, evidence: Evidence): Strength {
  const { domains, damagedDomains, badDomains, badDevices, passThrough, directoryProblems } = evidence;
  const wrong = targets.bad + damagedDomains + badDomains + badDevices + directoryProblems;
  if (wrong === 0 && domains > 0) return 'strong';
  if (wrong === 0 && targets.good > 0 && passThrough > 0) return 'fair';
  return domains > wrong ? 'fair' : 'weak';
}

/** What was checked and how it went, one sentence each. */
export function findingsOf({ targets, structure, targetName }: RootProposal, evidence: Evidence): string[] {
  const found: string[] = [];
  const all = targets.good + targets.empty + targets.bad;
  if (all > 0) {
    const empty = targets.empty > 0 ? `, ${targets.empty} empty` : '';
    found.push(
      `${targets.good} of ${count(all, 'pointer')} of the ${structure} ${targets.good === 1 ? 'leads' : 'lead'} to a ${targetName}${empty}.`,
    );
  }
  const { devices, withTables, passThrough, blocked, badDevices } = evidence;
  const kinds = [
    `${withTables} with tables`,
    `${passThrough} pass through`,
    `${blocked} blocked`,
    ...(badDevices > 0 ? [`${badDevices} with an entry that is no good`] : []),
  ];
  found.push(`${count(devices, 'device entry', 'device entries')}: ${kinds.join(', ')}.`);
  const { domains, emptyDomains, badDomains, tables, leaves, malformed, unreadableTables } = evidence;
  if (withTables > 0) {
    found.push(
      `${count(domains + emptyDomains, 'domain')} (${emptyDomains} empty) with ${count(tables, 'table')} and ` +
        `${count(leaves, 'leaf', 'leaves')}: ${malformed} malformed entries, ${unreadableTables} tables not in the image.`,
    );
  }
  if (badDomains > 0)
    found.push(`${count(badDomains, 'domain')} more lead to frames that are no page tables.`);
  if (!evidence.complete) found.push('Not everything was read: these numbers are lower bounds.');
  return found;
}

export const count = (value: number, one: string, many = `${one}s`): string =>
  `${value.toLocaleString('en')} ${value === 1 ? one : many}`;
