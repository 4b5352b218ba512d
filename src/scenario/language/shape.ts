import * as z from 'zod';
import { formatSize } from '../../engine/values';
import { scenario, VARIANT_KEYS } from './schema/scenario';
import { type Refers } from './schema/values';

/** What may stand somewhere, as a JSON schema (draft-07) says it, with what the editor wants to know besides. */
export interface Shape {
  readonly $ref?: string;
  /** One reference, beside which something is said. */
  readonly allOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Shape | boolean;
  readonly propertyNames?: Shape;
  readonly items?: Shape;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly const?: string | number;
  readonly default?: string | number | boolean | object;
  readonly description?: string;
  readonly examples?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly $schema?: string;
  readonly pattern?: string;
  readonly definitions?: Readonly<Record<string, Shape>>;
  /** What a value is, for messages: `size: 4096, 4K, 2M, 1G`. */
  readonly what?: string;
  readonly refers?: Refers;
}

let made: Shape | undefined;

/** A whole file, variants included. */
export function fileShape(): Shape {
  made ??= withVariants(schemaOf());
  return made;
}

function schemaOf(): Shape {
  return z.toJSONSchema(scenario, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === 'bigint') jsonSchema.type = 'integer';
      if (def.type === 'literal' && jsonSchema.const === undefined) {
        const [value] = def.values;
        jsonSchema.const = typeof value === 'bigint' ? Number(value) : (value ?? null);
      }
      // A value with a unit is one thing, and not one of several.
      if (jsonSchema['what'] !== undefined && jsonSchema.anyOf) {
        jsonSchema.type ??= WRITTEN;
        delete jsonSchema.anyOf;
      }
      // Left out where a value is read into something else; they are what one writes here.
      const examples = z.globalRegistry.get(zodSchema)?.['examples'];
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      if (def.type === 'default')
        jsonSchema.default = written(
          def.defaultValue,
          typeof jsonSchema['what'] === 'string' ? jsonSchema['what'] : '',
        );
    },
  }) as Shape;
}

/** How values with units come: 4096, 0x1000, 4K. */
const WRITTEN = ['integer', 'string'] as unknown as 'integer';

/** A default as someone would write it. */
function written(
  value: unknown,
  what: string,
): string | number | boolean | unknown[] | Record<string, unknown> {
  if (typeof value === 'bigint') return formatSize(value);
  if (typeof value === 'number' && what.startsWith('size')) return formatSize(value);
  if (typeof value === 'number' && what.startsWith('time'))
    return value < 1 ? `${value * 1000}ms` : `${value}s`;
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return Array.isArray(value) ? [] : typeof value === 'string' ? value : {};
}

function withVariants(base: Shape): Shape {
  const properties = Object.fromEntries(
    VARIANT_KEYS.flatMap((key) => {
      const shape = base.properties?.[key];
      return shape ? [[key, patchOf(shape, base)]] : [];
    }),
  );
  const variant: Shape = {
    type: 'object',
    description: 'What this variant changes: keys are merged, lists and values replaced, null takes away.',
    properties,
    additionalProperties: false,
  };
  const variants: Shape = {
    type: 'object',
    description:
      'The scenario in several ways, each run by itself; with variants, only they run. {} is the base.',
    additionalProperties: variant,
  };
  return { ...base, properties: { ...base.properties, variants } };
}

/** Anything may be left out of what is merged over the rest, or taken away by null. Lists are replaced whole. */
function patchOf(shape: Shape, root: Shape): Shape {
  const { required: _required, default: _default, ...rest } = shape;
  if (shape.anyOf) return { ...rest, anyOf: shape.anyOf.map((each) => patchOf(each, root)) };
  if (shape.oneOf) return { ...rest, oneOf: shape.oneOf.map((each) => patchOf(each, root)) };
  if (shape.type !== 'object') return rest;
  const { properties, additionalProperties } = shape;
  return {
    ...rest,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, each]) => [key, patchOf(each, root)]),
      ),
    }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: patchOf(additionalProperties, root),
    }),
  };
}

/** Alternatives that were worked out: the same shapes are asked for at each value of a file. */
const alternatives = new WeakMap<Shape, readonly Shape[]>();

/** What a shape of the file may be, one by one; descriptions of the whole go to parts that have none. */
export function alternativesOf(shape: Shape): readonly Shape[] {
  const known = alternatives.get(shape) ?? workedOut(shape, fileShape());
  alternatives.set(shape, known);
  return known;
}

