import { type MigrationSpec } from './spec';

/** 100 Gb/s, as bytes a second: our choice. QEMU's own default limits itself to 128 MiB/s (migration/options.c, max-bandwidth). */
export const DEFAULT_LINK = 12.5e9;
/** Seconds: QEMU's downtime-limit (migration/options.c, DEFAULT_MIGRATE_SET_DOWNTIME), and Cloud Hypervisor's `downtime_ms`. */
export const DEFAULT_DOWNTIME_LIMIT = 0.3;
/**
 * Seconds to write one entry of a split. Computed, of the CPU's second stage: eager splitting of 96 GiB by pages of 1 GiB into 4 KiB
 * took 1.55 CPU seconds (Linux a3fe5dbda0a4); nobody published it for an IOMMU.
 */
export const SPLIT_SECONDS = 62e-9;

/**
 * A migration as QEMU does it, of what a scenario leaves out. To look at an entry, to flush, and to collapse cost nothing by
 * default, since nobody published what they cost.
 */
export const DEFAULT_MIGRATION: MigrationSpec = {
  link: DEFAULT_LINK,
  downtimeLimit: DEFAULT_DOWNTIME_LIMIT,
  rule: 'qemu',
  mostRounds: 100,
  tracking: { starts: 'at-migration', warmUp: 0, ran: 0 },
  pages: { policy: 'as-is', to: 4096, collapseAfter: false },
  firstRound: 'everything',
  populated: 0,
  zeroPages: 0,
  costs: { scan: 0, flush: 0, split: SPLIT_SECONDS, collapse: 0 },
  vcpus: { rate: 0, workingSet: 0 },
};
