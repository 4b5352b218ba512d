import * as vscode from 'vscode';
import {
  domainTag,
  formatRequester,
  formatSize,
  hex,
  type AddressRange,
  type DomainKey,
  type DomainRow,
  type DomainStatistics,
  type Failure,
  type IommuSummary,
  type Run,
  type TreeNode,
  type VendorWords,
} from '../../inspection/protocol';
import { sentence } from '../errors';

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(', ');

/** How a node reads: the words of a tree item. */
export interface Wording {
  readonly label: string;
  readonly description: string;
  /** Codicon. */
  readonly icon: string;
  readonly colour?: string;
  /** The whole item as one sentence for a screen reader, where label and description do not read well. */
  readonly spoken: string;
  /** `key: value` lines. */
  readonly tooltip: readonly (readonly [string, string])[];
  readonly opens: boolean;
}

const WARNING = 'list.warningForeground';
const ERROR = 'list.errorForeground';

/** `00:02.0`; ids cross the protocol as plain numbers. */
export const requesterName = (id: number): string =>
  formatRequester(id as Parameters<typeof formatRequester>[0]);

/** Half-open, as the specifications' address ranges are meant here. */
export const rangeText = ({ start, end }: AddressRange): string => `${hex(start)}..${hex(end)}`;

/** `StreamID 0x10`; with `SubstreamID 0x1` where a request has one. */
export const requesterText = (requester: number, pasid: number | null, words: VendorWords): string =>
  joined(`${words.requester} ${hex(requester)}`, pasidText(pasid, words));

export const pasidText = (pasid: number | null, words: VendorWords): string =>
  pasid === null ? '' : `${words.pasid} ${hex(pasid)}`;

/** Of one domain among a device's others, which say themselves what is below. */
export function tagOf({ below: _below, ...domain }: DomainKey, words: VendorWords): string {
  return domainTag(domain, words);
}

/** `stage 1, upper half` */
export const stageText = ({ stage, upper }: DomainRow): string =>
  joined(vscode.l10n.t('stage {0}', stage), upper ? vscode.l10n.t('upper half') : '');

/** `3 problems`, or nothing. */
const problemText = (count: number | undefined): string => {
  if (!count) return '';
  return count === 1 ? vscode.l10n.t('1 problem') : vscode.l10n.t('{0} problems', count);
};

const devicesText = (count: number): string =>
  count === 1 ? vscode.l10n.t('1 device') : vscode.l10n.t('{0} devices', count);

const domainsText = (count: number): string =>
  count === 1 ? vscode.l10n.t('1 domain') : vscode.l10n.t('{0} domains', count);

/** A, D: what hardware noted in a leaf; nothing where it noted nothing. */
const marks = ({ accessed, dirty }: Run): string => `${accessed ? 'A' : ''}${dirty ? 'D' : ''}`;

export function wordNode(node: TreeNode, words: VendorWords): Wording {
  switch (node.kind) {
    case 'iommu':
      return wordIommu(node.summary, node.devices, node.domains, node.problems);
    case 'device':
      return wordDevice(node, words);
    case 'devicesWithoutTable': {
      const label =
        node.count === 1
          ? vscode.l10n.t('1 device without a table')
          : vscode.l10n.t('{0} devices without a table', node.count);
      return plain(label, vscode.l10n.t('pass-through'), 'arrow-right', true);
    }
    case 'domain':
      return wordDomain(node.domain, words, node.problems);
    case 'table':
      return wordTable(node);
    case 'run':
      return wordRun(node.run);
    case 'entry':
      return {
        label: rangeText(node.range),
        description: joined(hex(node.word), node.why.message),
        icon: 'warning',
        colour: WARNING,
        spoken: vscode.l10n.t('Level {0} entry {1}: {2}', node.level, hex(node.word), node.why.message),
        tooltip: [
          [vscode.l10n.t('Entry'), `${hex(node.word)} @ ${hex(node.entry.address)}`],
          [vscode.l10n.t('IOVA'), rangeText(node.range)],
          [vscode.l10n.t('Problem'), sentence(node.why)],
        ],
        opens: false,
      };
    case 'range':
      return plain(
        `${node.first}..${node.last}`,
        node.count === 1 ? vscode.l10n.t('1 entry') : vscode.l10n.t('{0} entries', node.count),
        'list-tree',
        true,
      );
    case 'message':
      return wordFailure(node.why);
  }
}

export const wordFailure = (failure: Failure): Wording => ({
  label: failure.message,
  description: failure.hint ?? '',
  icon: 'warning',
  colour: WARNING,
  spoken: sentence(failure),
  tooltip: [[vscode.l10n.t('Problem'), sentence(failure)]],
  opens: false,
});