function workedOut(shape: Shape, root: Shape): readonly Shape[] {
  if (shape.$ref !== undefined) {
    const target = shape.$ref === '#' ? root : root.definitions?.[shape.$ref.replace('#/definitions/', '')];
    const { $ref: _ref, ...beside } = shape;
    return target ? workedOut({ ...target, ...beside }, root) : [];
  }
  const parts = shape.allOf ?? shape.anyOf ?? shape.oneOf;
  if (!parts) return [shape];
  const { description, refers, what, examples } = shape;
  return parts
    .flatMap((part) => workedOut(part, root))
    .map((part) => ({
      ...(description !== undefined && { description }),
      ...(refers && { refers }),
      ...(what !== undefined && { what }),
      ...(examples && { examples }),
      ...part,
    }));
}

/** Says what value a key of the same object has: it tells which of several objects is meant. */
type Beside = (key: string) => unknown;

/** Those of some objects that a value of theirs (`kind: nvme`) does not rule out. */
export function fitting(shapes: readonly Shape[], beside: Beside): readonly Shape[] {
  // Only of several there is something to rule out.
  if (shapes.length < 2) return shapes;
  const fit = shapes.filter(({ properties = {} }) =>
    Object.entries(properties).every(([key, { const: wanted }]) => {
      const given = wanted === undefined ? undefined : beside(key);
      return given === undefined || given === wanted;
    }),
  );
  return fit.length > 0 ? fit : shapes;
}

/** What may stand below a key or at an index of any of some shapes. */
export function below(shapes: readonly Shape[], key: string | number, beside: Beside): readonly Shape[] {
  return fitting(shapes, beside).flatMap((shape) => {
    if (typeof key === 'number') return shape.items ? alternativesOf(shape.items) : [];
    const { properties, additionalProperties } = shape;
    if (properties && Object.hasOwn(properties, key)) return alternativesOf(properties[key] ?? {});
    return typeof additionalProperties === 'object' ? alternativesOf(additionalProperties) : [];
  });
}

/** What may stand at a path; `valueAt` says what is written at another path. */
export function shapesAt(
  path: readonly (string | number)[],
  valueAt: (path: readonly (string | number)[]) => unknown,
): readonly Shape[] {
  let shapes = alternativesOf(fileShape());
  path.forEach((key, index) => {
    const above = path.slice(0, index);
    shapes = below(shapes, key, (name) => valueAt([...above, name]));
  });
  return fitting(shapes, (name) => valueAt([...path, name]));
}

/** Names of the keys that objects of these shapes have. */
export function keysOf(shapes: readonly Shape[]): readonly string[] {
  return [...new Set(shapes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

/** What a value may be, in words: `one of a, b`, `size: 4K, 2M`. */
export function expectation(shapes: readonly Shape[]): string {
  const ids = shapes.flatMap(({ const: only }) => (only === undefined ? [] : [only]));
  if (ids.length > 1) return `one of ${ids.join(', ')}`;
  return [...new Set(shapes.map(expected))].join(', or ');
}

const MOST_NAMED = 12;

function expected({
  what,
  refers,
  enum: values,
  const: only,
  type,
  properties,
  additionalProperties,
}: Shape): string {
  if (what !== undefined && !properties) return `${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}`;
  if (refers) return REFERS[refers];
  if (values) {
    return values.length <= MOST_NAMED ? `one of ${values.join(', ')}` : `one of ${values.length} ids`;
  }
  if (only !== undefined) return JSON.stringify(only);
  if (properties) {
    const names = Object.keys(properties);
    const more = names.length > MOST_NAMED ? ', …' : '';
    return `keys with values (${names.slice(0, MOST_NAMED).join(', ')}${more})`;
  }
  if (additionalProperties !== undefined) return 'names with values';
  const types = typeof type === 'string' ? [type] : (type ?? []);
  return types.map((each) => TYPES[each] ?? each).join(' or ');
}

const REFERS: Readonly<Record<Refers, string>> = {
  devices: 'the name of a device',
  domains: 'the name of a domain',
  guests: 'the name of a guest',
  viommus: 'the name of a vIOMMU',
  attachments: 'the name of a domain or a guest, pass-through, or blocked',
};

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
};
