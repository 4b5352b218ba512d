import { type ScenarioProblem } from '../outcome';
import { error, MOST_LOOKED_AT, suggest } from './problems';
import { entryOf, type SourceMap, type SourceNode, type SourceScalar } from './source/node';

const REFERENCE = /^\$([A-Za-z][\w-]*)$/;

/** Puts the values of `parameters` where `$name` stands as a whole value. `used` collects the names that were. */
export function fillIn(
  root: SourceMap,
  used: Set<string>,
): { readonly root: SourceMap; readonly problems: readonly ScenarioProblem[] } {
  const problems: ScenarioProblem[] = [];
  const values = new Map<string, SourceScalar>();
  const parameters = entryOf(root, 'parameters')?.value;
  if (parameters?.kind === 'map') {
    for (const [name, { value }] of parameters.entries) if (value.kind === 'scalar') values.set(name, value);
  }

  const filled = (node: SourceNode): SourceNode => {
    if (node.kind === 'list') return { ...node, items: node.items.map(filled) };
    if (node.kind === 'map') return { ...node, entries: filledEntries(node) };
    const name = typeof node.value === 'string' ? REFERENCE.exec(node.value)?.[1] : undefined;
    if (name === undefined) return node;
    const value = values.get(name);
    if (value) {
      used.add(name);
      const other = typeof value.value === 'string' ? REFERENCE.exec(value.value)?.[1] : undefined;
      if (other !== undefined && problems.length < MOST_LOOKED_AT) {
        const message = `The parameter "${name}" is "$${other}", and parameters do not stand for others.`;
        problems.push(error(node, message, `Write $${other} here, or a value in \`parameters\`.`));
        return node;
      }
      return { ...node, value: value.value, text: `$${name} (${value.text})` };
    }
    if (problems.length >= MOST_LOOKED_AT) return node;
    const hint = values.size > 0 ? suggest(name, [...values.keys()], 'parameters') : ADD;
    problems.push(error(node, `There is no parameter "${name}".`, hint));
    return node;
  };
  const filledEntries = (node: SourceMap) =>
    new Map([...node.entries].map(([key, entry]) => [key, { ...entry, value: filled(entry.value) }]));

  const entries = new Map(
    [...root.entries].map(([key, entry]) => [
      key,
      key === 'parameters' ? entry : { ...entry, value: filled(entry.value) },
    ]),
  );
  return { root: { ...root, entries }, problems };
}

const ADD = 'Add it to `parameters` at the top.';
