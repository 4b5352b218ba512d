import { type CacheTag } from './cacheOperation';
import { type Fault } from '../faults';

/** One atomic action of hardware, as it was done. Addresses are physical byte addresses of 64-bit words. */
export type HardwareStep =
  | { readonly kind: 'fetch'; readonly role: string; readonly address: number; readonly words: number }
  | { readonly kind: 'lookup'; readonly cache: CacheName; readonly hit: boolean; readonly tag?: CacheTag }
  | {
      readonly kind: 'read';
      readonly stage: 1 | 2;
      readonly depth: number;
      readonly address: number;
      readonly lo: number;
      readonly hi: number;
    }
  /** One atomic update of A and D. `changed`: the word was not the one that was walked: `update` of the rules says what then. */
  | {
      readonly kind: 'update';
      readonly stage: 1 | 2;
      readonly depth: number;
      readonly address: number;
      readonly beforeLo: number;
      readonly beforeHi: number;
      readonly afterLo: number;
      readonly afterHi: number;
      readonly changed: boolean;
    }
  | {
      readonly kind: 'fill';
      readonly cache: CacheName;
      readonly tag: CacheTag;
      readonly page: number;
      readonly shift: number;
    }
  | { readonly kind: 'evict'; readonly cache: CacheName }
  /** The data access itself: for writes the moment at which the data has landed. */
  | {
      readonly kind: 'access';
      readonly outputLo: number;
      readonly outputHi: number;
      readonly length: number;
      readonly write: boolean;
    }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly recorded: boolean }
  | { readonly kind: 'command'; readonly name: string; readonly index: number; readonly done: boolean };

export type CacheName = 'iotlb' | 'walk' | 'context' | 'process' | 'device-tlb';
