import { STEP_EXAMPLES } from '../examples';
import { alternativesOf, expectation, keysOf, type Shape } from '../shape';
import { type TextRange } from '../source/node';
import { knownAt } from './knowledge';
import { type LooseNode } from './looseNode';
import { readLoosely } from './loose';
import { namesIn } from './names';

const MOST_LISTED = 24;

/** What stands at a place of a text: a key, or a value of those that have a meaning of their own. Null: nothing is known. */
export function hoverScenario(
  text: string,
  offset: number,
): (TextRange & { readonly markdown: string }) | null {
  const { root } = readLoosely(text, offset);
  const found = root && find(root, offset);
  if (!found) return null;
  const { node, key } = found;
  if (key) {
    const shapes = knownAt([...node.path, key.name], root);
    const markdown = ofKey(
      key.name,
      shapes,
      typeof node.path.at(-1) === 'number' || node.path.at(-1) === 'step',
    );
    return markdown === undefined ? null : { ...key.range, markdown };
  }
  const markdown = node.kind === 'scalar' ? ofValue(node.text, knownAt(node.path, root), root) : undefined;
  return markdown === undefined ? null : { start: node.start, end: node.end, markdown };
}

interface Found {
  readonly node: LooseNode;
  readonly key?: { readonly name: string; readonly range: TextRange };
}

function find(root: LooseNode, offset: number): Found | undefined {
  const stack: LooseNode[] = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (node.kind === 'scalar') {
      if (offset >= node.start && offset <= node.end && node.end > node.start) return { node };
    } else if (node.kind === 'list') {
      for (const item of node.items) if (item) stack.push(item);
    } else {
      for (const { key, range, value } of node.entries) {
        if (offset >= range.start && offset <= range.end) return { node, key: { name: key, range } };
        if (value) stack.push(value);
      }
    }
  }
  return undefined;
}

function ofKey(name: string, shapes: readonly Shape[], isStep: boolean): string | undefined {
  if (shapes.length === 0) return undefined;
  const [first] = shapes;
  const lines = [`**${name.replaceAll(/[^\w-]/g, '')}** — ${expectation(shapes)}`];
  const description = shapes.find((shape) => shape.description !== undefined)?.description;
  const ids = shapes.filter(({ const: only }) => only !== undefined);
  if (ids.length > 1)
    lines.push(...ids.map((shape) => `- \`${String(shape.const)}\` ${shape.description ?? ''}`));
  else if (description !== undefined) lines.push(description);
  const given = first?.default;
  if (given !== undefined && typeof given !== 'object') lines.push(`Default: \`${String(given)}\``);
  const described = shapes.flatMap(({ enum: values = [], enumDescriptions = [] }) =>
    values.map((id, index) => ({ id, what: enumDescriptions[index] ?? '' })),
  );
  if (described.some(({ what }) => what !== '')) {
    lines.push(
      described
        .slice(0, MOST_LISTED)
        .map(({ id, what }) => `- \`${id}\` ${what}`)
        .join('\n'),
    );
  }
  const example =
    Object.hasOwn(STEP_EXAMPLES, name) && isStep
      ? STEP_EXAMPLES[name as keyof typeof STEP_EXAMPLES]
      : undefined;
  if (example !== undefined) lines.push(`\`\`\`yaml\n- ${example}\n\`\`\``);
  const keys = keysOf(shapes);
  if (keys.length > 0)
    lines.push(
      `Keys: ${keys
        .slice(0, MOST_LISTED)
        .map((key) => `\`${key}\``)
        .join(', ')}`,
    );
  return lines.join('\n\n');
}

function ofValue(text: string, shapes: readonly Shape[], root: LooseNode): string | undefined {
  const parameter = /^\$([A-Za-z][\w-]*)$/.exec(text)?.[1];
  if (parameter !== undefined) {
    const value = namesIn(root).parameters.get(parameter);
    return value === undefined
      ? undefined
      : `The parameter \`${parameter}\`: \`${value.replaceAll('`', '')}\``;
  }
  for (const shape of shapes.flatMap((each) => alternativesOf(each))) {
    const index = shape.enum?.indexOf(text) ?? -1;
    const what = shape.const === text ? shape.description : shape.enumDescriptions?.[index];
    if (what !== undefined && what !== '') return `\`${text}\` ${what}`;
    if (index >= 0 && shape.description !== undefined) return `\`${text}\`: ${shape.description}`;
  }
  const refers = shapes.find((shape) => shape.refers)?.refers;
  if (refers && namesIn(root).of(refers).includes(text)) return `\`${text}\`: one of the ${refers}`;
  const what = shapes.find((shape) => shape.description !== undefined);
  return what && `${what.description ?? ''}\n\n${expectation(shapes)}`;
}
