import * as vscode from 'vscode';
import { formatSize, hex, type CacheRow, type FaultRow, type FindingRow } from '../../inspection/protocol';
import type { Inspections } from '../inspections';
import type { PagedElement, PagedList } from './pagedView';
import { rangeText, requesterName, type Wording } from './wording';

type Row = Omit<PagedElement, 'kind' | 'view' | 'inspection'>;

const WARNING = 'list.warningForeground';
const ERROR = 'list.errorForeground';

const emulated = { applies: ({ machine }: { machine: unknown }): boolean => machine !== undefined };

/** What the caches of an emulated machine hold; what memory no longer says is marked. */
export const iotlbList = (inspections: Inspections, shown: { readonly staleOnly: boolean }): PagedList => ({
  ...emulated,
  id: 'iopte.iotlb',
  describe(total) {
    if (shown.staleOnly) return vscode.l10n.t('only stale ones');
    if (total === 1) return vscode.l10n.t('1 entry');
    return total === undefined ? '' : vscode.l10n.t('{0} entries', total);
  },
  async read(inspection, page) {
    const { staleOnly } = shown;
    const answer = await inspections.ask(inspection, 'caches', { page, staleOnly });
    const none = staleOnly ? vscode.l10n.t('No stale entry is cached.') : vscode.l10n.t('Nothing is cached.');
    return {
      ...answer,
      rows: answer.rows.map((row, index) => cacheElement(row, `${page.cursor ?? ''}#${index}`)),
      ...(answer.rows.length === 0 && !page.cursor && answer.next === undefined && { message: none }),
    };
  },
});

/** The fault logs of an emulated machine. */
export const faultsList = (inspections: Inspections): PagedList => ({
  ...emulated,
  id: 'iopte.faults',
  describe(total) {
    if (total === 1) return vscode.l10n.t('1 record');
    return total === undefined ? '' : vscode.l10n.t('{0} records', total);
  },
  async read(inspection, page) {
    const answer = await inspections.ask(inspection, 'faults', { page });
    const lost = vscode.l10n.t(
      'The log of {0} overflowed: later faults are lost.',
      answer.overflowed.join(', '),
    );
    const none = vscode.l10n.t('No fault was recorded.');
    const message =
      answer.overflowed.length > 0 ? lost : answer.rows.length === 0 && !page.cursor ? none : '';
    return { ...answer, message, rows: answer.rows.map(faultElement) };
  },
});

/** What the ledger of an emulated machine found wrong. */
export const ledgerList = (inspections: Inspections): PagedList => ({
  ...emulated,
  id: 'iopte.ledger',
  describe(total) {
    if (total === 1) return vscode.l10n.t('1 finding');
    return total === undefined ? '' : vscode.l10n.t('{0} findings', total);
  },
  async read(inspection, page) {
    const answer = await inspections.ask(inspection, 'findings', { page });
    const state = page.cursor ? undefined : await inspections.ask(inspection, 'machine', {});
    const written = formatSize(state?.bytes.written ?? 0n);
    const reported = formatSize(state?.bytes.reported ?? 0n);
    const bytes = vscode.l10n.t('Written: {0}. Reported dirty: {1}.', written, reported);
    const none = vscode.l10n.t('Nothing wrong was found.');
    const message = answer.rows.length === 0 && !page.cursor ? `${none} ${bytes}` : bytes;
    const rows = answer.rows.map((row, index) => findingElement(row, `${page.cursor ?? ''}#${index}`));
    return { ...answer, message, rows };
  },
});

/** `A D`: what is set already; nothing where the next access has to walk. */
const doneText = ({ accessedDone, dirtyDone }: CacheRow): string =>
  `${accessedDone ? 'A' : ''}${dirtyDone ? 'D' : ''}`;

function cacheElement(row: CacheRow, id: string): Row {
  const size = formatSize(row.size);
  const where = row.requester === undefined ? row.iommu : requesterName(row.requester);
  const marks = [row.perm, doneText(row), row.global ? 'G' : '', row.tag, where].filter(Boolean).join(' ');
  const wording: Wording = {
    label: `${hex(row.iova)} → ${hex(row.paddr)}`,
    description: [size, marks, row.stale?.says].filter(Boolean).join(', '),
    icon: row.stale ? 'warning' : row.cache === 'iotlb' ? 'zap' : 'plug',
    ...(row.stale && { colour: WARNING }),
    spoken: [
      vscode.l10n.t('IOVA {0} to {1}, {2}', hex(row.iova), hex(row.paddr), size),
      marks,
      row.stale ? vscode.l10n.t('stale: {0}', row.stale.says) : '',
    ]
      .filter(Boolean)
      .join(', '),
    tooltip: [
      [
        vscode.l10n.t('Cache'),
        row.cache === 'iotlb'
          ? vscode.l10n.t('IOTLB of {0}', row.iommu)
          : vscode.l10n.t('device TLB of {0}', where),
      ],
      [vscode.l10n.t('Tag'), row.tag],
      [vscode.l10n.t('IOVA'), rangeText({ start: row.iova, end: row.iova + row.size })],
      [vscode.l10n.t('Physical address'), rangeText({ start: row.paddr, end: row.paddr + row.size })],
      [vscode.l10n.t('Permission'), row.perm],
      [vscode.l10n.t('A is set already'), row.accessedDone ? vscode.l10n.t('yes') : vscode.l10n.t('no')],
      [vscode.l10n.t('D is set already'), row.dirtyDone ? vscode.l10n.t('yes') : vscode.l10n.t('no')],
      ...(row.stale ? ([[vscode.l10n.t('Memory says'), row.stale.says]] as const) : []),
    ],
    opens: false,
  };
  const [entry] = row.entries;
  return {
    id,
    wording,
    contextValue: row.stale ? 'cachedStale' : 'cached',
    ...(entry && { entry, reveal: { entry } }),
  };
}

function faultElement(row: FaultRow): Row {
  const device = requesterName(row.requester);
  const pasid = row.pasid === null ? '' : `PASID ${hex(row.pasid)}`;
  const access = row.write ? vscode.l10n.t('write') : vscode.l10n.t('read');
  const words = row.words.map((word) => hex(word)).join(' ');
  return {
    id: `${row.iommu}#${row.index}`,
    contextValue: 'fault',
    wording: {
      label: row.code,
      description: [`${device} ${pasid}`.trim(), access, hex(row.iova), row.iommu].join(', '),
      icon: 'error',
      colour: ERROR,
      spoken: [row.code, device, pasid, access, hex(row.iova), row.iommu].filter(Boolean).join(', '),
      tooltip: [
        [vscode.l10n.t('Record'), words],
        [vscode.l10n.t('IOMMU'), row.iommu],
        [vscode.l10n.t('Place in the log'), String(row.index)],
      ],
      opens: false,
    },
  };
}

function findingElement(row: FindingRow, id: string): Row {
  const range = rangeText({ start: row.iova, end: row.iova + row.length });
  const isError = row.kind !== 'over-report';
  return {
    id,
    contextValue: 'finding',
    ...(row.entry && { entry: row.entry, reveal: { entry: row.entry } }),
    wording: {
      label: row.kind,
      description: `${range}, ${row.says}`,
      icon: isError ? 'error' : 'info',
      ...(isError && { colour: ERROR }),
      spoken: `${row.kind}, ${range}, ${row.says}`,
      tooltip: [
        [vscode.l10n.t('What'), row.kind],
        [vscode.l10n.t('IOVA'), range],
        [vscode.l10n.t('Because'), row.says],
        [vscode.l10n.t('Operation'), String(row.operation + 1)],
      ],
      opens: false,
    },
  };
}
