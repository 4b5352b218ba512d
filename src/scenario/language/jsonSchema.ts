import { SCENARIO_VERSION } from './schema/scenario';
import { fileShape, type Shape } from './shape';

const PARAMETER = '#/definitions/parameter';

/**
 * The JSON schema (draft-07, which editors know best) of a scenario file, as schemas/scenario.schema.json has it for other
 * editors. What this program alone knows (which names there are) is left out; a parameter may stand for every single value.
 */
export function scenarioJsonSchema(): object {
  const { $schema, definitions, properties, ...rest } = fileShape();
  const open = (shapes: Readonly<Record<string, Shape>> = {}): Readonly<Record<string, Shape>> =>
    Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, withParameters(shape)]));
  const { version, title, parameters, ...others } = properties ?? {};
  return {
    $schema,
    title: `IOPTE scenario, version ${SCENARIO_VERSION}`,
    description: 'A machine with its IOMMUs, what is done to it, and what must come of it.',
    ...rest,
    properties: {
      ...(version && { version }),
      ...(title && { title }),
      ...(parameters && {
        parameters: {
          ...parameters,
          ...(parameters.propertyNames && { propertyNames: withoutOurs(parameters.propertyNames) }),
        },
      }),
      ...open(others),
    },
    definitions: {
      ...open(definitions),
      parameter: {
        type: 'string',
        pattern: '^\\$[A-Za-z][\\w-]*$',
        description: 'A parameter of the file, by its name: $name.',
      },
    },
  };
}

function withParameters(shape: Shape): Shape {
  const { what: _what, refers: _refers, propertyNames, ...rest } = shape;
  const { properties, additionalProperties, items, anyOf, oneOf } = rest;
  const inside: Shape = {
    ...rest,
    ...(propertyNames && { propertyNames: withoutOurs(propertyNames) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, each]) => [key, withParameters(each)]),
      ),
    }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: withParameters(additionalProperties),
    }),
    ...(items && { items: withParameters(items) }),
    ...(anyOf && { anyOf: anyOf.map(withParameters) }),
    ...(oneOf && { oneOf: oneOf.map(withParameters) }),
  };
  return takesNoText(shape) ? { anyOf: [inside, { $ref: PARAMETER }], ...described(rest) } : inside;
}

const withoutOurs = ({ what: _what, refers: _refers, ...rest }: Shape): Shape => rest;

const described = ({ description }: Shape): Shape => (description === undefined ? {} : { description });

/** A single value that `$name` would not be: one of some ids, a number, true or false. */
function takesNoText({
  type,
  enum: ids,
  const: only,
  anyOf,
  oneOf,
  $ref,
  properties,
  items,
  pattern,
}: Shape): boolean {
  if (anyOf ?? oneOf ?? $ref ?? properties ?? items) return false;
  if (ids ?? only ?? pattern) return true;
  const types = typeof type === 'string' ? [type] : (type ?? []);
  return !types.includes('string') && !types.includes('object') && !types.includes('array');
}
