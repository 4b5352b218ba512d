import { type ScenarioProblem } from '../../outcome';
import { error, MOST_LOOKED_AT, suggest } from '../problems';
import { type Refers } from '../schema/values';
import { alternativesOf, below, fileShape, type Shape } from '../shape';
import { childOf, entryOf, nodeAt, type SourceMap, type SourceNode, type TextRange } from '../source/node';
import { stepsOf } from './actions';

/** What `attach` takes beside names. */
export const ATTACHMENTS = ['pass-through', 'blocked'] as const;

type Kind = Exclude<Refers, 'attachments'>;

const WHAT: Readonly<Record<Refers, string>> = {
  devices: 'devices',
  domains: 'domains',
  guests: 'guests',
  viommus: 'vIOMMUs',
  attachments: 'domains and guests',
};

/** Steps that make something, and give it a name. */
const MAKERS: readonly (readonly [action: string, kind: Kind])[] = [
  ['createDomain', 'domains'],
  ['guest', 'guests'],
  ['viommu', 'viommus'],
];

/** Names are given once, before they are used, and everything that is named is there. */
export function checkNames(root: SourceMap): readonly ScenarioProblem[] {
  return new Names(root).check();
}

class Names {
  private readonly problems: ScenarioProblem[] = [];
  private readonly known: Readonly<Record<Kind, Map<string, TextRange>>> = {
    devices: new Map(),
    domains: new Map(),
    guests: new Map(),
    viommus: new Map(),
  };

  constructor(private readonly root: SourceMap) {}

  check(): readonly ScenarioProblem[] {
    for (const kind of ['devices', 'domains'] as const) {
      const all = nodeAt(this.root, [kind]);
      if (all?.kind === 'map') for (const [name, { key }] of all.entries) this.give(kind, name, key);
    }
    const shapes = alternativesOf(fileShape());
    for (const key of ['machine', 'devices', 'domains']) this.visit(this.root, key, shapes);
    this.attachedOnce();
    const seen = new Set<SourceNode>();
    for (const { step, repeats } of this.steps()) {
      // Steps in steps come by themselves, after what holds them.
      const without = new Map([...step.entries].filter(([key]) => key !== 'repeat' && key !== 'during'));
      this.references({ ...step, entries: without }, this.stepShapes());
      if (seen.has(step)) continue;
      seen.add(step);
      this.make(step, repeats);
    }
    for (const key of ['migrate', 'expect']) this.visit(this.root, key, shapes);
    return this.problems;
  }

  private *steps(): Generator<{ readonly step: SourceMap; readonly repeats: boolean }> {
    for (const { path, step } of stepsOf(this.root)) yield { step, repeats: path.includes('repeat') };
  }

  private stepShapes(): readonly Shape[] {
    const steps = below(alternativesOf(fileShape()), 'steps', () => undefined);
    return below(steps, 0, () => undefined);
  }

  private make(step: SourceMap, repeats: boolean): void {
    for (const [action, kind] of MAKERS) {
      const node = childOf(childOf(step, action), 'name');
      if (node?.kind !== 'scalar' || typeof node.value !== 'string') continue;
      this.give(kind, node.value, node);
      if (!repeats) continue;
      const message = `"${node.value}" would be made once in every round.`;
      this.problems.push(error(node, message, 'Make it before the repeat.'));
    }
  }

  private give(kind: Kind, name: string, at: TextRange): void {
    const taken =
      this.known[kind].has(name) ||
      (kind === 'guests' && this.known.domains.has(name)) ||
      (kind === 'domains' && this.known.guests.has(name));
    if (taken) this.problems.push(error(at, `"${name}" is a name already.`, 'Choose another one.'));
    const reserved: readonly string[] = ATTACHMENTS;
    if (kind !== 'devices' && kind !== 'viommus' && reserved.includes(name)) {
      this.problems.push(
        error(at, `"${name}" means something else where devices are attached.`, 'Choose another name.'),
      );
    }
    this.known[kind].set(name, at);
  }

  private visit(of: SourceMap, key: string, shapes: readonly Shape[]): void {
    const value = entryOf(of, key)?.value;
    if (value)
      this.references(
        value,
        below(shapes, key, () => undefined),
      );
  }

  /** Looks at everything in a value that the schema says is a name. */
  private references(node: SourceNode, shapes: readonly Shape[]): void {
    if (node.kind === 'scalar') {
      const refers = shapes.find((shape) => shape.refers)?.refers;
      if (refers && typeof node.value === 'string') this.refer(refers, node.value, node);
      return;
    }
    const beside = (key: string): unknown => {
      const value = childOf(node, key);
      return value?.kind === 'scalar' ? value.value : undefined;
    };
    if (node.kind === 'list') {
      const items = below(shapes, 0, beside);
      for (const item of node.items) this.references(item, items);
    } else {
      for (const [key, { value }] of node.entries) this.references(value, below(shapes, key, beside));
    }
  }

  private refer(refers: Refers, name: string, at: TextRange): void {
    if (this.isKnown(refers, name) || this.problems.length >= MOST_LOOKED_AT) return;
    const names =
      refers === 'attachments'
        ? [...this.known.domains.keys(), ...this.known.guests.keys(), ...ATTACHMENTS]
        : [...this.known[refers].keys()];
    const what = WHAT[refers];
    const said = refers === 'attachments' ? 'nothing to attach to' : `none of the ${what}`;
    const where = refers === 'devices' ? '' : ' at this place';
    this.problems.push(error(at, `"${name.slice(0, 40)}" is ${said}${where}.`, suggest(name, names, what)));
  }

  private isKnown(refers: Refers, name: string): boolean {
    if (refers !== 'attachments') return this.known[refers].has(name);
    const others: readonly string[] = ATTACHMENTS;
    return this.known.domains.has(name) || this.known.guests.has(name) || others.includes(name);
  }

  /** A device, or a process of it, is in one domain. */
  private attachedOnce(): void {
    const domains = nodeAt(this.root, ['domains']);
    if (domains?.kind !== 'map') return;
    const taken = new Map<string, string>();
    for (const [domain, { value }] of domains.entries) {
      const list = childOf(value, 'devices');
      if (list?.kind !== 'list') continue;
      for (const item of list.items) {
        const named = item.kind === 'scalar' ? item : childOf(item, 'device');
        const pasid = childOf(item, 'pasid');
        if (named?.kind !== 'scalar') continue;
        const process = pasid?.kind === 'scalar' ? `, PASID ${String(pasid.value)}` : '';
        const key = `${String(named.value)}${process}`;
        const other = taken.get(key);
        if (other !== undefined) {
          const message = `${key} is attached to ${other} already.`;
          this.problems.push(error(named, message, 'A device is in one domain; a step attach moves it.'));
        }
        taken.set(key, domain);
      }
    }
  }
}
