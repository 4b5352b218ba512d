/** How a virtual machine is moved while it runs. Plain JSON; bytes, bytes a second, seconds. */
export interface MigrationSpec {
  /** Bytes a second of the link. */
  readonly link: number;
  /** Seconds for which the guest may stand still. */
  readonly downtimeLimit: number;
  /**
   * When rounds end. qemu: pending bytes are fewer than bandwidth x downtime limit (migration/migration.c,
   * migration_iteration_run). cloud-hypervisor: the bytes of this round over the bandwidth of the last one are less than the
   * limit.
   */
  readonly rule: 'qemu' | 'cloud-hypervisor';
  /** Rounds after which it is given up; 1 to 10,000. */
  readonly mostRounds: number;
  readonly tracking: {
    /** before-vcpus: from the start of the machine; at-migration; warm-up: some time before the first round. */
    readonly starts: 'before-vcpus' | 'at-migration' | 'warm-up';
    /** warm-up: seconds between the start of tracking and the first round; else 0. */
    readonly warmUp: number;
    /** before-vcpus: seconds that the machine ran before it is moved. */
    readonly ran: number;
  };
  readonly pages: {
    readonly policy: 'as-is' | 'split-eagerly' | 'split-on-dirty';
    /** Bytes of the pages to split to. */
    readonly to: number;
    /** Small pages become large ones again after the migration, or when it was given up. */
    readonly collapseAfter: boolean;
  };
  /** What the first round sends. populated: `populated` bytes of memory that has been touched, and what devices wrote. */
  readonly firstRound: 'everything' | 'populated';
  readonly populated: number;
  /** Of the pages of the first round, how many hold zeros only, which cost `ZERO_PAGE_BYTES` each: 0 to 1. */
  readonly zeroPages: number;
  readonly costs: MigrationCosts;
  /** What vCPUs write: bytes a second, spread evenly over a working set, tracked by 4 KiB. */
  readonly vcpus: { readonly rate: number; readonly workingSet: number };
}

/** Seconds. Where nobody published a figure the default is 0, and says so. */
export interface MigrationCosts {
  /** To look at one leaf entry. */
  readonly scan: number;
  /** One invalidation with its wait. */
  readonly flush: number;
  /** To write one entry of a split: 62 ns, computed from KVM's eager splitting (Linux a3fe5dbda0a4). */
  readonly split: number;
  /** To read one entry of a collapse. */
  readonly collapse: number;
}
