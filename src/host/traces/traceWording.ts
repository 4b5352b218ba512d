import * as vscode from 'vscode';
import {
  formatSize,
  type TraceFinding,
  type TraceFindingKind,
  type TraceId,
  type TraceLifetime,
  type TraceRow,
  type TraceSummary,
} from '../../inspection/protocol';
import type { AnswerElement, Place } from '../views/answerElements';
import type { Wording } from '../views/wording';
import { rowText } from './traceBookmarks';

/** What findings are called, with what each is. */
export const findingWords = (): Record<
  TraceFindingKind,
  { readonly title: string; readonly icon: string }
> => ({
  'double-map': { title: vscode.l10n.t('Mapped twice'), icon: 'error' },
  'unmap-nothing': { title: vscode.l10n.t('Unmapped where nothing is mapped'), icon: 'error' },
  'short-unmap': { title: vscode.l10n.t('Unmapped less than was asked'), icon: 'warning' },
  leak: { title: vscode.l10n.t('Still mapped at the end'), icon: 'warning' },
  'missing-flush': { title: vscode.l10n.t('No flush after an unmap'), icon: 'warning' },
});

/** How a time is written: as the tracer did, in seconds. */
export function timeText(time: number, { origin, timeDigits }: TraceSummary): string {
  const digits = Math.min(9, Math.max(0, timeDigits));
  const all = BigInt(origin) + BigInt(Math.round(time));
  const text = (all < 0n ? -all : all).toString().padStart(10, '0');
  const whole = `${all < 0n ? '-' : ''}${text.slice(0, -9)}`;
  return digits === 0 ? whole : `${whole}.${text.slice(-9).slice(0, digits)}`;
}

/** How long something lasted: `12.5 µs`. */
export function durationText(nanoseconds: number): string {
  const units = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ] as const;
  const [scale, unit] = units.find(([each]) => nanoseconds >= each) ?? [1, 'ns'];
  return `${Number((nanoseconds / scale).toPrecision(4))} ${unit}`;
}

/** A number of bytes: `64 KiB`, or in bytes where no unit fits. */
export const bytesText = (bytes: number): string => formatSize(bytes);

const rowName = (row: number): string => vscode.l10n.t('Row {0}', row + 1);

const element = (
  id: string,
  wording: Pick<Wording, 'label' | 'description' | 'icon'> & Partial<Wording>,
  place?: Place,
): AnswerElement => ({
  kind: 'answer',
  id,
  inspection: undefined,
  wording: { spoken: `${wording.label}, ${wording.description}`, tooltip: [], opens: false, ...wording },
  ...(place && { place }),
});

const at = (trace: TraceId, row: number): Place => ({ kind: 'row', trace, row });

/** A finding, and below it the other row that it is about. */
export function findingElement(trace: TraceId, finding: TraceFinding): AnswerElement {
  const { kind, row, other, space, iova, size, message } = finding;
  const id = `finding/${kind}/${row}/${other ?? ''}/${iova}`;
  const { icon } = findingWords()[kind];
  const made = element(
    id,
    {
      label: `${iova} ${bytesText(size)}`,
      description: [rowName(row), space, message].filter((part) => part !== '').join(' — '),
      icon,
      tooltip: [
        [vscode.l10n.t('Finding'), message],
        [vscode.l10n.t('Space'), space],
      ],
      opens: other !== null,
    },
    at(trace, row),
  );
  if (other === null) return made;
  const child = element(
    `${id}/other`,
    { label: rowName(other), description: vscode.l10n.t('the other row'), icon: 'arrow-right' },
    at(trace, other),
  );
  return { ...made, children: () => Promise.resolve([{ ...child, parent: made }]) };
}

/** A mapping, and below it the rows that made it, took it away, and flushed it. */
export function lifetimeElement(trace: TraceId, lifetime: TraceLifetime): AnswerElement {
  const { space, iova, size, paddr, mapRow, unmapRow, lived, flushRow } = lifetime;
  const id = `lifetime/${space}/${mapRow}/${iova}`;
  const to =
    unmapRow === null
      ? vscode.l10n.t('from row {0}, still mapped', mapRow + 1)
      : vscode.l10n.t('rows {0} to {1}', mapRow + 1, unmapRow + 1);
  const made = element(
    id,
    {
      label: `${iova} ${bytesText(size)}`,
      description: [paddr === null ? '' : `→ ${paddr}`, to, lived === null ? '' : durationText(lived), space]
        .filter((part) => part !== '')
        .join(', '),
      icon: unmapRow === null ? 'circle-filled' : 'circle-outline',
      opens: true,
    },
    at(trace, mapRow),
  );
  const rows: readonly (readonly [number | null, string])[] = [
    [mapRow, vscode.l10n.t('mapped')],
    [unmapRow, vscode.l10n.t('unmapped')],
    [flushRow, vscode.l10n.t('flushed')],
  ];
  const children = rows.flatMap(([row, what]) =>
    row === null
      ? []
      : element(
          `${id}/${what}`,
          { label: rowName(row), description: what, icon: 'arrow-right' },
          at(trace, row),
        ),
  );
  return { ...made, children: () => Promise.resolve(children.map((child) => ({ ...child, parent: made }))) };
}

/** A row in a list of rows. */
export function rowElement(trace: TraceId, summary: TraceSummary, row: TraceRow): AnswerElement {
  const time = row.time === null ? [] : [timeText(row.time, summary)];
  return element(
    `row/${row.row}`,
    {
      label: `${rowName(row.row)}: ${rowText(row)}`,
      description: [...time, row.space ?? '', row.task ?? ''].filter((part) => part !== '').join(', '),
      icon: 'list-selection',
      tooltip: [[vscode.l10n.t('Line'), row.line]],
    },
    at(trace, row.row),
  );
}

/** Rows that belong together, read when it is opened. */
export const groupElement = (
  id: string,
  label: string,
  description: string,
  icon: string,
  children: (parent: AnswerElement) => Promise<readonly AnswerElement[]>,
): AnswerElement => {
  const made: AnswerElement = {
    ...element(id, { label, description, icon, opens: true }),
    startsOpen: false,
    children: () => children(made),
  };
  return made;
};
