import { type z } from 'zod';
import { type ScenarioProblem } from '../outcome';
import { error, MOST_LOOKED_AT, suggest } from './problems';
import { expectation, keysOf, type Shape, shapesAt } from './shape';
import { entryOf, keyRangeAt, nodeAt, type Path, pathText, rangeAt, type SourceNode } from './source/node';

type Issue = z.core.$ZodIssue;

interface FlatIssue {
  readonly path: Path;
  readonly issue: Issue;
}

/** What the schema found wrong, as sentences with their places in the text. */
export function wordIssues(issues: readonly Issue[], root: SourceNode): readonly ScenarioProblem[] {
  return issues
    .slice(0, MOST_LOOKED_AT)
    .flatMap((issue) => flatten(issue, []))
    .slice(0, MOST_LOOKED_AT)
    .flatMap((issue) => word(issue, root));
}

const pathOf = (path: readonly PropertyKey[]): Path =>
  path.map((key) => (typeof key === 'symbol' ? String(key) : key));

/** Of a union that did not match, the branch that was meant: the one whose own type is right. */
function flatten(issue: Issue, above: Path): FlatIssue[] {
  const path = [...above, ...pathOf(issue.path)];
  if (issue.code === 'invalid_element') return issue.issues.flatMap((each) => flatten(each, path));
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ path, issue }];
  const meant =
    issue.errors.find((errors) => !errors.some(isAboutAll)) ??
    issue.errors.find((errors) => !errors.some((each) => isAboutAll(each) && each.code === 'invalid_type'));
  return meant ? meant.flatMap((each) => flatten(each, path)) : [{ path, issue }];
}

/** Whether it is about the value itself, and not about something in it. */
const isAboutAll = ({ path, code }: Issue): boolean => path.length === 0 && code !== 'unrecognized_keys';

function word({ path, issue }: FlatIssue, root: SourceNode): readonly ScenarioProblem[] {
  const shapes = shapesAt(path, valueIn(root));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(root, path, key, shapes));
  if (issue.code === 'invalid_key') {
    const name = String(path.at(-1));
    const message = `"${shown(name)}" is no name: a name has letters, digits, - and _, and begins with a letter.`;
    return [error(keyRangeAt(root, path), message)];
  }
  const node = nodeAt(root, path);
  if (!node) return [missing(root, path, shapes)];
  const at = rangeAt(root, path);
  const where = pathText(path);
  if (issue.code === 'too_big' || issue.code === 'too_small') {
    const large = issue.code === 'too_big';
    const bound = String(large ? issue.maximum : issue.minimum);
    const [is, unit] = node.kind === 'list' ? ['has', 'elements'] : ['is', 'characters'];
    const than = large ? `more than ${bound} ${unit}` : `fewer than ${bound} ${unit}`;
    const empty = node.kind === 'scalar' ? `${where} is empty.` : `${where} is an empty list.`;
    return [error(at, !large && bound === '1' ? empty : `${where} ${is} ${than}.`, describe(shapes))];
  }
  const takes = expectation(shapes);
  const message = `${where} is ${given(node)}; it takes ${takes === '' ? 'something else' : takes}.`;
  return [error(at, message, valueHint(node, shapes))];
}

function unknownKey(root: SourceNode, path: Path, key: string, shapes: readonly Shape[]): ScenarioProblem {
  const known = keysOf(shapes);
  const there = nodeAt(root, path);
  const at = keyRangeAt(root, [...path, key]);
  // What a setting put in has no place in the text; it may have meant a key that is there.
  const free = at.start === at.end ? known : known.filter((name) => !entryOf(there, name));
  const of = path.length === 0 ? 'A scenario' : pathText(path);
  const hint = suggest(key, free.length > 0 ? free : known, path.length === 0 ? 'the keys' : 'keys');
  return error(at, `${of} has no key "${shown(key)}".`, hint);
}

function missing(root: SourceNode, path: Path, shapes: readonly Shape[]): ScenarioProblem {
  const parent = path.slice(0, -1);
  const key = String(path.at(-1));
  const of = parent.length === 0 ? 'The scenario' : pathText(parent);
  const about = describe(shapes);
  const message = `${of} has no ${key}${about === '' ? '.' : `: ${lower(about)}`}`;
  return error(keyRangeAt(root, parent), message, `Add ${key}: ${expectation(shapes)}.`);
}

/** What a value is for; of one that tells objects apart each id has its own words. */
const describe = (shapes: readonly Shape[]): string =>
  shapes.length > 1 && shapes.every(({ const: only }) => only !== undefined)
    ? ''
    : (shapes.find(({ description }) => description)?.description ?? '');

/** The first letter small, unless it begins an abbreviation. */
const lower = (sentence: string): string =>
  /^[A-Z](?:[a-z]|\s)/.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;

function valueHint(node: SourceNode, shapes: readonly Shape[]): string {
  if (node.kind !== 'scalar') return describe(shapes);
  const text = String(node.value);
  if (shapes.some(({ type }) => type === 'boolean') && /^(on|off|yes|no|y|n|0|1)$/i.test(text)) {
    return 'YAML 1.2 has true and false only.';
  }
  const ids = shapes.flatMap(({ enum: values, const: only }) => [
    ...(values ?? []),
    ...(only === undefined ? [] : [only]),
  ]);
  if (ids.length > 0) return suggest(text, ids.map(String), 'these');
  return describe(shapes);
}

const MOST_SHOWN = 40;
const shown = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);

function given(node: SourceNode): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'keys with values';
  if (node.value === null) return 'empty';
  if (node.text.startsWith('$')) return node.text;
  return typeof node.value === 'string' ? `"${shown(node.value)}"` : shown(node.text);
}

/** What is written at a path, where it is a scalar. */
export const valueIn =
  (root: SourceNode) =>
  (path: Path): unknown => {
    const node = nodeAt(root, path);
    return node?.kind === 'scalar' ? node.value : undefined;
  };
