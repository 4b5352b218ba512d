import { type JSONPath } from 'jsonc-parser';
import { type z } from 'zod';
import { type JsonText, nameRange, nodeAt, rangeOf } from './jsonText';
import { IOMMU_KINDS, type IommuKind, KIND_TITLES, REGISTERS } from './registers';
import { descriptionSchema } from './schema';
import { type TextProblem } from './textProblem';

const MAX_PROBLEMS = 100;
const SHOWN = 40;

type Issue = z.core.$ZodIssue;
type Shape = z.infer<typeof descriptionSchema>;

/** Checks the shape; gives the value, or what is wrong and where. */
export function checkShape(json: JsonText): { readonly value: Shape } | readonly TextProblem[] {
  const version = checkVersion(json);
  if (version) return [version];
  const parsed = descriptionSchema.safeParse(json.value);
  if (parsed.success) return { value: parsed.data };
  return parsed.error.issues
    .flatMap((issue) => flatten(issue, []))
    .flatMap((issue) => word(issue, json))
    .slice(0, MAX_PROBLEMS);
}

/** Said first and alone: another version has other rules. */
function checkVersion(json: JsonText): TextProblem | undefined {
  const node = nodeAt(json, ['version']);
  if (json.root.type !== 'object' || node?.type !== 'number' || node.value === 1) return undefined;
  return {
    severity: 'error',
    code: 'description/version',
    message: `Version ${String(node.value)} of the description format is not known; this is version 1.`,
    hint: 'Install a newer IOPTE Inspector, or write the description in version 1.',
    ...rangeOf(node),
  };
}

interface FlatIssue {
  readonly path: JSONPath;
  readonly issue: Issue;
}

/** Of a union that did not match, the branch that was meant: the one whose own type is right. */
function flatten(issue: Issue, above: JSONPath): FlatIssue[] {
  const path = [...above, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))];
  if (issue.code !== 'invalid_union') return [{ path, issue }];
  const meant = issue.errors.find(
    (errors) => !errors.some((each) => each.code === 'invalid_type' && each.path.length === 0),
  );
  return meant ? meant.flatMap((each) => flatten(each, path)) : [{ path, issue }];
}

function word({ path, issue }: FlatIssue, json: JsonText): TextProblem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => wordUnknown(key, path, json));
  const node = nodeAt(json, path);
  const name = pathText(path);
  if (!node) {
    return [
      {
        severity: 'error',
        code: 'description/missing',
        message: `${name} is missing.`,
        hint: `Add ${expected(path)}; the editor completes names and values.`,
        ...nameRange(json, path.slice(0, -1)),
      },
    ];
  }
  const text = json.text.slice(node.offset, node.offset + node.length).replaceAll(/\s+/g, ' ');
  const found = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return [
    {
      severity: 'error',
      code: 'description/value',
      message: `${name}: expected ${expected(path)}, found ${found}.`,
      ...rangeOf(node),
    },
  ];
}

function wordUnknown(key: string, path: JSONPath, json: JsonText): TextProblem {
  const place = nameRange(json, [...path, key]);
  const kind = path.at(-1) === 'registers' ? kindAt(json, path) : undefined;
  if (!kind) {
    return {
      severity: 'error',
      code: 'description/unknown-property',
      message: `${pathText([...path, key])} is not a property of a description.`,
      hint: 'Remove it, or correct its name; the editor completes the names there are.',
      ...place,
    };
  }
  const names = REGISTERS[kind].map((register) => register.name);
  const near = names.find((name) => name.toLowerCase() === key.toLowerCase());
  return {
    severity: 'error',
    code: 'description/unknown-register',
    message: `"${key}" is not a register of ${KIND_TITLES[kind]} that is read here; known: ${names.join(', ')}.`,
    hint:
      near === undefined
        ? 'Remove it, or correct its name.'
        : `Write it as its specification does: "${near}".`,
    ...place,
  };
}

/** The kind of the IOMMU whose registers stand at `path`. */
function kindAt(json: JsonText, path: JSONPath): IommuKind | undefined {
  const value: unknown = nodeAt(json, [...path.slice(0, -1), 'kind'])?.value;
  return IOMMU_KINDS.find((kind) => kind === value);
}

/** `iommus[0].registers.RTADDR`. */
export function pathText(path: JSONPath): string {
  if (path.length === 0) return 'The description';
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${key}`))
    .join('');
}

const NUMBER = 'a whole number that is not negative, or a "0x…" string';

const EXPECTED: Partial<Record<string, string>> = {
  version: '1',
  image: 'a file name, or {"file", "segments"}',
  file: 'a file name',
  segments: 'a list of at least one {"paddr", "offset", "length"}',
  iommus: 'a list of at least one {"name", "kind", "registers"}',
  name: 'a name',
  kind: `one of ${IOMMU_KINDS.map((kind) => `"${kind}"`).join(', ')}`,
  segment: 'a PCI segment from 0 to 65535',
  requesters: 'a list of at least one "00:02.0", "00:00.0-00:1f.7" or "0x100-0x1ff"',
  registers: 'registers by name: {"RTADDR": "0x…"}',
  $schema: 'the name of a schema',
};

/** What a list holds. */
const EXPECTED_ELEMENTS: Partial<Record<string, string>> = {
  segments: '{"paddr", "offset", "length"}',
  iommus: '{"name", "kind", "registers"}',
  requesters: '"00:02.0", "00:00.0-00:1f.7" or "0x100-0x1ff"',
};

/** What belongs at a path. */
function expected(path: JSONPath): string {
  const last = path.at(-1);
  if (last === undefined) return 'an object {"version", "image", "iommus"}';
  if (typeof last === 'number') return EXPECTED_ELEMENTS[String(path.at(-2))] ?? NUMBER;
  return (path.at(-2) === 'registers' ? undefined : EXPECTED[last]) ?? NUMBER;
}
