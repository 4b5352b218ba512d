import { parseDocument, isScalar } from 'yaml';
import { type ScenarioProblem } from '../outcome';
import { error, suggest } from './problems';
import {
  childOf,
  keyRangeAt,
  nodeAt,
  type Path,
  pathText,
  rangeAt,
  type SourceMap,
  type SourceNode,
} from './source/node';

const MOST_SETTING = 1000;
const MOST_PARTS = 16;

/**
 * Values from outside the file, by paths like `machine.memory`, `parameters.protocol` or `steps[2].split.protocol`: each stands
 * for what the file says there. What a path leads through must be there; its last part may be new.
 */
export function applySettings(
  root: SourceMap,
  settings: Readonly<Record<string, string>>,
): { readonly root: SourceMap; readonly problems: readonly ScenarioProblem[] } {
  const problems: ScenarioProblem[] = [];
  let result = root;
  for (const [name, text] of Object.entries(settings)) {
    const path = parsePath(name);
    const wrong = path ? problemOf(result, path, name) : notAPath(name);
    const value = scalarOf(text);
    if (wrong) problems.push(wrong);
    else if (value === undefined)
      problems.push(
        error(START, `${name}=${text.slice(0, 40)} is no single value.`, 'Lists and keys cannot be set.'),
      );
    else if (path) {
      const node: SourceNode = { kind: 'scalar', value, text, ...rangeAt(result, path) };
      result = put(result, path, node) as SourceMap;
    }
  }
  return { root: result, problems };
}

const START = { start: 0, end: 0 };

const notAPath = (name: string): ScenarioProblem =>
  error(
    START,
    `"${name.slice(0, 80)}" is no path.`,
    'Write it as machine.memory or steps[2].split.protocol.',
  );

function parsePath(name: string): Path | undefined {
  if (!/^[\w$-]+(?:\.[\w$-]+|\[\d{1,6}\])*$/.test(name) || name.length > MOST_SETTING) return undefined;
  const parts = [...name.matchAll(/[\w$-]+/g)].map(([part], index) => ({ part, index }));
  if (parts.length > MOST_PARTS || parts.some(({ part }) => part === '__proto__')) return undefined;
  return parts.map(({ part }) => (/^\d+$/.test(part) ? Number(part) : part));
}

function problemOf(root: SourceMap, path: Path, name: string): ScenarioProblem | undefined {
  for (let length = 1; length < path.length; length++) {
    const above = path.slice(0, length);
    if (nodeAt(root, above)) continue;
    return unknown(root, above, name);
  }
  const parent = nodeAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (parent?.kind === 'scalar')
    return error(keyRangeAt(root, path), `${name}: ${pathText(path.slice(0, -1))} has nothing below it.`, '');
  const parameter = path[0] === 'parameters';
  if ((parent?.kind === 'list' || parameter) && last !== undefined && !childOf(parent, last)) {
    return unknown(root, path, name);
  }
  return undefined;
}

function unknown(root: SourceMap, path: Path, name: string): ScenarioProblem {
  const above = nodeAt(root, path.slice(0, -1));
  const there = above?.kind === 'map' ? [...above.entries.keys()] : [];
  const hint =
    above?.kind === 'list'
      ? `The list has ${above.items.length} elements, from 0 on.`
      : suggest(String(path.at(-1)), there, 'these');
  return error(
    keyRangeAt(root, path.slice(0, -1)),
    `${name} cannot be set: there is no ${pathText(path)}.`,
    hint,
  );
}

/** A value as YAML has it; undefined: it is none, or not one. */
function scalarOf(text: string): string | bigint | number | boolean | null | undefined {
  if (text.length > MOST_SETTING || /[[{\n]/.test(text)) return undefined;
  const document = parseDocument(text, { schema: 'core', intAsBigInt: true, logLevel: 'silent' });
  const { contents } = document;
  if (document.errors.length > 0 || document.warnings.length > 0 || !isScalar(contents)) return undefined;
  const { value } = contents;
  return typeof value === 'string' ||
    typeof value === 'bigint' ||
    typeof value === 'number' ||
    typeof value === 'boolean'
    ? value
    : null;
}

function put(node: SourceNode | undefined, path: Path, value: SourceNode): SourceNode {
  const [key, ...rest] = path;
  if (key === undefined || !node) return value;
  const next = put(childOf(node, key), rest, value);
  if (node.kind === 'list')
    return { ...node, items: node.items.map((item, index) => (index === key ? next : item)) };
  if (node.kind === 'scalar') return node;
  const name = String(key);
  const entries = new Map(node.entries);
  entries.set(name, {
    key: node.entries.get(name)?.key ?? { start: node.start, end: node.start },
    value: next,
  });
  return { ...node, entries };
}
