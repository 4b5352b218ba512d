import { type MigrationSpec } from './spec';

/** What a round left, as far as rules look at it. Bytes, bytes a second. */
export interface RoundEnd {
  /** Memory that is dirty, and so to be sent while the guest stands still. */
  readonly pending: number;
  /** Of devices' states, what goes over while they are stopped. */
  readonly deviceState: number;
  /** Of the round that ended. */
  readonly bandwidth: number;
}

interface StopRule {
  /** Whether what devices' states take counts. */
  readonly countsDeviceState: boolean;
  readonly estimate: (end: RoundEnd) => number;
  readonly stops: (end: RoundEnd, limit: number) => boolean;
}

/**
 * When rounds end. qemu (migration/migration.c): nothing is pending, or less than the threshold, which is bandwidth x downtime limit;
 * pending are memory and what devices say that they have left (hw/vfio/migration.c, vfio_state_pending_exact).
 * cloud-hypervisor (vmm/src/lib.rs, is_precopy_converged): no memory is dirty, or the time for it at the last round's bandwidth is
 * within the limit; devices' states are left out.
 */
const RULES: Readonly<Record<MigrationSpec['rule'], StopRule>> = {
  qemu: {
    countsDeviceState: true,
    estimate: ({ pending, deviceState, bandwidth }) => (pending + deviceState) / bandwidth,
    stops: ({ pending, deviceState, bandwidth }, limit) =>
      pending + deviceState === 0 || pending + deviceState < bandwidth * limit,
  },
  'cloud-hypervisor': {
    countsDeviceState: false,
    estimate: ({ pending, bandwidth }) => pending / bandwidth,
    stops: ({ pending, bandwidth }, limit) => pending === 0 || pending / bandwidth <= limit,
  },
};

/** Seconds that a stop at the end of a round would take, by a rule. */
export const estimatedDowntime = (rule: MigrationSpec['rule'], end: RoundEnd): number =>
  RULES[rule].estimate(end);

/** Whether rounds end here. `limit`: seconds. */
export const stopsAfter = (rule: MigrationSpec['rule'], end: RoundEnd, limit: number): boolean =>
  RULES[rule].stops(end, limit);

export const countsDeviceState = (rule: MigrationSpec['rule']): boolean => RULES[rule].countsDeviceState;
