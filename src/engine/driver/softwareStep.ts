/** One atomic action of software, as it was done. Addresses are physical byte addresses of 64-bit words. */
export type SoftwareStep =
  | { readonly kind: 'read'; readonly name: string; readonly address: number; readonly word: bigint }
  /** A plain store. */
  | { readonly kind: 'store'; readonly name: string; readonly address: number; readonly word: bigint }
  /** `done` false: the word was not the expected one, nothing was written. */
  | {
      readonly kind: 'compare-exchange';
      readonly name: string;
      readonly address: number;
      readonly expected: bigint;
      readonly word: bigint;
      readonly done: boolean;
    }
  | {
      readonly kind: 'exchange';
      readonly name: string;
      readonly address: number;
      readonly old: bigint;
      readonly word: bigint;
    }
  /** Atomic OR or AND of bits. */
  | {
      readonly kind: 'modify';
      readonly name: string;
      readonly address: number;
      readonly old: bigint;
      readonly word: bigint;
    }
  /** Tables that no one can reach yet, written whole: `frames` of them. */
  | { readonly kind: 'build'; readonly name: string; readonly frames: number }
  /** Entries of one table, each by an atomic access of its own, one right after the other. */
  | { readonly kind: 'sweep'; readonly name: string; readonly address: number; readonly entries: number }
  | { readonly kind: 'submit'; readonly name: string; readonly command: string }
  /** Looks whether the hardware has completed a wait command; as long as it has not, the step repeats. */
  | { readonly kind: 'poll'; readonly name: string; readonly done: boolean }
  /** Bits set in a bitmap, a copy made, a frame freed, an object changed: what hardware does not see. */
  | { readonly kind: 'software'; readonly name: string };
