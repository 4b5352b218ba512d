import { done, refused, type Outcome } from '../../driver/errno';
import { type EncodedCommand } from '../../driver/vendors/common/encodedCommand';
import { type EmulatedKind } from '../../iommu/vendor';
import { vendorOf } from '../../iommu/vendors/index';
import { parseInteger } from '../../values';
import { type CommandText } from './nestingTypes';

/** The words of a command that is given by name and fields. EINVAL lists the names, or the fields, that there are. */
export function encodeCommand(kind: EmulatedKind, { name, fields }: CommandText): Outcome<EncodedCommand> {
  const { forms } = vendorOf(kind);
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (!form) {
    const names = Object.keys(forms).join(', ');
    return refused('EINVAL', `"${name}" is no command of ${kind}; there are ${names}`);
  }
  const values: Record<string, bigint> = {};
  for (const [field, given] of Object.entries(recordOf(fields))) {
    const value = valueOf(given);
    if (value === undefined)
      return refused(
        'EINVAL',
        `${name}: ${field} is ${JSON.stringify(given)}, and no number of at most 64 bits`,
      );
    values[field] = value;
  }
  const words = form.encodeNamed(values);
  return typeof words === 'string' ? refused('EINVAL', `${name}: ${words}`) : done({ name, words });
}

/** Commands in a row; EINVAL: what is wrong with the first that is none, or there are too many. */
export function encodeCommands(
  kind: EmulatedKind,
  commands: readonly CommandText[],
): Outcome<readonly EncodedCommand[]> {
  const isList: boolean = Array.isArray(commands);
  if (!isList || commands.length > MOST_COMMANDS)
    return refused('EINVAL', `commands are a list of at most ${MOST_COMMANDS}`);
  const encoded: EncodedCommand[] = [];
  for (const [index, command] of commands.entries()) {
    const each = encodeCommand(kind, recordOf(command));
    if (!each.ok) return refused(each.errno, `command ${index}: ${each.message}`);
    encoded.push(each.value);
  }
  return done(encoded);
}

const MOST_COMMANDS = 10_000;

/** What a file or a journal has in the place of a record may be anything. */
const recordOf = <T extends object>(value: T): T => ({ ...value });

function valueOf(given: unknown): bigint | undefined {
  if (typeof given === 'boolean') return given ? 1n : 0n;
  if (typeof given === 'number') return Number.isSafeInteger(given) && given >= 0 ? BigInt(given) : undefined;
  return typeof given === 'string' ? parseInteger(given) : undefined;
}
