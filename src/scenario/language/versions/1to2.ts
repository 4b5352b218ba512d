import { type ScenarioProblem } from '../../outcome';
import { warning } from '../problems';
import { childOf, entryOf, type SourceEntry, type SourceMap, type SourceNode } from '../source/node';

/** What version 1 called otherwise. */
const IN_MIGRATE = { bandwidth: 'link', downtime: 'downtimeLimit' };
const IN_STEPS = { track: 'dirtyTracking' };

/**
 * Version 1 was the draft: `migrate` said `bandwidth` for `link` and `downtime` for `downtimeLimit`, and steps said `track` for
 * `dirtyTracking`. Everything keeps its place in the text.
 */
export function from1to2(root: SourceMap): {
  readonly root: SourceMap;
  readonly problems: readonly ScenarioProblem[];
} {
  const upgrade = new Upgrade();
  const base = upgrade.body(root);
  const variants = entryOf(base, 'variants');
  const upgraded =
    variants?.value.kind === 'map'
      ? change(base, 'variants', (value) => eachEntry(value, (variant) => upgrade.body(variant)))
      : base;
  return { root: upgraded, problems: upgrade.problems };
}

class Upgrade {
  readonly problems: ScenarioProblem[] = [];

  /** Of a scenario or a variant. */
  body<Node extends SourceNode>(node: Node): Node {
    const steps = change(node, 'steps', (value) => this.steps(value));
    return change(steps, 'migrate', (value) => this.rename(value, IN_MIGRATE));
  }

  private steps(node: SourceNode): SourceNode {
    return node.kind === 'list' ? { ...node, items: node.items.map((item) => this.step(item)) } : node;
  }

  private step(node: SourceNode): SourceNode {
    const renamed = this.rename(node, IN_STEPS);
    const moved = change(renamed, 'migrate', (value) => this.rename(value, IN_MIGRATE));
    const repeated = change(moved, 'repeat', (value) => change(value, 'steps', (steps) => this.steps(steps)));
    return change(repeated, 'during', (value) => {
      const during = change(value, 'step', (step) => this.step(step));
      return change(during, 'moments', (moments) =>
        moments.kind === 'list'
          ? {
              ...moments,
              items: moments.items.map((each) => change(each, 'steps', (steps) => this.steps(steps))),
            }
          : moments,
      );
    });
  }

  private rename(node: SourceNode, names: Readonly<Record<string, string>>): SourceNode {
    if (node.kind !== 'map') return node;
    const entries = new Map<string, SourceEntry>();
    for (const [key, entry] of node.entries) {
      const now = Object.hasOwn(names, key) ? names[key] : undefined;
      // Both are there: the new one counts, and the old one is an unknown key.
      if (now === undefined || node.entries.has(now)) {
        entries.set(key, entry);
        continue;
      }
      entries.set(now, entry);
      const message = `"${key}" is called "${now}" since version 2, and is read so.`;
      this.problems.push(warning(entry.key, message, `Write ${now}, and version: 2 when all are renamed.`));
    }
    return { ...node, entries };
  }
}

function change<Node extends SourceNode>(
  node: Node,
  key: string,
  by: (value: SourceNode) => SourceNode,
): Node {
  const value = childOf(node, key);
  if (node.kind !== 'map' || !value) return node;
  const entries = new Map(node.entries);
  const entry = entries.get(key);
  if (entry) entries.set(key, { ...entry, value: by(value) });
  return { ...node, entries };
}

function eachEntry(node: SourceNode, by: (value: SourceNode) => SourceNode): SourceNode {
  if (node.kind !== 'map') return node;
  const entries = new Map(
    [...node.entries].map(([key, entry]) => [key, { ...entry, value: by(entry.value) }]),
  );
  return { ...node, entries };
}
