import { type ZapReason } from '../../driver/cpu/secondStage';

/** Who else writes guest memory, and copies of it. Addresses are guest physical. */
export type CpuOperation =
  /** Accesses of vCPUs through their second stage, one a page. Needs `cpu` in the specification. */
  | {
      readonly kind: 'cpu';
      readonly accesses: readonly {
        readonly vcpu?: number;
        readonly address: string;
        /** Bytes; absent: 8. */
        readonly length?: number;
        readonly access: 'read' | 'write';
      }[];
    }
  /** The host itself writes guest memory: the loader, vhost, a device model. Needs `cpu`. */
  | { readonly kind: 'hostWrite'; readonly by: string; readonly address: string; readonly length?: string }
  /** Entries of the CPUs' second stage go away. */
  | { readonly kind: 'zap'; readonly address: string; readonly length: string; readonly reason: ZapReason }
  /** A round of the CPUs' side: what vCPUs and logged host writers wrote is reported, made clean, and copied. */
  | { readonly kind: 'harvestCpu' }
  /**
   * The destination gets what memory holds now. everything: all of guest memory; populated: what the CPUs' second stage has, and
   * what is in the dirty log; range: guest physical.
   */
  | {
      readonly kind: 'copy';
      readonly what: 'everything' | 'populated' | 'range';
      readonly address?: string;
      readonly length?: string;
    };
