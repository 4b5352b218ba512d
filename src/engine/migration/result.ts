/** What a migration did, round by round. Plain JSON; bytes and seconds. */
export interface MigrationResult {
  readonly rounds: readonly MigrationRound[];
  readonly converged: boolean;
  /** One sentence: why it converged, or what keeps it from doing so, with figures. */
  readonly why: string;
  /** Seconds for which the guest was allowed to stand still. */
  readonly downtimeLimit: number;
  /** Seconds from the beginning of tracking, or of what prepares it, to the first round. */
  readonly preparation: number;
  /** Seconds from the first round to the guest running at the destination; of one that was given up: to that. */
  readonly total: number;
  /** Seconds for which the guest stood still; null: it never stopped, because it was given up. */
  readonly blackout: number | null;
  readonly bytes: {
    readonly sent: number;
    /** Devices' state, in `sent`; and how much of that went over during the blackout. */
    readonly deviceState: number;
    readonly deviceStateInBlackout: number;
    /** Distinct bytes, by pages of 4 KiB, that devices and vCPUs really wrote while tracking, round by round added up. */
    readonly written: number;
    /** Bytes reported dirty, round by round added up. */
    readonly reported: number;
    /** Reported and not written; written and never sent (0 unless something is lost). */
    readonly over: number;
    readonly lost: number;
  };
  /** reported / written; 1 when nothing was written. */
  readonly amplification: number;
  /** Leaf entries by page size in bytes, before and at the end. */
  readonly leaves: {
    readonly before: Readonly<Record<string, number>>;
    readonly after: Readonly<Record<string, number>>;
  };
  /** Misses of the IOTLB for each million requests, with the pages as they were, and with those during the migration. */
  readonly iotlb: {
    readonly missesBefore: number;
    readonly missesDuring: number;
    /** Misses that small pages add over the whole migration, at the devices' rates. */
    readonly missesAdded: number;
    /** Requests from which the shares were taken. */
    readonly sampled: number;
  };
  /** Seconds by what took them: link, scan, flush, split, collapse, device. */
  readonly time: Readonly<Record<string, number>>;
  /** machine: the emulated machine did every request, harvest and split; model: leaves and written pages only. */
  readonly by: 'machine' | 'model';
  /** One sentence: why it was that one, and what it does not know of this machine. */
  readonly byWhy: string;
  /** Accesses that devices made. */
  readonly requests: number;
}

export interface MigrationRound {
  /** From 1; the last one of a migration that converged is the blackout's. */
  readonly round: number;
  readonly blackout: boolean;
  /** Seconds since the first round began. */
  readonly start: number;
  readonly seconds: number;
  /** Bytes that went over the link, and those that were pending when it began. */
  readonly sent: number;
  readonly pending: number;
  /** During this round: distinct bytes written by pages of 4 KiB, and bytes that its harvest reports. */
  readonly written: number;
  readonly reported: number;
  /** Large leaves that were split when it was over. */
  readonly splits: number;
  /** Seconds that a stop now would have taken: what the rule compares with the limit. */
  readonly estimatedDowntime: number;
}

/** A page of zeros on the wire: QEMU's header of 8 bytes and a flag (migration/ram.c, save_zero_page). */
export const ZERO_PAGE_BYTES = 9;
