import { refused, type Outcome } from '../../driver/errno';
import { type Steps } from '../../steps';
import { FRAME_BYTES, hex, parseInteger } from '../../values';
import { type PageRange } from '../../iommu/cacheOperation';
import { type MachineCore, type MachineStep } from '../core';
import { type MachineHwpt } from '../domains';
import { sentence } from '../inputs';
import { type MachineOperation, type OperationReport } from '../operation';

export type Of<Kind extends MachineOperation['kind']> = Extract<MachineOperation, { kind: Kind }>;
export type Doing = Steps<MachineStep, OperationReport>;

export const PAGE = BigInt(FRAME_BYTES);
export const pagesIn = (bytes: bigint): number => Number(bytes / PAGE);

/** The report of an outcome: its sentence where it is refused. */
export function report(
  outcome: Outcome<unknown>,
  summary: string,
  counts: Record<string, number> = {},
): OperationReport {
  return outcome.ok
    ? { summary, counts }
    : { summary: sentence(outcome.message), errno: outcome.errno, counts: {} };
}

export function hwptOf(machine: MachineCore, id: number): Outcome<MachineHwpt> {
  const found = machine.hwpts.get(id);
  if (found) return { ok: true, value: found };
  const ids = machine.domains.map((domain) => domain.id).join(', ');
  return refused('ENOENT', `there is no domain ${id}; there are ${ids}`);
}

/** A range of a domain, in bytes, as an operation says it. */
export interface Target {
  readonly hwpt: MachineHwpt;
  readonly start: bigint;
  readonly bytes: bigint;
}

export function target(machine: MachineCore, domain: number, iova: string, length: string): Outcome<Target> {
  const hwpt = hwptOf(machine, domain);
  if (!hwpt.ok) return hwpt;
  const start = parseInteger(iova);
  const bytes = parseInteger(length);
  if (start === undefined) return refused('EINVAL', `"${iova}" is no IOVA`);
  if (bytes === undefined) return refused('EINVAL', `"${length}" is no length`);
  return { ok: true, value: { hwpt: hwpt.value, start, bytes } };
}

/** Whole pages of 4 KiB that hold a range; EINVAL: not numbers, empty, or beyond 64 bits. */
export function pagesHolding(address: string, length: string): Outcome<PageRange> {
  const start = parseInteger(address);
  const bytes = parseInteger(length);
  if (start === undefined) return refused('EINVAL', `"${address}" is no address`);
  if (bytes === undefined || bytes === 0n) return refused('EINVAL', `"${length}" is no length`);
  const end = start + bytes;
  if (end > 1n << 64n) return refused('EINVAL', `${hex(start)} and ${hex(bytes)} bytes end beyond 64 bits`);
  return { ok: true, value: { startPage: Number(start / PAGE), endPage: Number((end + PAGE - 1n) / PAGE) } };
}

export const touching = (
  of: OperationReport,
  domain: number,
  start: bigint,
  bytes: bigint,
): OperationReport =>
  of.errno === undefined ? { ...of, touched: { domain, start: hex(start), end: hex(start + bytes) } } : of;
