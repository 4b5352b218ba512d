/** Values that `iopte trace` takes. Each refuses what it cannot read with commander's own error. */
import { InvalidArgumentError } from 'commander';
import {
  hex,
  parseInteger,
  TRACE_FINDINGS,
  TRACE_GROUPS,
  type TraceFindingKind,
  type TraceGroupBy,
  type TraceSpaces,
} from '../../inspection/protocol';

/** Rows from 0, half-open. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

const MOST_ROWS = BigInt(Number.MAX_SAFE_INTEGER);

/** `100..200` (without the last), `100+20`, `100`, `100..`: rows from 1. */
export function parseRows(text: string): RowRange {
  const [, first = '', sign, last = ''] = /^\s*(\w+)\s*(?:(\.\.|\+)\s*(\w*)\s*)?$/.exec(text) ?? [];
  const start = parseRow(first);
  if (sign === undefined) return { start, end: start + 1 };
  if (sign === '..' && last === '') return { start, end: Infinity };
  const number = parseInteger(last);
  const end = number === undefined ? undefined : sign === '+' ? BigInt(start) + number : number - 1n;
  if (end === undefined || end <= BigInt(start) || end > MOST_ROWS) {
    throw new InvalidArgumentError(
      'Write rows from 1 on: 100..200 (without row 200), 100.. (to the end), 100+20, or 100.',
    );
  }
  return { start, end: Number(end) };
}

/** A row from 1; gives it from 0. */
export function parseRow(text: string): number {
  const value = parseInteger(text);
  if (value === undefined || value < 1n || value > MOST_ROWS) {
    throw new InvalidArgumentError('Write a row as a number from 1 on.');
  }
  return Number(value) - 1;
}

/** The same, or the last there is. */
export const parseReplayRow = (text: string): number | 'end' => (text === 'end' ? 'end' : parseRow(text));

export function parseIova(text: string): string {
  const value = parseInteger(text);
  if (value === undefined) throw new InvalidArgumentError('Write an address of at most 64 bits: 0xfee00000.');
  return hex(value);
}

export function parseGroup(text: string): TraceGroupBy {
  const found = TRACE_GROUPS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`Write one of ${TRACE_GROUPS.join(', ')}.`);
  return found;
}

/** `leak,double-map`. */
export function parseKinds(text: string): readonly TraceFindingKind[] {
  return text.split(',').map((part) => {
    const found = TRACE_FINDINGS.find((kind) => kind === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`Write kinds of ${TRACE_FINDINGS.join(', ')}.`);
    return found;
  });
}

const MODES = ['auto', 'device', 'domain'] as const;

/** `auto`, `device`, `domain`, or `NAME=FILTER`; the last may be repeated, `previous` is what came before. */
export function parseSpaces(text: string, previous?: TraceSpaces): TraceSpaces {
  const by = MODES.find((mode) => mode === text);
  if (by !== undefined) {
    if (previous) throw new InvalidArgumentError(`"${by}" cannot stand beside another --spaces.`);
    return { by };
  }
  const at = text.indexOf('=');
  const [name, where] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 0 || name === '' || where === '') {
    throw new InvalidArgumentError(
      'Write auto, device, domain, or NAME=FILTER once for each space: --spaces "disk=task = dd".',
    );
  }
  if (previous && previous.by !== 'rules') {
    throw new InvalidArgumentError(`"${previous.by}" cannot stand beside another --spaces.`);
  }
  const rules = previous?.rules ?? [];
  if (rules.some((rule) => rule.name.toLowerCase() === name.toLowerCase())) {
    throw new InvalidArgumentError(`The space ${name} is given twice.`);
  }
  return { by: 'rules', rules: [...rules, { name, where }] };
}