function plain(label: string, description: string, icon: string, opens: boolean): Wording {
  return {
    label,
    description,
    icon,
    spoken: joined(label, description),
    tooltip: [[label, description]],
    opens,
  };
}

function wordIommu(
  summary: IommuSummary,
  devices: number,
  domains: number,
  problems: number | undefined,
): Wording {
  const { failure, translating, off } = summary;
  const state = translating ? summary.mode : (off ?? vscode.l10n.t('translation disabled'));
  const description = failure
    ? failure.message
    : joined(state, devicesText(devices), domainsText(domains), problemText(problems));
  return {
    label: summary.name,
    description,
    icon: failure ? 'error' : translating ? 'circuit-board' : 'warning',
    ...(failure ? { colour: ERROR } : translating ? {} : { colour: WARNING }),
    spoken: vscode.l10n.t('IOMMU {0}: {1}', summary.name, description),
    tooltip: [
      [
        vscode.l10n.t('IOMMU'),
        vscode.l10n.t('{0} ({1}, PCI segment {2})', summary.name, summary.kind, summary.segment),
      ],
      [vscode.l10n.t('Mode'), summary.mode],
      ...(off === undefined ? [] : [[vscode.l10n.t('Translation'), off] as const]),
      ...(failure ? [[vscode.l10n.t('Problem'), sentence(failure)] as const] : []),
      ...summary.registers.map(({ name, value }) => [name, hex(value)] as const),
    ],
    opens: !failure,
  };
}

function wordDevice(
  { device, problems }: Extract<TreeNode, { kind: 'device' }>,
  words: VendorWords,
): Wording {
  const pasid = pasidText(device.pasid, words);
  const label = `${requesterName(device.requester)} ${pasid}`.trim();
  const id = `${words.requester} ${hex(device.requester)}`;
  const ways = {
    // Both halves of one address space have one id.
    table: [...new Set(device.domains.map((domain) => tagOf(domain, words)))].join(', '),
    'pass-through': vscode.l10n.t('pass-through'),
    blocked: vscode.l10n.t('blocked'),
  };
  const [problem] = device.problems;
  const description = joined(id, ways[device.translation], problem?.message ?? problemText(problems));
  return {
    label,
    description,
    icon:
      device.translation === 'table'
        ? 'plug'
        : device.translation === 'blocked'
          ? 'circle-slash'
          : 'arrow-right',
    ...(problem && { colour: WARNING }),
    spoken: vscode.l10n.t('Device {0}: {1}', label, description),
    tooltip: [
      [words.requester, hex(device.requester)],
      ...(device.pasid === null ? [] : [[words.pasid, hex(device.pasid)] as const]),
      [vscode.l10n.t('Translation'), ways[device.translation]],
      [
        device.context.role === 'context' ? words.contextEntry : vscode.l10n.t('Last entry'),
        `@ ${hex(device.context.address)}`,
      ],
      ...device.problems.map((each) => [vscode.l10n.t('Problem'), sentence(each)] as const),
    ],
    opens: device.domains.length > 0 || device.problems.length > 0,
  };
}

function wordDomain(domain: DomainRow, words: VendorWords, problems: number | undefined): Wording {
  const label = domainTag(domain, words);
  const { below } = domain;
  const shape = vscode.l10n.t('{0} levels, root {1}', domain.levels, hex(domain.root));
  const description = joined(stageText(domain), domain.format, shape, problemText(problems));
  const devices = domain.requesters.map((each) => requesterName(each));
  return {
    label,
    description,
    icon: 'symbol-namespace',
    spoken: joined(label, description),
    tooltip: [
      [domain.tag, String(domain.domainId)],
      [vscode.l10n.t('Stage'), stageText(domain)],
      ...(below
        ? [
            [
              vscode.l10n.t('Stage 2 below'),
              `${words.stage2Tag} ${below.domainId} @ ${hex(below.root)}`,
            ] as const,
          ]
        : []),
      [vscode.l10n.t('Format'), domain.format],
      [
        below ? vscode.l10n.t('Root table (guest physical)') : vscode.l10n.t('Root table'),
        `@ ${hex(domain.root)}`,
      ],
      [
        vscode.l10n.t('Address width'),
        vscode.l10n.t('{0} bits, {1} levels', domain.addressBits, domain.levels),
      ],
      [vscode.l10n.t('Devices'), devices.join(' ')],
    ],
    opens: true,
  };
}

