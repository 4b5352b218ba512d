import { type Finding, FINDING_KINDS, type FindingKind, isError } from '../../../engine/ledger/finding';
import { type Expected } from '../../language/schema/values';
import { addressesText, BYTES, FINDINGS, firstPages, PAGES, pagesOf, REQUESTS } from '../texts';
import { type Aspect, counted, differs, type Look } from './look';

const PAGE = 4096;

/** Findings of a kind, with the pages that are lost now among them. */
function findingsOf({ machine, lost }: Look, kind: FindingKind): number {
  const { findings } = machine.ledger.findings.count(kind);
  return kind === 'lost-dirty' ? findings + lost.length : findings;
}

const firstOf = ({ machine }: Look, kind: FindingKind): Finding | undefined => {
  const [first] = machine.ledger.findings.of(kind);
  return first;
};

const saying = (finding: Finding | undefined): string => (finding ? `; the first: ${finding.why}` : '');

export const clean: Aspect<'clean'> = (expected, look) => {
  const wrong = FINDING_KINDS.filter((kind) => isError(kind) && findingsOf(look, kind) > 0);
  if (expected === (wrong.length === 0)) return [];
  if (!expected) return [differs([], 'something wrong', 'nothing is')];
  const counts = wrong.map((kind) =>
    kind === 'lost-dirty' ? lostText(look) : `${findingsOf(look, kind)} ${kind}`,
  );
  const first = wrong.map((kind) => firstOf(look, kind)).find((each) => each !== undefined);
  return [differs([], 'nothing wrong, nothing lost', `${counts.join(', ')}${saying(first)}`)];
};

const lostText = ({ lost }: Look): string => {
  const pages = pagesOf(lost);
  return `lost ${PAGES(pages)}${addressesText(firstPages(lost), pages)}`;
};

export const lost: Aspect<'lost'> = (expected, { lost: ranges }) => {
  const pages = pagesOf(ranges);
  return counted([], expected, pages, PAGES, addressesText(firstPages(ranges), pages));
};

export const lostAt: Aspect<'lostAt'> = (expected, { lost: ranges }) => {
  const wanted = [...new Set(expected.map((address) => Number(address / BigInt(PAGE))))];
  const pages = pagesOf(ranges);
  const isLost = (page: number): boolean =>
    ranges.some(({ startPage, endPage }) => page >= startPage && page < endPage);
  if (pages === wanted.length && wanted.every(isLost)) return [];
  const named = addressesText(wanted.map((page) => page * PAGE));
  const actual = `${PAGES(pages)}${addressesText(firstPages(ranges), pages)}`;
  return [differs([], `${PAGES(wanted.length)}${named}`, actual)];
};

export const stale: Aspect<'stale'> = (expected, look) =>
  counted([], expected, findingsOf(look, 'stale-use'), USES, saying(firstOf(look, 'stale-use')));

const USES = (value: number): string => `${value.toLocaleString('en')} ${value === 1 ? 'use' : 'uses'}`;

export const findings: Aspect<'findings'> = (expected, look) =>
  FINDING_KINDS.flatMap((kind) => {
    const of: Expected | undefined = expected[kind];
    return counted([kind], of, findingsOf(look, kind), FINDINGS, saying(firstOf(look, kind)));
  });

export const written: Aspect<'written'> = (expected, { machine }) =>
  counted([], expected, machine.ledgerTotals.written * PAGE, BYTES);

export const reported: Aspect<'reported'> = (expected, { machine }) =>
  counted([], expected, machine.ledgerTotals.reported * PAGE, BYTES);

export const over: Aspect<'over'> = (expected, { machine }) =>
  counted([], expected, machine.ledger.findings.count('over-report').pages * PAGE, BYTES);

export const requests: Aspect<'requests'> = (expected, look) =>
  counted([], expected, look.requests, REQUESTS);

export const refused: Aspect<'refused'> = (expected, look) => counted([], expected, look.refused, REQUESTS);
