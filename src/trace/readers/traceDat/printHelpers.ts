import { type Argument, type Evaluate } from './printArgument';
import { type TraceRecord } from './record';

/** Elements of an array that are printed: lists of events are capped at 128 by the kernel. */
const MOST_ELEMENTS = 4096;
const none = (): string => '';
const bigintOf = (value: bigint | string): bigint => (typeof value === 'string' ? 0n : value);

/**
 * What print formats call (Linux include/trace/stages/stage3_trace_output.h and the functions of kernel/trace/trace_output.c,
 * which give the text its form).
 */
export const HELPERS: ReadonlyMap<string, (args: readonly Argument[]) => Evaluate> = new Map<
  string,
  (args: readonly Argument[]) => Evaluate
>([
  ['__get_str', text],
  ['__get_rel_str', text],
  ['__get_dynamic_array', ([array]) => array?.value ?? none],
  ['__get_rel_dynamic_array', ([array]) => array?.value ?? none],
  ['__get_dynamic_array_len', length],
  ['__get_rel_dynamic_array_len', length],
  ['__print_symbolic', ([value, ...pairs]) => symbolic(value, pairs)],
  ['__print_flags', ([value, delimiter, ...pairs]) => flags(value, delimiter, pairs)],
  ['__print_symbolic_u64', ([value, ...pairs]) => symbolic(value, pairs)],
  ['__print_flags_u64', ([value, delimiter, ...pairs]) => flags(value, delimiter, pairs)],
  [
    '__print_array',
    ([array, count, size]) => list(array, count, size, (words) => `{${words.map(prefixed).join(',')}}`),
  ],
  [
    '__print_hex',
    ([array, count]) => list(array, count, undefined, (words) => words.map(twoDigits).join(' ')),
  ],
  [
    '__print_hex_str',
    ([array, count]) => list(array, count, undefined, (words) => words.map(twoDigits).join('')),
  ],
  ['__builtin_choose_expr', ([, value]) => value?.value ?? none],
  ['__builtin_expect', ([value]) => value?.value ?? none],
  ['ERR_PTR', ([value]) => value?.value ?? none],
]);

const prefixed = (word: bigint): string => `0x${word.toString(16)}`;
const twoDigits = (word: bigint): string => word.toString(16).padStart(2, '0');

function text([argument]: readonly Argument[]): Evaluate {
  const field = argument?.field;
  return field ? (record) => record.text(field) : none;
}

function length([argument]: readonly Argument[]): Evaluate {
  const field = argument?.field;
  return field ? (record) => BigInt(record.data(field).length) : () => 0n;
}

/** The name of the value; in hexadecimal when it has none. */
function symbolic(value: Argument | undefined, pairs: readonly Argument[]): Evaluate {
  return (record, variables) => {
    const wanted = bigintOf(value?.value(record, variables) ?? 0n);
    for (const { pair } of pairs) {
      if (pair && BigInt.asUintN(64, bigintOf(pair[0](record, variables))) === BigInt.asUintN(64, wanted)) {
        return String(pair[1](record, variables));
      }
    }
    return prefixed(BigInt.asUintN(64, wanted));
  };
}

/** Names of the bits that are set, and what is left over in hexadecimal. */
function flags(
  value: Argument | undefined,
  delimiter: Argument | undefined,
  pairs: readonly Argument[],
): Evaluate {
  return (record, variables) => {
    let left = BigInt.asUintN(64, bigintOf(value?.value(record, variables) ?? 0n));
    const names: string[] = [];
    for (const { pair } of pairs) {
      if (!pair) continue;
      const mask = bigintOf(pair[0](record, variables));
      if (mask === 0n || (left & mask) !== mask) continue;
      names.push(String(pair[1](record, variables)));
      left &= ~mask;
    }
    if (left !== 0n) names.push(prefixed(left));
    return names.join(String(delimiter?.value(record, variables) ?? ''));
  };
}

function list(
  array: Argument | undefined,
  count: Argument | undefined,
  size: Argument | undefined,
  print: (words: readonly bigint[]) => string,
): Evaluate {
  const field = array?.field;
  if (!field) return none;
  return (record: TraceRecord, variables) => {
    const bytes = size ? Number(bigintOf(size.value(record, variables))) : 1;
    if (![1, 2, 4, 8].includes(bytes)) return '';
    const { offset, length: room } = record.data(field);
    const wanted = Number(BigInt.asUintN(32, bigintOf(count?.value(record, variables) ?? 0n)));
    const there = Math.min(wanted, Math.floor(room / bytes), MOST_ELEMENTS);
    return print(
      Array.from({ length: there }, (_, index) => record.value(offset + index * bytes, bytes, false)),
    );
  };
}
