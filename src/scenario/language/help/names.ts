import { type Refers } from '../schema/values';
import { type LooseNode } from './looseNode';

/** Steps that make something, and give it a name. */
const MAKERS: Readonly<Record<string, Refers>> = {
  createDomain: 'domains',
  guest: 'guests',
  viommu: 'viommus',
};
const MOST_NAMES = 1000;

/** The names that a text gives, whether it can be read or not, with what is said of each. */
export function namesIn(root: LooseNode | undefined): {
  readonly of: (refers: Refers) => readonly string[];
  readonly parameters: ReadonlyMap<string, string>;
} {
  const found: Readonly<Record<Exclude<Refers, 'attachments'>, Set<string>>> = {
    devices: new Set(),
    domains: new Set(),
    guests: new Set(),
    viommus: new Set(),
  };
  const parameters = new Map<string, string>();
  const visit = (node: LooseNode | undefined): void => {
    if (node?.kind === 'list') node.items.forEach(visit);
    if (node?.kind !== 'map') return;
    for (const { key, value } of node.entries) {
      const made = Object.hasOwn(MAKERS, key) ? MAKERS[key] : undefined;
      if (made && made !== 'attachments') {
        const name = childIn(value, 'name');
        if (name?.kind === 'scalar' && found[made].size < MOST_NAMES) found[made].add(name.text);
      }
      const isVariant = node.path.length === 2 && node.path[0] === 'variants';
      if ((node.path.length === 0 || isVariant) && value?.kind === 'map') {
        for (const each of value.entries.slice(0, MOST_NAMES)) {
          if (key === 'devices') found.devices.add(each.key);
          if (key === 'domains') found.domains.add(each.key);
          if (key === 'parameters')
            parameters.set(each.key, each.value?.kind === 'scalar' ? each.value.text : '');
        }
      }
      visit(value);
    }
  };
  visit(root);
  return {
    of: (refers) =>
      refers === 'attachments'
        ? [...found.domains, ...found.guests, 'pass-through', 'blocked']
        : [...found[refers]],
    parameters,
  };
}

export function childIn(node: LooseNode | undefined, key: string | number): LooseNode | undefined {
  if (node?.kind === 'list' && typeof key === 'number') return node.items[key];
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key)?.value : undefined;
}

/** What is written at a path, where it is a scalar. */
export const textIn =
  (root: LooseNode | undefined) =>
  (path: readonly (string | number)[]): string | undefined => {
    let node = root;
    for (const key of path) node = childIn(node, key);
    return node?.kind === 'scalar' ? node.text : undefined;
  };
