import * as vscode from 'vscode';
import {
  domainTag,
  formatSize,
  hex,
  type Alias,
  type AliasKind,
  type AliasMapping,
  type Aspect,
  type Change,
  type DeviceWay,
  type Difference,
  type DomainKey,
  type DomainRow,
  type Found,
  type Run,
  type VendorWords,
} from '../../inspection/protocol';
import { pasidText, rangeText, requesterName, type Wording } from './wording';

/** The vendor's words of an IOMMU by its name. */
export type WordsOf = (iommu: string) => VendorWords | undefined;

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(', ');

export const tagText = (domain: DomainKey, wordsOf: WordsOf): string => {
  const words = wordsOf(domain.iommu);
  return words ? domainTag(domain, words) : vscode.l10n.t('domain {0}', domain.domainId);
};

const permText = (perm: Run['perm']): string => (perm === '-' ? vscode.l10n.t('no access') : perm);

function deviceText(
  { requester, pasid }: { readonly requester: number; readonly pasid: number | null },
  words: VendorWords | undefined,
): string {
  const process = words ? pasidText(pasid, words) : pasid === null ? '' : `PASID ${hex(pasid)}`;
  return `${requesterName(requester)} ${process}`.trim();
}

export function wordFound(found: Found, wordsOf: WordsOf): Wording {
  if (found.kind === 'pass-through') return wordPassing(found, wordsOf);
  const { domain, run, guest, interrupt } = found;
  const iova = rangeText({ start: run.iova, end: run.iova + run.length });
  const paddr = rangeText({ start: run.paddr, end: run.paddr + run.length });
  const tag = tagText(domain, wordsOf);
  const devices = domain.requesters.map((each) => requesterName(each)).join(' ');
  const taken = interrupt ? vscode.l10n.t('taken for an interrupt') : '';
  const label = run.length === 1n ? hex(run.iova) : iova;
  const description = joined(tag, permText(run.perm), devices, taken);
  return {
    label,
    description,
    icon: interrupt ? 'bell' : 'symbol-field',
    spoken: vscode.l10n.t('IOVA {0} of {1} reaches {2}: {3}', iova, tag, paddr, description),
    tooltip: [
      [vscode.l10n.t('IOVA'), iova],
      [vscode.l10n.t('Physical address'), paddr],
      ...(guest === undefined ? [] : [[vscode.l10n.t('Guest physical address'), hex(guest)] as const]),
      [vscode.l10n.t('Domain'), `${tag} @ ${hex(domain.root)}, ${domain.iommu}`],
      [vscode.l10n.t('Devices'), devices],
      [vscode.l10n.t('Permission'), run.perm],
      [vscode.l10n.t('Pages'), vscode.l10n.t('{0}, level {1}', formatSize(run.pageSize), run.level)],
      [vscode.l10n.t('First entry'), `${hex(run.word)} @ ${hex(run.entry.address)}`],
      ...(interrupt
        ? [
            [
              vscode.l10n.t('Problem'),
              vscode.l10n.t('The IOMMU takes these addresses for interrupts.'),
            ] as const,
          ]
        : []),
    ],
    opens: false,
  };
}

function wordPassing(found: Extract<Found, { kind: 'pass-through' }>, wordsOf: WordsOf): Wording {
  const { iommu, range, perm, devices, count, off, absent } = found;
  const names = devices.map((each) => deviceText(each, wordsOf(iommu)));
  const more = count > devices.length ? vscode.l10n.t('and {0} more', count - devices.length) : '';
  const who = off === undefined ? joined(names.join(' '), more) : vscode.l10n.t('every device');
  const why =
    off ?? (absent ? vscode.l10n.t('No valid entry: requests pass.') : vscode.l10n.t('Pass-through'));
  const label = vscode.l10n.t('{0}: the same address', iommu);
  const description = joined(permText(perm), who, why);
  return {
    label,
    description,
    icon: 'arrow-right',
    spoken: joined(label, description),
    tooltip: [
      [vscode.l10n.t('IOVA and physical address'), rangeText(range)],
      [vscode.l10n.t('Devices'), who],
      [vscode.l10n.t('Translation'), why],
      [vscode.l10n.t('Permission'), perm],
    ],
    opens: false,
  };
}

export function wordAliasKind(kind: AliasKind, count: number, frames: number): Wording {
  const labels: Readonly<Record<AliasKind, string>> = {
    shared: vscode.l10n.t('Mapped by several domains'),
    repeated: vscode.l10n.t('Mapped more than once in one domain'),
    identity: vscode.l10n.t('Mapped onto itself'),
  };
  const description = vscode.l10n.t('{0} ranges, {1}', count, formatSize(frames * 4096));
  const label = labels[kind];
  return {
    label,
    description,
    icon: kind === 'identity' ? 'arrow-swap' : 'references',
    spoken: joined(label, description),
    tooltip: [[label, description]],
    opens: true,
  };
}

