import assert from 'node:assert/strict';
import { CpuSecondStage, type CpuPolicy } from '../../../src/engine/driver/cpu/secondStage';
import { planFirstRound, type FirstRound } from '../../../src/engine/driver/cpu/firstRound';
import { type Outcome } from '../../../src/engine/driver/errno';
import { accelerator } from '../../../src/engine/driver/vfio/accelerator';
import { VfioMigrationDevice } from '../../../src/engine/driver/vfio/migrationDevice';
import { type PageRange } from '../../../src/engine/iommu/cacheOperation';
import { type HardwareRules } from '../../../src/engine/iommu/rules';
import { type MachineHwpt } from '../../../src/engine/machine/domains';
import { Machine } from '../../../src/engine/machine/machine';
import { type MachineOperation, type OperationReport } from '../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../src/engine/machine/spec';
import { SeededRandom } from '../../../src/engine/random';
import { runSteps } from '../../../src/engine/steps';

/** Vendors whose hardware marks dirty pages for a hypervisor, with the tables that are used for it. */
export const TRACKING_MACHINES: readonly Pick<MachineSpec, 'vendor' | 'tables'>[] = [
  { vendor: 'vt-d', tables: 'second-stage' },
  { vendor: 'amd-vi', tables: 'v1' },
  { vendor: 'smmuv3', tables: 'stage1-4k' },
];

export interface MigrationOptions {
  readonly machine: Pick<MachineSpec, 'vendor' | 'tables'>;
  readonly policy: CpuPolicy;
  readonly round: FirstRound;
  readonly rules?: Partial<HardwareRules>;
  /** Sizes of the pages of the IOMMU's tables; absent: the largest that fit, which report far more than was written. */
  readonly pages?: readonly string[];
  /** When the device writes what it caches back. */
  readonly writesBack?: 'stop' | 'save';
  readonly driverFaults?: readonly string[];
}

const DEVICE = '00:02.0';
/** Where the device keeps what it writes back: a guest page. */
export const WRITE_BACK_PAGE = 0x77;

const hex = (value: number): string => `0x${value.toString(16)}`;

export function value<T>(outcome: Outcome<T>): T {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  return outcome.value;
}

/**
 * A guest of 16 MiB with one assigned device and two vCPUs that moves to another host: both its CPUs' second stage and its
 * device's IOMMU have tracked what is written from before the vCPUs start.
 */
export class Migration {
  readonly machine: Machine;
  readonly cpu: CpuSecondStage;
  readonly device: VfioMigrationDevice;
  readonly #round: FirstRound;

  constructor({
    machine: kind,
    policy,
    round,
    rules,
    pages = [],
    writesBack = 'stop',
    driverFaults = [],
  }: MigrationOptions) {
    const made = Machine.create({
      version: 1,
      ...kind,
      memory: '16M',
      mapping: { what: 'guest', pages },
      devices: [{ requester: DEVICE }],
      dirtyTracking: 'on',
      iommus: 1,
      seed: 7,
      driverFaults,
      ...(rules ? { rules } : {}),
    });
    assert.ok(made.ok, made.ok ? '' : made.failure.message);
    this.machine = made.value;
    const set = runSteps(this.machine.setUp());
    assert.ok(set.ok, set.ok ? '' : set.failure.message);
    const { memory, frames, layout, ledger } = this.machine;
    this.cpu = value(
      CpuSecondStage.create({
        kind: kind.vendor === 'amd-vi' ? 'npt' : 'ept',
        memory,
        frames,
        guestMemory: layout.regions,
        ledger,
        random: new SeededRandom(7),
        policy,
        vcpus: 2,
      }),
    );
    value(runSteps(this.cpu.startLogging('dirty-bits')));
    this.device = new VfioMigrationDevice(accelerator('a251', writesBack), () => {
      this.dma(WRITE_BACK_PAGE);
    });
    this.#round = round;
  }

  get domain(): MachineHwpt {
    const [first] = this.machine.domains;
    assert.ok(first);
    return first;
  }

  perform(operation: MachineOperation): OperationReport {
    return runSteps(this.machine.perform(operation));
  }

  /** A write of the device; refused: what the IOMMU said. */
  dma(page: number): string {
    const iova = hex(page * 4096);
    const report = this.perform({
      kind: 'dma',
      requests: [{ sid: DEVICE, iova, length: 64, access: 'write' }],
    });
    return report.refused?.[0]?.fault ?? '';
  }

  vcpu(page: number, vcpu = 0): void {
    value(this.cpu.access(vcpu, page, true));
  }

  host(name: string, page: number): void {
    value(this.cpu.hostWrite(name, page));
  }

  /** Copies what a set of pages holds now. */
  copy(ranges: readonly PageRange[]): void {
    for (const range of ranges) this.machine.ledger.copied(range);
  }

  firstRound(): void {
    const { layout, ledger } = this.machine;
    this.copy(planFirstRound(this.#round, this.cpu, layout.regions, ledger).ranges);
  }

  /** Harvests what vCPUs and the device wrote, and copies it. */
  round(): void {
    const { ledger, layout } = this.machine;
    for (const region of layout.regions) {
      const dirty = runSteps(this.cpu.harvest(region));
      ledger.harvested(dirty);
      this.copy(dirty);
    }
    for (const { id, tracking } of this.machine.domains)
      if (tracking === 'on') this.perform({ kind: 'readDirty', domain: id, clear: true });
  }

  /** Everything stops; the last round; the device's state goes over. Returns the pages that the destination lacks. */
  finish(): number[] {
    value(this.device.setState('STOP'));
    this.round();
    value(this.device.setState('STOP_COPY'));
    const { ledger } = this.machine;
    ledger.finish();
    return ledger.findings.of('lost-dirty').flatMap(({ startPage, endPage }) => {
      return Array.from({ length: endPage - startPage }, (_, index) => startPage + index);
    });
  }
}
