import { type CacheOperation, type DeviceTlbOperation } from './cacheOperation';

/** One command of an invalidation queue, decoded. `name` and the fields are the vendor's. */
export type Command =
  | {
      readonly kind: 'invalidate';
      readonly name: string;
      readonly operations: readonly CacheOperation[];
      /** VT-d DR and DW: this command itself drains reads (writes) translated before. */
      readonly drainsReads?: boolean;
      readonly drainsWrites?: boolean;
    }
  | {
      readonly kind: 'device-tlb';
      readonly name: string;
      readonly operation: DeviceTlbOperation;
    }
  /** A barrier: done when all before is done. */
  | {
      readonly kind: 'wait';
      readonly name: string;
      readonly drainsReads: boolean;
      readonly drainsWrites: boolean;
      /** A word written to memory when it is done. */
      readonly store?: { readonly address: number; readonly value: bigint; readonly bytes: 4 | 8 };
      readonly interrupt: boolean;
    }
  /** Understood, without an effect on translation caches: interrupt entries, prefetch, resume, page responses. */
  | { readonly kind: 'other'; readonly name: string }
  /** Stops the queue with the vendor's error. */
  | { readonly kind: 'illegal'; readonly name: string; readonly why: string };