export function wordAlias({ range, count, domains, held }: Alias): Wording {
  const outside = held ? '' : vscode.l10n.t('not in the image');
  const description = joined(
    formatSize(range.end - range.start),
    vscode.l10n.t('mapped {0} times', count),
    domains === 1 ? vscode.l10n.t('1 domain') : vscode.l10n.t('{0} domains', domains),
    outside,
  );
  const label = rangeText(range);
  return {
    label,
    description,
    icon: held ? 'references' : 'circuit-board',
    spoken: vscode.l10n.t('Physical memory {0}: {1}', label, description),
    tooltip: [
      [vscode.l10n.t('Physical address'), label],
      [vscode.l10n.t('Mappings'), String(count)],
      [vscode.l10n.t('Domains'), String(domains)],
      ...(held
        ? []
        : [
            [
              vscode.l10n.t('Not in the image'),
              vscode.l10n.t('Left out of it, or registers of a device such as an interrupt doorbell.'),
            ] as const,
          ]),
    ],
    opens: true,
  };
}

export function wordAliasMapping({ domain, iova, perm }: AliasMapping, wordsOf: WordsOf): Wording {
  const tag = tagText(domain, wordsOf);
  const description = joined(tag, domain.iommu, permText(perm));
  return {
    label: hex(iova),
    description,
    icon: 'symbol-field',
    spoken: vscode.l10n.t('IOVA {0}: {1}', hex(iova), description),
    tooltip: [
      [vscode.l10n.t('IOVA'), hex(iova)],
      [vscode.l10n.t('Domain'), `${tag} @ ${hex(domain.root)}, ${domain.iommu}`],
      [vscode.l10n.t('Permission'), perm],
    ],
    opens: false,
  };
}

const ICONS: Readonly<Record<Change, readonly [string, string]>> = {
  added: ['diff-added', 'gitDecoration.addedResourceForeground'],
  removed: ['diff-removed', 'gitDecoration.deletedResourceForeground'],
  changed: ['diff-modified', 'gitDecoration.modifiedResourceForeground'],
};

const changeText = (change: Change): string =>
  ({ added: vscode.l10n.t('added'), removed: vscode.l10n.t('removed'), changed: vscode.l10n.t('changed') })[
    change
  ];

const aspectText = (aspect: Aspect): string =>
  ({
    paddr: vscode.l10n.t('physical address'),
    permission: vscode.l10n.t('permission'),
    'page-size': vscode.l10n.t('page size'),
    attributes: vscode.l10n.t('attributes'),
    marks: vscode.l10n.t('accessed or dirty'),
  })[aspect];

/** One difference; the words of each side are its own. */
export function wordDifference(row: Difference, before: WordsOf, after: WordsOf): Wording {
  const [icon, colour] = ICONS[row.change];
  const { label, sides } = differenceParts(row, before, after);
  const what = row.kind === 'run' ? row.what.map(aspectText).join(', ') : '';
  const description = joined(sides.join(' → '), what);
  return {
    label,
    description,
    icon,
    colour,
    spoken: `${changeText(row.change)}: ${joined(label, description)}`,
    tooltip: [
      [changeText(row.change), label],
      ...(row.before ? [[vscode.l10n.t('Before'), sides[0] ?? ''] as const] : []),
      ...(row.after ? [[vscode.l10n.t('After'), sides.at(-1) ?? ''] as const] : []),
      ...(what === '' ? [] : [[vscode.l10n.t('What differs'), what] as const]),
    ],
    opens: false,
  };
}

function differenceParts(
  row: Difference,
  before: WordsOf,
  after: WordsOf,
): { readonly label: string; readonly sides: readonly string[] } {
  const both = <T>(
    one: T | undefined,
    other: T | undefined,
    text: (of: T, words: WordsOf) => string,
  ): string[] => [
    ...(one === undefined ? [] : [text(one, before)]),
    ...(other === undefined ? [] : [text(other, after)]),
  ];
  switch (row.kind) {
    case 'iommu':
      return {
        label: row.iommu,
        sides: both(row.before, row.after, ({ mode, translating, failure }) =>
          failure !== undefined
            ? vscode.l10n.t('cannot be read: {0}', failure)
            : translating
              ? mode
              : joined(mode, vscode.l10n.t('translation disabled')),
        ),
      };
    case 'device':
      return {
        label: deviceText(row.device, before(row.iommu) ?? after(row.iommu)),
        sides: both(row.before, row.after, wayText),
      };
    case 'domain':
      return {
        label: both(row.before, row.after, tagText)[0] ?? '',
        sides: both(row.before, row.after, domainText),
      };
    case 'run':
      return { label: rangeText(row.range), sides: both(row.before, row.after, runText) };
  }
}

function wayText({ translation, domains }: DeviceWay, wordsOf: WordsOf): string {
  const ways = {
    table: domains.map((domain) => tagText(domain, wordsOf)).join(', '),
    'pass-through': vscode.l10n.t('pass-through'),
    blocked: vscode.l10n.t('blocked'),
  };
  return ways[translation];
}

const domainText = (domain: DomainRow, wordsOf: WordsOf): string =>
  `${tagText(domain, wordsOf)} @ ${hex(domain.root)}, ${domain.format}`;

const runText = ({ paddr, perm, pageSize, accessed, dirty }: Run): string =>
  [hex(paddr), permText(perm), formatSize(pageSize), `${accessed ? 'A' : ''}${dirty ? 'D' : ''}`]
    .filter((part) => part !== '')
    .join(' ');
