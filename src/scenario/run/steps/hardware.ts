import { type CommandText } from '../../../engine/machine/operations/nestingTypes';
import { hex } from '../../../engine/values';
import { type Step } from '../../language/schema/steps';
import { type Planner, one } from './planned';

export const evict: Planner<'evict'> = ({ iommu, cache, all }) =>
  one({ kind: 'evict', iommu, all, ...(cache ? { cache } : {}) });

export const writeWord: Planner<'writeWord'> = ({ address, word }) =>
  one({ kind: 'writeWord', address: hex(address), word: hex(word) });

export const wait: Planner<'wait'> = ({ cycles }) => ({ operations: [], cycles });

export const command: Planner<'command'> = ({ iommu, ...rest }) =>
  one({ kind: 'command', iommu, command: commandText(rest) });

type Command = Omit<NonNullable<Step['command']>, 'iommu'>;

/** A command as operations have it: what may not fit a number is text. */
export const commandText = ({ name, fields }: Command): CommandText => ({
  name,
  fields: Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      typeof value !== 'bigint' ? value : value <= Number.MAX_SAFE_INTEGER ? Number(value) : hex(value),
    ]),
  ),
});
