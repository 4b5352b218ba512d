import assert from 'node:assert/strict';
import { type FindingKind } from '../../../../src/engine/ledger/finding';
import { Machine } from '../../../../src/engine/machine/machine';
import { type MachineOperation, type OperationReport } from '../../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { runSteps } from '../../../../src/engine/steps';

export const DEVICE = '00:02.0';

/** A machine of 16 MiB with one device and one domain, and operations on it. */
export class Bench {
  readonly machine: Machine;

  constructor(changes: Partial<MachineSpec> = {}) {
    const made = Machine.create({
      ...{ version: 1, vendor: 'vt-d', tables: 'second-stage', memory: '16M' },
      ...{ mapping: { what: 'none', pages: [] }, devices: [{ requester: DEVICE }] },
      ...{ dirtyTracking: 'none', iommus: 1, seed: 1 },
      ...changes,
    });
    assert.ok(made.ok, made.ok ? '' : made.failure.message);
    this.machine = made.value;
    const set = runSteps(this.machine.setUp());
    assert.ok(set.ok, set.ok ? '' : set.failure.message);
  }

  get domain(): number {
    const [first] = this.machine.domains;
    assert.ok(first);
    return first.id;
  }

  /** Does operations that nobody refuses; the last report. */
  does(...operations: readonly MachineOperation[]): OperationReport {
    let last: OperationReport = { summary: '', counts: {} };
    for (const operation of operations) {
      last = this.asks(operation);
      assert.equal(last.errno, undefined, `${operation.kind}: ${last.summary}`);
    }
    return last;
  }

  asks(operation: MachineOperation): OperationReport {
    return runSteps(this.machine.perform(operation));
  }

  map(iova: string, length: string, paddr = iova, domain = this.domain): void {
    this.does({ kind: 'map', domain, iova, length, paddr, permission: 'RW' });
  }

  /** Kinds of findings, over-reports left out. */
  get findings(): FindingKind[] {
    const kinds = this.machine.ledger.findings.all().map(({ kind }) => kind);
    return [...new Set(kinds.filter((kind) => kind !== 'over-report'))];
  }

  /** Guest pages that the destination lacks in the end. */
  get lost(): number[] {
    const { ledger } = this.machine;
    ledger.finish();
    return ledger.findings
      .of('lost-dirty')
      .flatMap(({ startPage, endPage }) =>
        Array.from({ length: endPage - startPage }, (_, index) => startPage + index),
      );
  }
}

/** A request of the device: 64 bytes. */
export const dma = (
  iova: string,
  access: 'read' | 'write' = 'write',
  more: { readonly sid?: string; readonly pasid?: number } = {},
): Extract<MachineOperation, { kind: 'dma' }> => ({
  kind: 'dma',
  requests: [{ sid: DEVICE, iova, length: 64, access, ...more }],
});

/** The same story with an omission of the driver and without it. */
export function compare<T>(fault: string, play: (faults: readonly string[]) => T, broken: T, fixed: T): void {
  assert.deepEqual({ broken: play([fault]), fixed: play([]) }, { broken, fixed });
}
