import { failure, success, type Result } from '../../result';

/** Something that no hardware of a vendor may report; `broken` says whether a machine does. */
export interface CapabilityRule<Capabilities> {
  readonly broken: (capabilities: Capabilities) => boolean;
  /** What the rule says, as a sentence. */
  readonly says: string;
  /** `VT-d 4.1 §11.4.3` */
  readonly source: string;
  /** What to change. */
  readonly hint: string;
}

/** The capabilities when they keep every rule; else the first rule that is broken. */
export function keepRules<Capabilities extends { readonly vendor: string }>(
  capabilities: Capabilities,
  rules: readonly CapabilityRule<Capabilities>[],
): Result<Capabilities> {
  const broken = rules.find((rule) => rule.broken(capabilities));
  if (!broken) return success(capabilities);
  return failure('capabilities/impossible', `${broken.says} (${broken.source}).`, broken.hint);
}

/** A rule that one feature needs others. */
export function needs<Capabilities>(
  feature: (capabilities: Capabilities) => boolean,
  others: (capabilities: Capabilities) => boolean,
  texts: Pick<CapabilityRule<Capabilities>, 'says' | 'source' | 'hint'>,
): CapabilityRule<Capabilities> {
  return { ...texts, broken: (capabilities) => feature(capabilities) && !others(capabilities) };
}

/** A rule that a number is an integer within [least, most]. */
export function within<Capabilities>(
  value: (capabilities: Capabilities) => number,
  least: number,
  most: number,
  texts: { readonly field: string; readonly source: string },
): CapabilityRule<Capabilities> {
  return {
    broken: (capabilities) => {
      const number = value(capabilities);
      return !Number.isInteger(number) || number < least || number > most;
    },
    says: `${texts.field} is an integer from ${least} to ${most}`,
    source: texts.source,
    hint: `Give ${texts.field} a value in that range.`,
  };
}

/** The bit of a register, set or not. */
export const bit = (at: number, on: boolean): bigint => (on ? 1n << BigInt(at) : 0n);

/** A number at a bit of a register. */
export const field = (low: number, value: number): bigint => BigInt(value) << BigInt(low);
