import { failure, type Result, success } from '../../engine/result';
import { checkMeaning } from './check';
import { parseJson } from './jsonText';
import { checkShape } from './shape';
import { type TextProblem } from './textProblem';
import { type ImageDescription } from './types';

export { IOMMU_KINDS, type IommuKind, REGISTERS, type RegisterSpec } from './registers';
export { type TextProblem } from './textProblem';
export { type DescribedIommu, type IdRange, type ImageDescription } from './types';
export { type DescribedOwner, type DescribedOwnership, findOwner } from './owners';
export { writeDescription } from './write';

interface Read {
  readonly description?: ImageDescription;
  readonly problems: readonly TextProblem[];
}

function read(text: string): Read {
  const json = parseJson(text);
  if (!('root' in json)) return { problems: json };
  const shape = checkShape(json);
  if (!('value' in shape)) return { problems: [...json.duplicates, ...shape] };
  const { description, problems } = checkMeaning(shape.value, json);
  return { description, problems: [...json.duplicates, ...problems] };
}

/** Everything that is wrong with a description's text, with exact places, in the order of the text. */
export function checkDescription(text: string): readonly TextProblem[] {
  return [...read(text).problems].sort((a, b) => a.start - b.start);
}

/** Reads a description. Fails with its first error, which says line and column; warnings do not stop it. */
export function parseDescription(text: string): Result<ImageDescription> {
  const { description, problems } = read(text);
  const errors = problems.filter(({ severity }) => severity === 'error').sort((a, b) => a.start - b.start);
  const first = errors[0];
  if (description && !first) return success(description);
  if (!first) return failure('description/json', 'The description is empty.');
  const { code, message, hint } = first;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more problems)` : '';
  return failure(code, `${lineAndColumn(text, first.start)}: ${message}${more}`, hint);
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `Description, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