function wordTable(node: Extract<TreeNode, { kind: 'table' }>): Wording {
  const { failure } = node;
  const what = vscode.l10n.t('level {0} table {1}', node.level, hex(node.table));
  const description = joined(what, failure?.message ?? problemText(node.problems));
  return {
    label: rangeText(node.range),
    description,
    icon: failure ? 'warning' : 'table',
    ...(failure && { colour: WARNING }),
    spoken: vscode.l10n.t('IOVA {0} to {1}: {2}', hex(node.range.start), hex(node.range.end), description),
    tooltip: [
      [vscode.l10n.t('Entry'), `${hex(node.word)} @ ${hex(node.entry.address)}`],
      [vscode.l10n.t('IOVA'), rangeText(node.range)],
      [vscode.l10n.t('Table'), what],
      ...(failure ? [[vscode.l10n.t('Problem'), sentence(failure)] as const] : []),
    ],
    opens: !failure,
  };
}

function wordRun(run: Run): Wording {
  const size = run.count === 1 ? formatSize(run.pageSize) : `${run.count} × ${formatSize(run.pageSize)}`;
  const range = rangeText({ start: run.iova, end: run.iova + run.length });
  // What is compared from row to row first: a narrow side bar cuts off what comes late.
  const description = [size, run.perm, marks(run), `→ ${hex(run.paddr)}`]
    .filter((part) => part !== '')
    .join(' ');
  return {
    label: run.count === 1 ? hex(run.iova) : range,
    description,
    icon: 'symbol-field',
    spoken: joined(
      vscode.l10n.t('IOVA {0} maps to {1}', hex(run.iova), hex(run.paddr)),
      size,
      run.perm === '-' ? vscode.l10n.t('no access') : run.perm,
      run.accessed ? vscode.l10n.t('accessed') : '',
      run.dirty ? vscode.l10n.t('dirty') : '',
    ),
    tooltip: [
      [vscode.l10n.t('IOVA'), range],
      [
        run.entry.domain?.below ? vscode.l10n.t('Guest physical address') : vscode.l10n.t('Physical address'),
        rangeText({ start: run.paddr, end: run.paddr + run.length }),
      ],
      [vscode.l10n.t('Pages'), vscode.l10n.t('{0}, level {1}', size, run.level)],
      [vscode.l10n.t('Permission'), run.perm],
      [vscode.l10n.t('Accessed'), run.accessed ? vscode.l10n.t('yes') : vscode.l10n.t('no')],
      [vscode.l10n.t('Dirty'), run.dirty ? vscode.l10n.t('yes') : vscode.l10n.t('no')],
      [vscode.l10n.t('First entry'), `${hex(run.word)} @ ${hex(run.entry.address)}`],
    ],
    opens: false,
  };
}

/** What a domain maps, as lines of its tooltip. */
export function wordStatistics(statistics: DomainStatistics): Wording['tooltip'] {
  const { mappedBytes, leaves, leavesBySize, leavesByPermission, tablesByLevel } = statistics;
  const sizes = leavesBySize.map(({ pageSize, leaves: count }) => `${count} × ${formatSize(pageSize)}`);
  const permissions = leavesByPermission.map(({ perm, leaves: count }) => `${count} ${perm}`);
  const tables = tablesByLevel.map(({ level, tables: count }) =>
    vscode.l10n.t('{0} of level {1}', String(count), level),
  );
  const lines: readonly (readonly [string, string])[] = [
    [vscode.l10n.t('Maps'), formatSize(mappedBytes)],
    [vscode.l10n.t('Leaves'), joined(String(leaves), sizes.join(' + '))],
    [vscode.l10n.t('Permissions'), permissions.join(', ')],
    [vscode.l10n.t('Tables'), tables.join(', ')],
    [vscode.l10n.t('Accessed, dirty'), `${statistics.accessed}, ${statistics.dirty}`],
    [vscode.l10n.t('Bytes accessed'), markedText(leavesBySize, 'accessedBytes')],
    [vscode.l10n.t('Bytes dirty'), markedText(leavesBySize, 'dirtyBytes')],
    [vscode.l10n.t('Problems'), statistics.problems === 0n ? '' : String(statistics.problems)],
    [vscode.l10n.t('Not counted to the end'), statistics.complete ? '' : (statistics.why ?? '')],
  ];
  return lines.filter(([, value]) => value !== '');
}

/** `6M: 4M of 2M, 2M of 4K`: in all, and by the size of the pages; nothing where nothing is marked. */
function markedText(sizes: DomainStatistics['leavesBySize'], which: 'accessedBytes' | 'dirtyBytes'): string {
  const marked = sizes.filter((size) => size[which] > 0n);
  const total = marked.reduce((sum, size) => sum + size[which], 0n);
  const parts = marked.map((size) =>
    vscode.l10n.t('{0} in pages of {1}', formatSize(size[which]), formatSize(size.pageSize)),
  );
  return total === 0n ? '' : `${formatSize(total)}: ${parts.join(', ')}`;
}
